"""A moving frame: poses at known times, interpolated between them, never silently beyond them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.errors import InputError, OutsideTrajectoryError
from gs_sim.geometry.pose import pose_from, quaternion_from_rotation, rotation_from_quaternion, slerp


@dataclass(frozen=True)
class Trajectory:
    """Poses `parent_from_child` of one moving frame at strictly increasing stamps."""

    stamps_ns: Int64[Tensor, "t"]
    poses: Float64[Tensor, "t 4 4"]

    def __post_init__(self) -> None:
        if len(self.stamps_ns) == 0:
            raise InputError("a trajectory needs at least one pose, none was given")
        if not bool((self.stamps_ns[1:] > self.stamps_ns[:-1]).all()):
            raise InputError("the stamps of a trajectory must strictly increase; sort and deduplicate them first")
        if not bool(self.poses.isfinite().all()):
            raise InputError("a trajectory holds a pose that is not finite (NaN or infinite)")

    @property
    def start_ns(self) -> int:
        """Stamp of the first pose."""
        return int(self.stamps_ns[0])

    @property
    def end_ns(self) -> int:
        """Stamp of the last pose."""
        return int(self.stamps_ns[-1])


def poses_at(
    trajectory: Trajectory, stamps_ns: Int64[Tensor, "n"], max_extrapolation_ns: int = 0
) -> Float64[Tensor, "n 4 4"]:
    """Interpolate poses: translation linearly, rotation by slerp.

    A stamp beyond an end by at most `max_extrapolation_ns` continues the nearest segment at
    constant velocity (a single pose is held).

    Raises:
        OutsideTrajectoryError: a stamp lies further outside.
    """
    known = trajectory.stamps_ns
    beyond = torch.maximum(known[0] - stamps_ns, stamps_ns - known[-1])
    if len(beyond) and int(beyond.max()) > max_extrapolation_ns:
        worst = int(stamps_ns[beyond.argmax()])
        raise OutsideTrajectoryError(
            f"a pose was asked for at {worst} ns, {int(beyond.max()) / 1e9:.3f} s outside the trajectory "
            f"({trajectory.start_ns} to {trajectory.end_ns} ns)"
        )
    if len(known) == 1:
        return trajectory.poses.expand(len(stamps_ns), 4, 4).clone()
    after = torch.searchsorted(known, stamps_ns).clamp(1, len(known) - 1)
    before = after - 1
    fraction = (stamps_ns - known[before]).double() / (known[after] - known[before]).double()
    return between(trajectory.poses[before], trajectory.poses[after], fraction)


def between(
    start: Float64[Tensor, "n 4 4"], end: Float64[Tensor, "n 4 4"], fraction: Float64[Tensor, "n"]
) -> Float64[Tensor, "n 4 4"]:
    """Poses between two, or beyond them: translation linearly, rotation by slerp."""
    translation = torch.lerp(start[:, :3, 3], end[:, :3, 3], fraction[:, None])
    quaternions = quaternion_from_rotation(torch.stack([start[:, :3, :3], end[:, :3, :3]]))
    quaternion = slerp(quaternions[0], quaternions[1], fraction)
    return pose_from(rotation_from_quaternion(quaternion), translation)


def poses_of(trajectories: Sequence[Trajectory], stamp_ns: int) -> Float64[Tensor, "n 4 4"]:
    """Where several moving frames are at one moment, each held at the ends of its path.

    One computation for all: with tens of actors, one after the other would take as long as drawing them.
    """
    if not trajectories:
        return torch.zeros(0, 4, 4, dtype=torch.float64)
    starts, ends, fractions = [], [], []
    for trajectory in trajectories:
        known = trajectory.stamps_ns
        after = min(max(int(torch.searchsorted(known, stamp_ns)), 1), len(known) - 1)
        before = max(after - 1, 0)
        starts.append(trajectory.poses[before])
        ends.append(trajectory.poses[after])
        span_ns = int(known[after] - known[before])
        fractions.append(min(max((stamp_ns - int(known[before])) / span_ns, 0.0), 1.0) if span_ns else 0.0)
    return between(torch.stack(starts), torch.stack(ends), torch.tensor(fractions, dtype=torch.float64))


def pose_at(trajectory: Trajectory, stamp_ns: int, max_extrapolation_ns: int = 0) -> Float64[Tensor, "4 4"]:
    """Interpolate one pose; see `poses_at`."""
    return poses_at(trajectory, torch.tensor([stamp_ns], dtype=torch.int64), max_extrapolation_ns)[0]
