"""The sensors of the ego vehicle: drawn mounts and lenses, and cameras displaced from the path for ground truth."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.sources.street.randomness import normal, uniform
from gs_sim.sources.street.settings import CAMERA_NAMES, StreetSettings

LIDAR_NAME = "lidar"
YAWS_DEG = {"front": 0.0, "front_left": 55.0, "front_right": -55.0, "left": 100.0, "right": -100.0, "rear": 180.0}
DISPLACED = {
    **{f"off_left_{d}m": (float(d), 0.0) for d in (1, 2, 3)},
    **{f"off_right_{d}m": (-float(d), 0.0) for d in (1, 2, 3)},
    "off_yaw_left_10": (0.0, 10.0),
    "off_yaw_right_10": (0.0, -10.0),
}
"""Sideways shift (m, left positive) and yaw (degrees) of each ground-truth camera against `front`."""


def draw_rig(generator: torch.Generator, settings: StreetSettings) -> Rig:
    """Cameras near the windscreen, a LiDAR on the roof; the rig frame lies on the road below the rear axle."""
    height = uniform(generator, 1.35, 2.0)
    forward = uniform(generator, 1.2, 1.9)
    fov_deg = uniform(generator, 62.0, 88.0)
    cameras = [
        _draw_camera(generator, settings, name, (forward, height), fov_deg)
        for name in CAMERA_NAMES[: settings.num_cameras]
    ]
    if settings.displaced_every:
        front = cameras[0]
        cameras += [
            replace(front, name=name, rig_from_camera=_displaced(front.rig_from_camera, *by))
            for name, by in DISPLACED.items()
        ]
    lidars: tuple[MountedLidar, ...] = ()
    if settings.lidar_rings:
        rig_from_lidar = torch.eye(4, dtype=torch.float64)
        rig_from_lidar[:3, 3] = torch.tensor(
            [uniform(generator, 0.6, 1.3), 0.0, height + uniform(generator, 0.2, 0.45)]
        )
        lidars = (MountedLidar(LIDAR_NAME, rig_from_lidar),)
    return Rig(tuple(cameras), lidars)


def _draw_camera(
    generator: torch.Generator, settings: StreetSettings, name: str, mount_m: tuple[float, float], fov_deg: float
) -> MountedCamera:
    yaw = math.radians(YAWS_DEG[name] + normal(generator, 0.0, 0.6))
    pitch, roll = math.radians(normal(generator, 1.0, 1.2)), math.radians(normal(generator, 0.0, 0.4))
    fov = math.radians(fov_deg + normal(generator, 0.0, 1.0))
    focal = 0.5 * settings.width_px / math.tan(fov / 2)
    camera = Camera(
        settings.width_px,
        settings.height_px,
        focal,
        focal * (1 + normal(generator, 0.0, 0.002)),
        settings.width_px / 2 + normal(generator, 0.0, 0.008) * settings.width_px,
        settings.height_px / 2 + normal(generator, 0.0, 0.012) * settings.height_px,
    )
    bend = (
        normal(generator, -0.22, 0.07),
        normal(generator, 0.06, 0.02),
        normal(generator, 0.0, 4e-4),
        normal(generator, 0.0, 4e-4),
        0.0,
    )
    raw = replace(camera, lens="plumb_bob", coefficients=bend) if settings.lens == "plumb_bob" else camera
    forward, height = mount_m
    reach = 0.35
    position = (forward + reach * (math.cos(yaw) - 1), reach * math.sin(yaw), height + normal(generator, 0.0, 0.02))
    return MountedCamera(name, camera, raw, camera_mount(position, (yaw, pitch, roll)))


def camera_mount(
    position_m: tuple[float, float, float], angles_rad: tuple[float, float, float]
) -> Float64[Tensor, "4 4"]:
    """`rig_from_camera` of an optical frame that looks along yaw, pitch (down positive) and roll."""
    yaw, pitch, roll = angles_rad
    forward = torch.tensor(
        [math.cos(pitch) * math.cos(yaw), math.cos(pitch) * math.sin(yaw), -math.sin(pitch)], dtype=torch.float64
    )
    right = torch.tensor([math.sin(yaw), -math.cos(yaw), 0.0], dtype=torch.float64)
    down = torch.linalg.cross(forward, right)
    rolled = right * math.cos(roll) + down * math.sin(roll)
    mount = torch.eye(4, dtype=torch.float64)
    mount[:3, 0], mount[:3, 1], mount[:3, 2] = rolled, torch.linalg.cross(forward, rolled), forward
    mount[:3, 3] = torch.tensor(position_m, dtype=torch.float64)
    return mount


def _displaced(rig_from_camera: Float64[Tensor, "4 4"], left_m: float, yaw_deg: float) -> Float64[Tensor, "4 4"]:
    angle = math.radians(yaw_deg)
    turn = torch.eye(4, dtype=torch.float64)
    turn[0, 0] = turn[1, 1] = math.cos(angle)
    turn[1, 0], turn[0, 1] = math.sin(angle), -math.sin(angle)
    moved = rig_from_camera.clone()
    moved[:3, :3] = turn[:3, :3] @ rig_from_camera[:3, :3]
    moved[1, 3] += left_m
    return moved
