"""Which tracked boxes stand still, where they stand, and which points are theirs."""

import math

import pytest
import torch

from gs_sim.geometry.pose import pose_from, pose_from_twist
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.reconstruction.boxes import (
    continued,
    exists_at,
    is_inside_box,
    is_parked,
    points_in_box,
    settle_tracks,
)
from gs_sim.sensing.track import Track

START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
CAR_M = (4.0, 2.0, 1.5)


def box_pose(x: float, y: float, yaw_rad: float = 0.0) -> torch.Tensor:
    turn = pose_from_twist(torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, yaw_rad], dtype=torch.float64))
    return pose_from(turn[:3, :3], torch.tensor([x, y, 0.75], dtype=torch.float64))


def path_of(poses: list[torch.Tensor], first: int = 0) -> Trajectory:
    stamps_ns = START_NS + (first + torch.arange(len(poses), dtype=torch.int64)) * STEP_NS
    return Trajectory(stamps_ns, torch.stack(poses))


def noisy_path(*, speed_mps: float, noise_m: float, count: int = 40, seed: int = 0) -> Trajectory:
    """Labels of a box that drives along x, or stands, each off by some noise."""
    noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * noise_m
    step_m = speed_mps * STEP_NS / 1e9
    return path_of([box_pose(10 + i * step_m + float(noise[i, 0]), 3 + float(noise[i, 1])) for i in range(count)])


def drive(count: int = 60) -> Trajectory:
    return path_of([box_pose(0.8 * i, 0.0) for i in range(count)])


@pytest.mark.parametrize("noise_m", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_a_standing_box_is_parked_however_noisy_its_labels(noise_m: float, seed: int) -> None:
    assert is_parked(noisy_path(speed_mps=0.0, noise_m=noise_m, seed=seed))


@pytest.mark.parametrize("noise_m", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("speed_mps", [1.4, 3.0, 15.0])
def test_a_moving_box_is_not_parked_even_at_walking_pace(noise_m: float, speed_mps: float) -> None:
    assert not is_parked(noisy_path(speed_mps=speed_mps, noise_m=noise_m))


def test_a_car_that_drives_a_second_and_then_waits_is_not_parked() -> None:
    waiting = [box_pose(10 + min(i, 10) * 0.5, 3.0) for i in range(40)]
    assert not is_parked(path_of(waiting))


def test_a_pedestrian_seen_for_a_second_is_not_parked_though_it_goes_nowhere_far() -> None:
    assert not is_parked(noisy_path(speed_mps=1.4, noise_m=0.02, count=11))
    assert is_parked(noisy_path(speed_mps=0.0, noise_m=0.02, count=11))


def test_a_box_seen_once_is_parked() -> None:
    assert is_parked(path_of([box_pose(5.0, 5.0)]))


def test_a_parked_track_lasts_the_whole_drive_at_one_robust_pose() -> None:
    world_from_rig = drive()
    seen = noisy_path(speed_mps=0.0, noise_m=0.05, count=20)
    poses = seen.poses.clone()
    poses[7, :3, 3] += 0.8  # one label far off
    (settled,) = settle_tracks((Track("1", "car", CAR_M, Trajectory(seen.stamps_ns, poses)),), world_from_rig)
    path = settled.track.world_from_box
    assert settled.is_parked
    assert (path.start_ns, path.end_ns) == (world_from_rig.start_ns, world_from_rig.end_ns)
    assert exists_at(settled.track, world_from_rig.end_ns)
    assert bool((path.poses == path.poses[0]).all())
    assert float((path.poses[0, :3, 3] - box_pose(10.0, 3.0)[:3, 3]).norm()) < 0.1


def test_a_parked_track_keeps_its_heading_when_labels_straddle_half_a_turn() -> None:
    yaws = [math.pi - 0.05 if i % 2 else -math.pi + 0.05 for i in range(20)]
    labels = path_of([box_pose(10.0, 3.0, yaw) for yaw in yaws])
    (settled,) = settle_tracks((Track("1", "car", CAR_M, labels),), drive())
    forward = settled.track.world_from_box.poses[0, :3, 0]
    assert float(forward[0]) < -0.99


def test_a_track_labelled_only_outside_the_drive_is_settled_too() -> None:
    labels = path_of([box_pose(10.0, 3.0)] * 5, first=1000)
    (settled,) = settle_tracks((Track("1", "car", CAR_M, labels),), drive())
    assert settled.is_parked
    assert torch.allclose(settled.track.world_from_box.poses[0], box_pose(10.0, 3.0))


def test_a_moving_track_keeps_every_pose_it_has() -> None:
    track = Track("1", "car", CAR_M, noisy_path(speed_mps=8.0, noise_m=0.0))
    (settled,) = settle_tracks((track,), drive())
    assert not settled.is_parked
    kept = torch.isin(settled.track.world_from_box.stamps_ns, track.world_from_box.stamps_ns)
    torch.testing.assert_close(settled.track.world_from_box.poses[kept], track.world_from_box.poses)


def test_points_in_a_box_turn_with_it_and_leave_the_road_out() -> None:
    track = Track("1", "car", CAR_M, path_of([box_pose(10.0, 3.0, math.pi / 2)] * 2))
    points = torch.tensor(
        [
            [10.0, 3.0, 0.75],  # the middle
            [10.0, 4.9, 0.75],  # near the bumper: the car points along y
            [11.9, 3.0, 0.75],  # beside it
            [10.0, 3.0, 0.02],  # the road below
            [10.0, 3.0, 0.2],  # just above the road
            [10.0, 3.0, 1.55],  # a roof label a little too low
            [10.0, 3.0, 1.9],  # a branch above
        ]
    )
    points_box = points_in_box(points.double(), track, torch.full((len(points),), START_NS))
    inside = is_inside_box(points_box, CAR_M)
    assert inside.tolist() == [True, True, False, False, True, True, False]


def test_points_are_seen_from_the_box_where_it_is_at_their_own_time() -> None:
    track = Track("1", "car", CAR_M, path_of([box_pose(10.0, 3.0), box_pose(12.0, 3.0)]))
    stamps_ns = START_NS + torch.tensor([0, 50_000_000, 100_000_000, 150_000_000])
    points = torch.tensor([[10.0, 3.0, 0.75], [11.0, 3.0, 0.75], [12.0, 3.0, 0.75], [13.0, 3.0, 0.75]])
    points_box = points_in_box(points.double(), track, stamps_ns)
    assert torch.allclose(points_box, torch.zeros(4, 3, dtype=torch.float64), atol=1e-9)


def test_a_moving_track_goes_on_for_one_step_within_the_drive() -> None:
    second_ns = 10**9
    stamps_ns = torch.arange(1, 5) * second_ns
    poses = torch.eye(4, dtype=torch.float64).repeat(4, 1, 1)
    poses[:, 0, 3] = torch.arange(1, 5) * 8.0
    track = Track("1", "car", (4.0, 2.0, 1.5), Trajectory(stamps_ns, poses))
    ends_ns = torch.tensor([second_ns // 2, 9 * second_ns])
    drive = Trajectory(ends_ns, torch.eye(4, dtype=torch.float64).repeat(2, 1, 1))

    path = continued(track, drive).world_from_box

    assert (path.start_ns, path.end_ns) == (second_ns // 2, 5 * second_ns)
    torch.testing.assert_close(path.poses[[0, -1], 0, 3], torch.tensor([4.0, 40.0], dtype=torch.float64))
