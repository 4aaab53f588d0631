"""Poses and transforms: xyzw quaternions of ROS to 4x4 matrices."""

import math
from array import array
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.geometry.pose import pose_from, rotation_from_quaternion
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.messages.header import stamp_ns

SMALLEST_NORM = 1e-3
"""A quaternion shorter than this is not a rotation that was rounded, but one that was never set."""


def pose_from_fields(position: Any, orientation: Any) -> Float64[Tensor, "4 4"]:
    """A pose from a point or vector and an xyzw quaternion, which is normalised.

    Raises:
        MessageError: a value is not finite, or the quaternion has no length.
    """
    x, y, z, qw, qx, qy, qz = pose_values(position, orientation)
    # in plain numbers: ten times faster than torch for one pose, and a bag holds many
    w, i, j, k = (value / math.hypot(qw, qx, qy, qz) for value in (qw, qx, qy, qz))
    return torch.tensor(
        [
            [1 - 2 * (j * j + k * k), 2 * (i * j - w * k), 2 * (i * k + w * j), x],
            [2 * (i * j + w * k), 1 - 2 * (i * i + k * k), 2 * (j * k - w * i), y],
            [2 * (i * k - w * j), 2 * (j * k + w * i), 1 - 2 * (i * i + j * j), z],
            [0.0, 0.0, 0.0, 1.0],
        ],
        dtype=torch.float64,
    )


def pose_values(position: Any, orientation: Any) -> tuple[float, ...]:
    """The seven numbers x y z, qw qx qy qz of a usable pose; raises as `pose_from_fields`."""
    xyz = (position.x, position.y, position.z)
    wxyz = (orientation.w, orientation.x, orientation.y, orientation.z)
    if not all(math.isfinite(value) for value in (*xyz, *wxyz)):
        raise MessageError(f"a pose is not finite: position {xyz}, quaternion wxyz {wxyz}")
    if math.hypot(*wxyz) < SMALLEST_NORM:
        raise MessageError(f"a pose has the quaternion wxyz {wxyz}, which is no rotation; its sender never set it")
    return (*xyz, *wxyz)


def pose_from_message(pose: Any) -> Float64[Tensor, "4 4"]:
    """A `geometry_msgs/Pose`."""
    return pose_from_fields(pose.position, pose.orientation)


def child_frame_id(message: Any) -> str:
    """The child of a transform or odometry; empty for messages that do not name it (`PoseStamped`)."""
    return str(getattr(message, "child_frame_id", "")).lstrip("/")


class PoseColumns:
    """A growing table of stamped poses, 64 bytes each: bags hold millions of transforms."""

    def __init__(self) -> None:
        self._stamps_ns = array("q")
        self._values = array("d")

    def __len__(self) -> int:
        return len(self._stamps_ns)

    def add_transform(self, message: Any) -> None:
        """Add a `TransformStamped`; raises as `pose_from_fields`."""
        self._values.extend(pose_values(message.transform.translation, message.transform.rotation))
        self._stamps_ns.append(stamp_ns(message.header))

    def add_vehicle_pose(self, message: Any) -> None:
        """Add an `Odometry`, `PoseStamped` or `PoseWithCovarianceStamped`; raises as `pose_from_fields`."""
        pose = message.pose.pose if hasattr(message.pose, "pose") else message.pose
        self._values.extend(pose_values(pose.position, pose.orientation))
        self._stamps_ns.append(stamp_ns(message.header))

    def trajectory(self) -> Trajectory:
        """The poses sorted by time; of equal stamps the last one counts."""
        stamps = np.frombuffer(self._stamps_ns, dtype=np.int64)
        # np.unique keeps the first of equals: from behind, that is the last
        _, from_behind = np.unique(stamps[::-1], return_index=True)
        rows = len(stamps) - 1 - from_behind
        values = torch.from_numpy(np.frombuffer(self._values, dtype=np.float64).reshape(-1, 7)[rows].copy())
        return Trajectory(
            torch.from_numpy(stamps[rows].copy()),
            pose_from(rotation_from_quaternion(values[:, 3:]), values[:, :3]),
        )
