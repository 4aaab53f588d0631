"""A small drive to write into bags: two cameras, a LiDAR, odometry, tf and a tracked car, all exactly known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, pose_from, pose_from_twist
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources.bag_writer import BagWriter
from gs_sim.sources.detection import Detection

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
NUM_FRAMES = 10
SPEED_MPS = 10.0
FIRST_POSITION_M = (450_000.0, 5_400_000.0, 120.0)
"""As in a UTM map: far too large for float32."""

RIG_FROM_OPTICAL = torch.tensor([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)
RIG_FROM_LIDAR = pose_from_twist(torch.tensor([0.0, 0.0, 1.8, 0.0, 0.0, 0.1], dtype=torch.float64))
CAR_SIZE_M = (4.0, 2.0, 1.5)


def rig_from_camera(name: str) -> Float64[Tensor, "4 4"]:
    offset = torch.eye(4, dtype=torch.float64)
    offset[:3, 3] = torch.tensor([1.0, 0.5 if name == "left" else -0.5, 1.2])
    return offset @ RIG_FROM_OPTICAL


def map_from_rig(stamp_ns: int) -> Float64[Tensor, "4 4"]:
    """Straight on and turning slowly."""
    seconds = (stamp_ns - START_NS) * 1e-9
    turn = pose_from_twist(torch.tensor([0, 0, 0, 0, 0, 0.2 * seconds], dtype=torch.float64))
    position = torch.tensor(FIRST_POSITION_M, dtype=torch.float64) + torch.tensor([SPEED_MPS * seconds, 0.0, 0.0])
    return pose_from(turn[:3, :3], position)


def map_from_car(stamp_ns: int) -> Float64[Tensor, "4 4"]:
    """Ahead, driving the same way at half the speed."""
    pose = torch.eye(4, dtype=torch.float64)
    ahead_m = 20.0 + 0.5 * SPEED_MPS * (stamp_ns - START_NS) * 1e-9
    pose[:3, 3] = torch.tensor(FIRST_POSITION_M, dtype=torch.float64) + torch.tensor([ahead_m, 2.0, 0.75])
    return pose


def picture(name: str, index: int, size_hw: tuple[int, int] = (24, 32)) -> UInt8[Tensor, "h w 3"]:
    """Smooth, and different in every frame of every camera."""
    rows, columns = torch.meshgrid(torch.arange(size_hw[0]), torch.arange(size_hw[1]), indexing="ij")
    blue = torch.full_like(rows, 10 * index + (100 if name == "left" else 0))
    return torch.stack([5 * rows, 5 * columns, blue], dim=-1).to(torch.uint8)


def points(index: int) -> Float32[Tensor, "n 3"]:
    return torch.randn(50, 3, generator=torch.Generator().manual_seed(index)) * 10 + 20


@dataclass(frozen=True)
class SmallDrive:
    """What to write; the defaults are a bag without any fault."""

    cameras: Sequence[str] = ("left", "right")
    camera: Camera = field(default_factory=lambda: Camera(32, 24, 30.0, 30.0, 16.0, 12.0))
    encoding: str = "rgb8"
    image_name: str = "image_rect"
    has_info: bool = True
    poses: str = "odometry"
    """odometry, tf, or none."""
    has_camera_mounts: bool = True
    pose_start_ns: int = START_NS - PERIOD_NS
    num_poses: int = 3 * NUM_FRAMES
    stamp_of: Callable[[int], int] = lambda index: START_NS + index * PERIOD_NS
    picture: Callable[[str, int], Tensor] = picture
    points: Callable[[int], Tensor] = points
    has_detections: bool = True
    storage: str = "mcap"


def write_drive(path: Path, drive: SmallDrive | None = None) -> Path:
    """Write a bag and return its path."""
    drive = drive or SmallDrive()
    with BagWriter(path, drive.storage) as bag:  # type: ignore[arg-type]  # the tests name real storages
        mounts = [("base_link", "lidar", RIG_FROM_LIDAR)]
        if drive.has_camera_mounts:
            mounts += [("base_link", f"{name}_optical_frame", rig_from_camera(name)) for name in drive.cameras]
        bag.write_static_transforms(mounts)
        for index in range(drive.num_poses):
            write_pose(bag, drive, drive.pose_start_ns + index * PERIOD_NS // 2)
        for index in range(NUM_FRAMES):
            write_frame(bag, drive, index)
    return path


def write_pose(bag: BagWriter, drive: SmallDrive, stamp_ns: int) -> None:
    if drive.poses == "odometry":
        bag.write_odometry("/odometry", "map", "base_link", stamp_ns, map_from_rig(stamp_ns))
    elif drive.poses == "tf":
        bag.write_transform("map", "base_link", stamp_ns, map_from_rig(stamp_ns))


def write_frame(bag: BagWriter, drive: SmallDrive, index: int) -> None:
    stamp_ns = drive.stamp_of(index)
    for name in drive.cameras:
        frame = f"{name}_optical_frame"
        bag.write_image(
            f"/{name}/{drive.image_name}",
            frame,
            stamp_ns,
            drive.picture(name, index),
            drive.encoding,  # type: ignore[arg-type]  # the tests name real encodings
        )
        if drive.has_info:
            bag.write_camera_info(f"/{name}/camera_info", frame, stamp_ns, drive.camera)
    cloud = drive.points(index)
    stamps = stamp_ns + torch.linspace(0, 90_000_000, len(cloud), dtype=torch.float64).round().to(torch.int64)
    sweep = Sweep("lidar", index, stamp_ns, cloud, stamps, torch.arange(len(cloud)).float())
    bag.write_sweep("/lidar/points", "lidar", sweep)
    if drive.has_detections:
        rig_from_car = inverse(map_from_rig(stamp_ns)) @ map_from_car(stamp_ns)
        box = Detection("car 1", "car", CAR_SIZE_M, rig_from_car)
        bag.write_detections("/tracks", "base_link", stamp_ns, [box])
