"""The rig's pose at a sensor's stamp: sensors start and stop a moment before and after the path."""

from jaxtyping import Float64
from torch import Tensor

from gs_sim.geometry.trajectory import Trajectory, pose_at

MIN_CONTINUATION_NS = 50_000_000


def continuation_ns(world_from_rig: Trajectory) -> int:
    """How far beyond its ends a path may be continued: one pose period, at least 50 ms."""
    steps = max(1, len(world_from_rig.stamps_ns) - 1)
    return max(MIN_CONTINUATION_NS, (world_from_rig.end_ns - world_from_rig.start_ns) // steps)


def is_covered(world_from_rig: Trajectory, stamp_ns: int) -> bool:
    """Whether `rig_pose_at` has an answer."""
    reach_ns = continuation_ns(world_from_rig)
    return world_from_rig.start_ns - reach_ns <= stamp_ns <= world_from_rig.end_ns + reach_ns


def rig_pose_at(world_from_rig: Trajectory, stamp_ns: int) -> Float64[Tensor, "4 4"]:
    """The rig's pose, continued at constant velocity just beyond the path's ends.

    Raises:
        OutsideTrajectoryError: the stamp lies further outside.
    """
    return pose_at(world_from_rig, stamp_ns, continuation_ns(world_from_rig))
