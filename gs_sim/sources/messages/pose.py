"""Poses and transforms: xyzw quaternions of ROS to 4x4 matrices."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.geometry.pose import pose_from, rotation_from_quaternion
from gs_sim.sources.messages.header import frame_id, stamp_ns

SMALLEST_NORM = 1e-3
"""A quaternion shorter than this is not a rotation that was rounded, but one that was never set."""


@dataclass(frozen=True)
class StampedPose:
    """Where one frame was in another."""

    stamp_ns: int
    parent: str
    child: str
    """Empty for messages that do not name it (`PoseStamped`)."""
    parent_from_child: Float64[Tensor, "4 4"]


def pose_from_fields(position: Any, orientation: Any) -> Float64[Tensor, "4 4"]:
    """A pose from a point or vector and an xyzw quaternion, which is normalised.

    Raises:
        MessageError: a value is not finite, or the quaternion has no length.
    """
    xyz = (position.x, position.y, position.z)
    wxyz = (orientation.w, orientation.x, orientation.y, orientation.z)
    if not all(math.isfinite(value) for value in (*xyz, *wxyz)):
        raise MessageError(f"a pose is not finite: position {xyz}, quaternion wxyz {wxyz}")
    if math.hypot(*wxyz) < SMALLEST_NORM:
        raise MessageError(f"a pose has the quaternion wxyz {wxyz}, which is no rotation; its sender never set it")
    rotation = rotation_from_quaternion(torch.tensor(wxyz, dtype=torch.float64))
    return pose_from(rotation, torch.tensor(xyz, dtype=torch.float64))


def pose_from_message(pose: Any) -> Float64[Tensor, "4 4"]:
    """A `geometry_msgs/Pose`."""
    return pose_from_fields(pose.position, pose.orientation)


def transform_from_message(message: Any) -> StampedPose:
    """A `geometry_msgs/TransformStamped`."""
    transform = message.transform
    return StampedPose(
        stamp_ns(message.header),
        frame_id(message.header),
        str(message.child_frame_id).lstrip("/"),
        pose_from_fields(transform.translation, transform.rotation),
    )


def vehicle_pose_from_message(message: Any) -> StampedPose:
    """An `Odometry`, `PoseStamped` or `PoseWithCovarianceStamped`."""
    pose = message.pose.pose if hasattr(message.pose, "pose") else message.pose
    return StampedPose(
        stamp_ns(message.header),
        frame_id(message.header),
        str(getattr(message, "child_frame_id", "")).lstrip("/"),
        pose_from_message(pose),
    )
