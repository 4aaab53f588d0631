"""A path found from the LiDAR alone is the path that was driven, and a recording takes it over whole."""

from pathlib import Path

import pytest
import torch
from jaxtyping import Float32, Float64
from small_drive import (
    NUM_FRAMES,
    PERIOD_NS,
    RIG_FROM_LIDAR,
    START_NS,
    SmallDrive,
    map_from_rig,
    rig_from_camera,
    write_drive,
)
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, pose_from_twist, transform_points
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory, pose_at, poses_at
from gs_sim.sensing.checks import check_recording
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.lidar_odometry import LidarOdometrySettings, estimate_trajectory
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sensing.reposed import with_trajectory
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings

SWEEPS = 12


def street_points(num_points: int, generator: torch.Generator) -> Float32[Tensor, "n 3"]:
    """Points on the ground, on two walls with bays, and on posts."""
    along = torch.rand(num_points, generator=generator) * 160 - 40
    kind = torch.randint(0, 4, (num_points,), generator=generator)
    height = torch.rand(num_points, generator=generator) * 5
    across = torch.rand(num_points, generator=generator) * 20 - 10
    bay = (along / 6).floor() % 2 * 2
    post = (along / 9).round() * 9 + height * 0.01
    x = torch.where(kind == 3, post, along)
    y = torch.where(kind == 0, across, torch.where(kind == 1, 10 + bay, torch.where(kind == 2, -10 - bay, 6 + 0 * bay)))
    z = torch.where(kind == 0, torch.zeros_like(height), height)
    return torch.stack([x, y, z], dim=-1)


def start_from_rig(stamp_ns: int) -> Float64[Tensor, "4 4"]:
    """The drive of `small_drive`, from its first sweep on."""
    return inverse(map_from_rig(START_NS)) @ map_from_rig(stamp_ns)


def drive_with_sweeps(*, spin_ns: int) -> MemoryRecording:
    """Sweeps taken while driving and turning, each point from where the LiDAR was at its time."""
    generator = torch.Generator().manual_seed(3)
    sweeps = []
    for index in range(SWEEPS):
        stamp_ns = START_NS + index * PERIOD_NS
        seen = street_points(6000, generator)
        parts, times = [], []
        for part, points_start in enumerate(seen.split(600)):
            then_ns = stamp_ns + part * spin_ns // 10
            lidar_from_start = inverse(start_from_rig(then_ns) @ RIG_FROM_LIDAR)
            parts.append(transform_points(lidar_from_start, points_start.double()).float())
            times.append(torch.full((len(points_start),), then_ns))
        sweeps.append(Sweep("lidar", index, stamp_ns, torch.cat(parts), torch.cat(times), torch.zeros(6000)))
    camera = Camera(32, 24, 30.0, 30.0, 16.0, 12.0)
    rig = Rig(
        (MountedCamera("left", camera, camera, rig_from_camera("left")),), (MountedLidar("lidar", RIG_FROM_LIDAR),)
    )
    still = Trajectory(torch.tensor([START_NS]), torch.eye(4, dtype=torch.float64)[None])
    rgb = torch.zeros(24, 32, 3, dtype=torch.uint8)
    frames = tuple(Frame("left", index, START_NS + index * PERIOD_NS, rgb) for index in range(SWEEPS))
    return MemoryRecording(rig, still, torch.eye(4, dtype=torch.float64), (), frames, tuple(sweeps), {})


@pytest.mark.parametrize("spin_ns", [0, 90_000_000])
def test_the_path_that_was_driven_is_found(spin_ns: int) -> None:
    recording = drive_with_sweeps(spin_ns=spin_ns)
    path = estimate_trajectory(recording, "lidar", LidarOdometrySettings(max_range_m=60.0))
    driven = torch.stack([start_from_rig(int(stamp)) for stamp in path.stamps_ns])
    assert torch.allclose(path.poses[0], torch.eye(4, dtype=torch.float64))
    difference = inverse(driven) @ path.poses
    assert float(driven[-1, :3, 3].norm()) > 10
    assert float(difference[:, :3, 3].norm(dim=1).max()) < 0.25


def test_too_few_points_for_a_path_are_refused(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(poses="none"))
    with (
        open_bag(path, BagSettings(needs_poses=False)) as recording,
        pytest.raises(InputError, match="at least two sweeps of 'lidar' with 100 points"),
    ):
        estimate_trajectory(recording, "lidar")


def test_a_recording_with_another_path_keeps_boxes_where_the_vehicle_saw_them(tmp_path: Path) -> None:
    write_drive(tmp_path / "bag", SmallDrive(num_poses=2 * NUM_FRAMES + 2))
    with open_bag(tmp_path / "bag") as recording:
        shift = pose_from_twist(torch.tensor([3.0, 0.0, 0.0, 0.0, 0.0, 0.7], dtype=torch.float64))
        path = Trajectory(recording.world_from_rig.stamps_ns, shift @ recording.world_from_rig.poses)
        moved = with_trajectory(recording, path)
        assert check_recording(moved) == []
        stamp_ns = START_NS + 3 * PERIOD_NS
        old = inverse(pose_at(recording.world_from_rig, stamp_ns)) @ pose_at(
            recording.tracks[0].world_from_box, stamp_ns
        )
        new = inverse(pose_at(moved.world_from_rig, stamp_ns)) @ pose_at(moved.tracks[0].world_from_box, stamp_ns)
        assert torch.allclose(old, new)
        first_ns = moved.world_from_rig.start_ns
        tied = moved.map_from_world @ pose_at(moved.world_from_rig, first_ns)
        assert torch.allclose(tied, recording.map_from_world @ pose_at(recording.world_from_rig, first_ns))


def test_images_outside_the_new_path_are_left_out_and_counted(tmp_path: Path) -> None:
    with open_bag(write_drive(tmp_path / "bag")) as recording:
        stamps_ns = START_NS + PERIOD_NS * torch.arange(3, 7)
        moved = with_trajectory(recording, Trajectory(stamps_ns, poses_at(recording.world_from_rig, stamps_ns)))
        # one period before and one after the path are still near enough to continue it
        assert moved.frame_stamps_ns("left").tolist() == [START_NS + index * PERIOD_NS for index in range(2, 8)]
        assert [frame.index for frame in moved.frames("left", [0, 5])] == [0, 5]
        assert moved.skipped["images or sweeps of left outside the path that was found"] == 4
        assert check_recording(moved) == []
        nowhere = Trajectory(stamps_ns + 10**12, path_poses := poses_at(recording.world_from_rig, stamps_ns))
        assert len(path_poses) == 4
        with pytest.raises(InputError, match="no image lies within the path"):
            with_trajectory(recording, nowhere)
