"""A street of textured boxes, cast exactly: images, depths and sweeps with known answers, from any pose at any time.

Unlike the tiny world it has parallax, detail everywhere but on one wall, and shape enough to register sweeps by.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64, Int64, UInt8
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, pose_from_twist
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sensing.sweep import Sweep

CAMERA = Camera(width_px=128, height_px=80, fx=96.0, fy=96.0, cx=64.0, cy=40.0)
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
SPIN_NS = 95_000_000
RIG_FROM_LIDAR = pose_from_twist(torch.tensor([0.0, 0.0, 1.8, 0.0, 0.0, 0.0], dtype=torch.float64))
RIG_FROM_CAMERA = torch.tensor([[0, 0, 1, 0.8], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]], dtype=torch.float64)
BOXES = torch.tensor(
    [
        [-60, -60, -1, 90, 60, 0],  # ground
        [-60, 8, -1, 90, 9, 14],  # left facade
        [-60, -9, -1, 90, -8, 14],  # right facade, of one colour
        [34, -60, -1, 35, 60, 20],  # the end of the street
        [7, 4.5, -1, 8, 5.5, 5],  # posts, a kiosk and a truck
        [15, 5, -1, 16.5, 6.5, 5],
        [24, 4, -1, 25, 5, 5],
        [11, -7, -1, 14, -5, 3],
        [19, -6, -1, 20, -5, 6],
        [-8, 5, -1, -6, 6, 5],
        [-14, -7, -1, -11, -5, 4],
    ],
    dtype=torch.float64,
)
"""Axis-aligned: lowest x, y, z and highest x, y, z."""
PLAIN = 2
"""The box without texture."""


@dataclass(frozen=True)
class Sight:
    """What rays meet first."""

    points: Float64[Tensor, "n 3"]
    distance: Float64[Tensor, "n"]
    """In lengths of the ray's direction."""
    box: Int64[Tensor, "n"]


def cast(origin: Float64[Tensor, "*n 3"], directions: Float64[Tensor, "n 3"]) -> Sight:
    """The first box that each ray meets, from outside; the world is closed but for the sky."""
    low, high = BOXES[:, :3], BOXES[:, 3:]
    start = origin.expand_as(directions)[:, None]
    slope = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)[:, None]
    ends = torch.stack([(low - start) / slope, (high - start) / slope])
    enters, leaves = ends.amin(dim=0).amax(dim=-1), ends.amax(dim=0).amin(dim=-1)
    distance, box = torch.where((enters < leaves) & (enters > 1e-3), enters, float("inf")).min(dim=1)
    return Sight(origin + directions * distance[:, None], distance, box)


def texture(points: Float64[Tensor, "n 3"], box: Int64[Tensor, "n"]) -> Float32[Tensor, "n 3"]:
    """Waves of many directions and lengths, in colours of their own; one box is plain, the sky is blue."""
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(36, 3, generator=generator, dtype=torch.float64), dim=-1)
    lengths_m = torch.logspace(-0.4, 0.9, 36, dtype=torch.float64)
    phases = torch.rand(36, 3, generator=generator, dtype=torch.float64) * 6.28
    angles = points.nan_to_num(0, 0, 0) @ (directions * (6.28 / lengths_m)[:, None]).T
    waves = torch.sin(angles[..., None] + phases + box[:, None, None].double()).sum(dim=1)
    rgb = (0.5 + 0.06 * waves).clamp(0, 1)
    rgb[box == PLAIN] = 0.55
    rgb[~points.isfinite().all(dim=-1)] = torch.tensor([0.5, 0.7, 0.9], dtype=torch.float64)
    return rgb.float()


def see(world_from_camera: Float64[Tensor, "4 4"], camera: Camera = CAMERA) -> tuple[Tensor, Tensor]:
    """The image (uint8 [h w 3]) and the depth along the optical axis of a camera; the sky is infinitely far."""
    rows, columns = torch.meshgrid(
        torch.arange(camera.height_px) + 0.5, torch.arange(camera.width_px) + 0.5, indexing="ij"
    )
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    rays = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3).double()
    sight = cast(world_from_camera[:3, 3], rays @ world_from_camera[:3, :3].T)
    rgb: UInt8[Tensor, "h w 3"] = (texture(sight.points, sight.box) * 255).round().to(torch.uint8)
    return rgb.reshape(camera.height_px, camera.width_px, 3), sight.distance.reshape(rows.shape).float()


