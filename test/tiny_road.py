"""A road of a few thousand Gaussians with a car beside it, and a drive along it: fast enough to close the loop in tests."""

import torch
from tiny_world import START_NS, pose, splats

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.rig import MountedCamera, Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians, empty_gaussians
from gs_sim.scene.scene import Scene

CAMERA = Camera(width_px=160, height_px=96, fx=80.0, fy=80.0, cx=80.0, cy=48.0)
RIG_FROM_CAMERA = torch.tensor([[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]], dtype=torch.float64)
SPEED_MPS = 8.0
DRIVE_S = 4.0
PERIOD_NS = 100_000_000
CAR_SIZE_M = (4.0, 1.8, 1.5)
MAP_FROM_WORLD = pose(100.0, -50.0, 3.0)
"""So that whoever confuses the two frames is seen."""
RIG_YAML = "cameras: {front: {like: front, rate_hz: 10, has_depth: true}}"


def make_road() -> Gaussians:
    """A plane with a wall at its end."""
    generator = torch.Generator().manual_seed(3)
    plane = torch.cartesian_prod(torch.arange(-4.0, 50.0, 0.5), torch.arange(-6.0, 8.0, 0.5), torch.zeros(1))
    wall = torch.cartesian_prod(torch.tensor([60.0]), torch.arange(-40.0, 40.0, 1.5), torch.arange(-3.0, 24.0, 1.5))
    grey = 0.35 + 0.2 * torch.rand(len(plane), 1, generator=generator).expand(-1, 3)
    colours = torch.rand(len(wall), 3, generator=generator)
    flat = splats(plane, grey, 0.25)
    flat.log_scales[:, 2] = -4.0
    there = splats(wall, colours, 0.8)
    return Gaussians(
        *(torch.cat([getattr(flat, name), getattr(there, name)]) for name in Gaussians.__dataclass_fields__)
    )


def make_car() -> Gaussians:
    """The surface of a box."""
    half = torch.tensor(CAR_SIZE_M) / 2 - 0.1
    axes = [torch.linspace(-float(side), float(side), max(2, round(float(side) * 10))) for side in half]
    points = torch.cartesian_prod(*axes)
    is_outside = ((points.abs() - half).abs() < 1e-4).any(dim=1)
    red = torch.tensor([[0.8, 0.15, 0.1]]).expand(int(is_outside.sum()), 3)
    return splats(points[is_outside], red, 0.08)


def make_road_scene() -> Scene:
    """The car is parked to the left; the drive bends to the left, past it."""
    seconds = torch.arange(0, DRIVE_S + 1e-9, PERIOD_NS / 1e9, dtype=torch.float64)
    x_m = SPEED_MPS * seconds
    yaw_rad = 0.004 * x_m
    poses = []
    for x, yaw in zip(x_m.tolist(), yaw_rad, strict=True):
        zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
        rows = [[yaw.cos(), -yaw.sin(), zero], [yaw.sin(), yaw.cos(), zero], [zero, zero, one]]
        turn = torch.stack([torch.stack(row) for row in rows])
        poses.append(pose_from(turn, torch.tensor([x, 0.002 * x * x, 0.0], dtype=torch.float64)))
    stamps_ns = START_NS + torch.arange(len(poses), dtype=torch.int64) * PERIOD_NS
    parked = torch.stack([pose(22.0, 6.0, CAR_SIZE_M[2] / 2)] * 2)
    car_path = Trajectory(torch.tensor([START_NS - 10**9, START_NS + 60 * 10**9]), parked)
    car = Actor("car-1", "car", CAR_SIZE_M, make_car(), car_path)
    rig = Rig((MountedCamera("front", CAMERA, CAMERA, RIG_FROM_CAMERA),), ())
    path = Trajectory(stamps_ns, torch.stack(poses))
    return Scene(make_road(), empty_gaussians(), (car,), rig, path, MAP_FROM_WORLD)
