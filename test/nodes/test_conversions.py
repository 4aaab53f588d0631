"""Core types as messages."""

import pytest
import torch

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from gs_sim.geometry.pose import pose_from_twist, quaternion_from_rotation
from gs_sim.nodes.ros.conversions import buffer, pose_message, time_message, time_ns
from gs_sim.sources.messages.pose import pose_from_message

pytestmark = pytest.mark.ros


def random_poses() -> torch.Tensor:
    """Rotations of every kind: near none, near half a turn about each axis, and anything."""
    generator = torch.Generator().manual_seed(3)
    anything = 4 * torch.randn(200, 6, generator=generator, dtype=torch.float64)
    half_turns = torch.zeros(7, 6, dtype=torch.float64)
    half_turns[1:4, 3:] = (torch.pi - 1e-9) * torch.eye(3, dtype=torch.float64)
    half_turns[4:7, 3:] = torch.pi * torch.eye(3, dtype=torch.float64)
    poses: torch.Tensor = pose_from_twist(torch.cat([anything, half_turns, 1e-9 * anything[:3]]))
    return poses


def test_a_pose_survives_the_way_through_a_message() -> None:
    for pose in random_poses():
        message = pose_message(pose)
        assert torch.allclose(pose_from_message(message), pose, atol=1e-9)
        assert message.orientation.w >= 0
        wxyz = torch.tensor(
            [message.orientation.w, message.orientation.x, message.orientation.y, message.orientation.z],
            dtype=torch.float64,
        )
        assert abs(float(wxyz @ quaternion_from_rotation(pose[:3, :3]))) == pytest.approx(1.0)


def test_stamps_survive_to_the_nanosecond() -> None:
    for stamp_ns in (0, 999_999_999, 1_700_000_000_123_456_789):
        assert time_ns(time_message(stamp_ns)) == stamp_ns


def test_a_buffer_is_what_rclpy_takes_without_a_copy() -> None:
    filled = buffer(torch.arange(6, dtype=torch.float32).reshape(2, 3).numpy())
    assert (filled.typecode, len(filled)) == ("B", 24)