def scan(index: int, stamp_ns: int, world_from_rig: Trajectory) -> Sweep:
    """A revolution while the rig drives on; rays are scattered, since rings on the ground would drive along."""
    generator = torch.Generator().manual_seed(index)
    yaw, pitch = torch.rand(2, 6000, generator=generator, dtype=torch.float64)
    yaw, pitch = 6.28 * yaw.sort().values - 3.14, 0.75 * pitch - 0.35
    stamps_ns = stamp_ns + ((yaw + 3.14) / 6.28 * SPIN_NS).long()
    rays = torch.stack([yaw.cos() * pitch.cos(), yaw.sin() * pitch.cos(), pitch.sin()], dim=-1)
    world_from_lidar = poses_at(world_from_rig, stamps_ns, PERIOD_NS) @ RIG_FROM_LIDAR
    turned = (world_from_lidar[:, :3, :3] @ rays[:, :, None])[:, :, 0]
    distance_m = cast(world_from_lidar[:, :3, 3], turned).distance
    hit = distance_m < 70
    points_lidar = (rays * distance_m[:, None])[hit].float()
    return Sweep("top", index, stamp_ns, points_lidar, stamps_ns[hit], torch.zeros(len(points_lidar)))


def driven_path(count: int, speed_mps: float = 5.0) -> Trajectory:
    """Down the street, weaving a little."""
    stamps_ns = START_NS + PERIOD_NS * torch.arange(count, dtype=torch.int64)
    seconds = torch.arange(count, dtype=torch.float64) / 10
    twists = torch.zeros(count, 6, dtype=torch.float64)
    twists[:, 5] = 0.05 * torch.sin(1.5 * seconds)
    poses = pose_from_twist(twists)
    poses[:, 0, 3], poses[:, 1, 3] = speed_mps * seconds, 0.6 * torch.sin(1.2 * seconds)
    return Trajectory(stamps_ns, poses)


def make_rig(*, has_lidar: bool = True) -> Rig:
    camera = MountedCamera("front", CAMERA, CAMERA, RIG_FROM_CAMERA)
    return Rig((camera,), (MountedLidar("top", RIG_FROM_LIDAR),) if has_lidar else ())


def make_textured_recording(count: int = 12, *, has_lidar: bool = True) -> MemoryRecording:
    """Frames at the poses' stamps, and sweeps that begin at them."""
    world_from_rig = driven_path(count)
    frames = []
    for index, (stamp_ns, pose) in enumerate(zip(world_from_rig.stamps_ns.tolist(), world_from_rig.poses, strict=True)):
        frames.append(Frame("front", index, stamp_ns, see(pose @ RIG_FROM_CAMERA)[0]))
    stamps_ns = world_from_rig.stamps_ns.tolist() if has_lidar else []
    sweeps = tuple(scan(index, stamp_ns, world_from_rig) for index, stamp_ns in enumerate(stamps_ns))
    rig, still = make_rig(has_lidar=has_lidar), torch.eye(4, dtype=torch.float64)
    return MemoryRecording(rig, world_from_rig, still, (), tuple(frames), sweeps, {})


def jittered(path: Trajectory, sigma_m: float, sigma_rad: float = 0.0, seed: int = 0) -> Trajectory:
    """A path as GNSS might log it: right on the whole, off from frame to frame."""
    noise = torch.randn(len(path.poses), 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Trajectory(
        path.stamps_ns, path.poses @ pose_from_twist(noise * torch.tensor([sigma_m] * 3 + [sigma_rad] * 3))
    )


def relative_error_m(found: Trajectory, true: Trajectory) -> float:
    """Mean error of the motion from one stamp of the true path to the next."""
    poses = poses_at(found, true.stamps_ns)
    steps, true_steps = inverse(poses[:-1]) @ poses[1:], inverse(true.poses[:-1]) @ true.poses[1:]
    return float((steps[:, :3, 3] - true_steps[:, :3, 3]).norm(dim=-1).mean())
