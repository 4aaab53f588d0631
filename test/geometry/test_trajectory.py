"""Moving frames: interpolation, and refusing to leave what is known."""

import math

import pytest
import torch
from torch import Tensor

from gs_sim.errors import InputError, OutsideTrajectoryError
from gs_sim.geometry.pose import pose_from, pose_from_twist, rotation_from_quaternion
from gs_sim.geometry.trajectory import Trajectory, pose_at, poses_at

START_NS = 1_700_000_000_000_000_000


def pose(x: float, yaw_rad: float) -> Tensor:
    quaternion = torch.tensor([math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)], dtype=torch.float64)
    return pose_from(rotation_from_quaternion(quaternion), torch.tensor([x, 0.0, 0.0], dtype=torch.float64))


@pytest.fixture
def path() -> Trajectory:
    """0 m at 0 s, 10 m and 0.5 rad at 1 s, 10 m and 0.3 rad at 3 s."""
    stamps_ns = START_NS + torch.tensor([0, 1_000_000_000, 3_000_000_000])
    return Trajectory(stamps_ns, torch.stack([pose(0.0, 0.0), pose(10.0, 0.5), pose(10.0, 0.3)]))


def test_a_known_stamp_gives_the_known_pose(path: Trajectory) -> None:
    torch.testing.assert_close(poses_at(path, path.stamps_ns), path.poses, rtol=0, atol=1e-12)


def test_between_stamps_the_pose_moves_and_turns_in_proportion(path: Trajectory) -> None:
    torch.testing.assert_close(pose_at(path, START_NS + 250_000_000), pose(2.5, 0.125), rtol=0, atol=1e-9)
    torch.testing.assert_close(pose_at(path, START_NS + 2_000_000_000), pose(10.0, 0.4), rtol=0, atol=1e-9)


def test_a_nanosecond_matters_even_at_todays_stamps() -> None:
    path = Trajectory(START_NS + torch.tensor([0, 10]), torch.stack([pose(0.0, 0.0), pose(10.0, 0.0)]))
    assert float(pose_at(path, START_NS + 3)[0, 3]) == pytest.approx(3.0, abs=1e-12)


def test_many_stamps_in_any_order_agree_with_one_at_a_time(path: Trajectory) -> None:
    stamps_ns = START_NS + torch.tensor([2_900_000_000, 5, 1_000_000_000, 3_000_000_000])
    expected = torch.stack([pose_at(path, int(stamp)) for stamp in stamps_ns])
    torch.testing.assert_close(poses_at(path, stamps_ns), expected)


def test_no_stamps_give_no_poses(path: Trajectory) -> None:
    assert poses_at(path, torch.zeros(0, dtype=torch.int64)).shape == (0, 4, 4)


@pytest.mark.parametrize("stamp_ns", [START_NS - 1, START_NS + 3_000_000_001])
def test_a_stamp_outside_is_refused_with_the_distance(path: Trajectory, stamp_ns: int) -> None:
    with pytest.raises(OutsideTrajectoryError, match=rf"asked for at {stamp_ns} ns, 0.000 s outside"):
        pose_at(path, stamp_ns)


def test_the_worst_of_several_stamps_is_named(path: Trajectory) -> None:
    stamps_ns = START_NS + torch.tensor([0, 5_000_000_000, -1_000_000_000])
    with pytest.raises(OutsideTrajectoryError, match=r"2\.000 s outside"):
        poses_at(path, stamps_ns, max_extrapolation_ns=1_500_000_000)


def test_an_allowed_step_outside_continues_at_constant_velocity(path: Trajectory) -> None:
    before = pose_at(path, START_NS - 100_000_000, max_extrapolation_ns=100_000_000)
    torch.testing.assert_close(before, pose(-1.0, -0.05), rtol=0, atol=1e-9)
    after = pose_at(path, START_NS + 4_000_000_000, max_extrapolation_ns=1_000_000_000)
    torch.testing.assert_close(after, pose(10.0, 0.2), rtol=0, atol=1e-9)


def test_a_single_pose_is_held_only_as_far_as_allowed() -> None:
    single = Trajectory(torch.tensor([START_NS]), pose(3.0, 0.1)[None])
    torch.testing.assert_close(pose_at(single, START_NS), pose(3.0, 0.1))
    torch.testing.assert_close(pose_at(single, START_NS + 5, max_extrapolation_ns=5), pose(3.0, 0.1))
    with pytest.raises(OutsideTrajectoryError):
        pose_at(single, START_NS + 1)


def test_interpolated_poses_stay_rigid() -> None:
    generator = torch.Generator().manual_seed(0)
    poses = pose_from_twist(2 * torch.randn(20, 6, generator=generator, dtype=torch.float64))
    path = Trajectory(torch.arange(20) * 1000, poses)
    rotations = poses_at(path, torch.arange(0, 19_000, 37))[:, :3, :3]
    identity = torch.eye(3, dtype=torch.float64).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.transpose(1, 2), identity, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("stamps", "poses", "sentence"),
    [
        ([], torch.zeros(0, 4, 4, dtype=torch.float64), "at least one pose"),
        ([1, 1], torch.eye(4, dtype=torch.float64).repeat(2, 1, 1), "strictly increase"),
        ([2, 1], torch.eye(4, dtype=torch.float64).repeat(2, 1, 1), "strictly increase"),
        ([1], torch.full((1, 4, 4), torch.nan, dtype=torch.float64), "not finite"),
    ],
)
def test_a_trajectory_that_makes_no_sense_is_refused(stamps: list[int], poses: Tensor, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Trajectory(torch.tensor(stamps, dtype=torch.int64), poses)
