"""Rigid motions: known answers and properties."""

import math

import pytest
import torch
from torch import Tensor

from gs_sim.geometry.pose import (
    inverse,
    multiply_quaternions,
    pose_from,
    pose_from_twist,
    quaternion_from_rotation,
    rotation_from_quaternion,
    slerp,
    transform_points,
)

IDENTITY = torch.eye(4, dtype=torch.float64)


def random_quaternions(num: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(num, 4, generator=generator, dtype=torch.float64), dim=-1)


def random_poses(num: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    translation = 100 * torch.randn(num, 3, generator=generator, dtype=torch.float64)
    return pose_from(rotation_from_quaternion(random_quaternions(num, seed)), translation)


def about_z(angle_rad: float) -> Tensor:
    return torch.tensor([math.cos(angle_rad / 2), 0.0, 0.0, math.sin(angle_rad / 2)], dtype=torch.float64)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    rotation = rotation_from_quaternion(about_z(math.pi / 2))
    torch.testing.assert_close(rotation @ IDENTITY[:3, 0], IDENTITY[:3, 1])


def test_a_pose_turns_first_and_shifts_then() -> None:
    pose = pose_from(
        rotation_from_quaternion(about_z(math.pi / 2)), torch.tensor([10.0, 0.0, 0.0], dtype=torch.float64)
    )
    moved = transform_points(pose, torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64))
    torch.testing.assert_close(moved, torch.tensor([[8.0, 1.0, 3.0]], dtype=torch.float64))


def test_a_pose_times_its_inverse_is_the_identity() -> None:
    poses = random_poses(50)
    torch.testing.assert_close(poses @ inverse(poses), IDENTITY.expand(50, 4, 4), rtol=0, atol=1e-12)
    torch.testing.assert_close(inverse(inverse(poses)), poses, rtol=0, atol=1e-12)


def test_chained_poses_move_points_as_one_after_the_other() -> None:
    a_from_b, b_from_c = random_poses(2)
    points_c = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chained = transform_points(a_from_b @ b_from_c, points_c)
    torch.testing.assert_close(chained, transform_points(a_from_b, transform_points(b_from_c, points_c)))


def test_points_keep_their_precision_when_a_pose_moves_them() -> None:
    assert transform_points(random_poses(1)[0], torch.zeros(2, 3)).dtype == torch.float32


def test_quaternions_survive_the_way_through_rotation_matrices() -> None:
    quaternions = random_quaternions(500)
    found = quaternion_from_rotation(rotation_from_quaternion(quaternions))
    assert bool((found[:, 0] >= 0).all())
    expected = torch.where(quaternions[:, :1] < 0, -quaternions, quaternions)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_have_well_conditioned_quaternions(axis: int) -> None:
    diagonal = -torch.ones(3, dtype=torch.float64)
    diagonal[axis] = 1.0
    found = quaternion_from_rotation(torch.diag(diagonal))
    assert abs(float(found[axis + 1])) == pytest.approx(1.0, abs=1e-15)


def test_multiplied_quaternions_rotate_right_first_then_left() -> None:
    left, right = random_quaternions(20, 1), random_quaternions(20, 2)
    product = rotation_from_quaternion(multiply_quaternions(left, right))
    torch.testing.assert_close(product, rotation_from_quaternion(left) @ rotation_from_quaternion(right))


def test_quaternions_are_normalised_where_they_are_used() -> None:
    quaternions = random_quaternions(5)
    torch.testing.assert_close(rotation_from_quaternion(3.7 * quaternions), rotation_from_quaternion(quaternions))


def test_slerp_turns_at_constant_speed() -> None:
    fractions = torch.linspace(0, 1, 11, dtype=torch.float64)
    found = slerp(about_z(0.2).expand(11, 4), about_z(1.4).expand(11, 4), fractions)
    expected = torch.stack([about_z(0.2 + 1.2 * float(fraction)) for fraction in fractions])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_slerp_takes_the_shorter_way_whatever_the_sign() -> None:
    found = slerp(about_z(0.2), -about_z(0.6), torch.tensor(0.5, dtype=torch.float64))
    torch.testing.assert_close(rotation_from_quaternion(found), rotation_from_quaternion(about_z(0.4)))


def test_slerp_between_nearly_equal_orientations_is_finite_and_between() -> None:
    found = slerp(about_z(0.3), about_z(0.3 + 1e-9), torch.tensor(0.5, dtype=torch.float64))
    torch.testing.assert_close(found, about_z(0.3), rtol=0, atol=1e-9)
    same = slerp(about_z(0.3), about_z(0.3), torch.tensor(0.25, dtype=torch.float64))
    torch.testing.assert_close(same, about_z(0.3), rtol=0, atol=1e-15)


def test_slerp_beyond_its_ends_goes_on_at_the_same_speed() -> None:
    found = slerp(about_z(0.0), about_z(0.1), torch.tensor(3.0, dtype=torch.float64))
    torch.testing.assert_close(found, about_z(0.3), rtol=0, atol=1e-12)


def test_a_zero_twist_is_the_identity_with_the_generators_as_gradient() -> None:
    twist = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(pose_from_twist(twist).detach(), IDENTITY)
    jacobian = torch.autograd.functional.jacobian(pose_from_twist, twist)
    assert float(jacobian[0, 3, 0]) == 1.0  # shift along x
    assert float(jacobian[1, 0, 5]) == 1.0  # turn about z: x towards y
    assert float(jacobian[0, 1, 5]) == -1.0


def test_a_twist_is_a_screw_motion() -> None:
    # a quarter turn about z while moving: the rig drives a quarter circle of radius 2 (arc length pi)
    twist = torch.tensor([math.pi, 0.0, 0.0, 0.0, 0.0, math.pi / 2], dtype=torch.float64)
    pose = pose_from_twist(twist)
    torch.testing.assert_close(pose[:3, 3], torch.tensor([2.0, 2.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(pose[:3, :3], rotation_from_quaternion(about_z(math.pi / 2)))


def test_twists_of_any_size_give_rigid_motions() -> None:
    twists = 3 * torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    poses = pose_from_twist(twists)
    torch.testing.assert_close(poses @ inverse(poses), IDENTITY.expand(50, 4, 4), rtol=0, atol=1e-11)
    torch.testing.assert_close(pose_from_twist(-twists), inverse(poses), rtol=0, atol=1e-10)
