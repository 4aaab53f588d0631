"""When a path is known: poses are interpolated within it, continued a little beyond it, and never guessed."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from gs_sim.geometry.trajectory import Trajectory, pose_at


def reach_of(path: Trajectory, max_extrapolation_s: float) -> int:
    """How far beyond its ends a path is continued, in ns: the setting, or half a pose period if that is longer."""
    period_ns = int(path.stamps_ns.diff().median()) if len(path.stamps_ns) > 1 else 0
    return max(round(max_extrapolation_s * 1e9), period_ns // 2)


def is_known(path: Trajectory, stamps_ns: Int64[Tensor, "n"], reach_ns: int, max_gap_ns: int) -> Bool[Tensor, "n"]:
    """At which stamps a pose is known: at most `reach_ns` outside the path, and not in a gap of more than `max_gap_ns`."""
    is_near = (stamps_ns >= path.start_ns - reach_ns) & (stamps_ns <= path.end_ns + reach_ns)
    if len(path.stamps_ns) < 2:
        return is_near
    after = torch.searchsorted(path.stamps_ns, stamps_ns).clamp(1, len(path.stamps_ns) - 1)
    gap_ns = path.stamps_ns[after] - path.stamps_ns[after - 1]
    is_inside = (stamps_ns > path.start_ns) & (stamps_ns < path.end_ns)
    return is_near & ~(is_inside & (gap_ns > max_gap_ns))


def covering(path: Trajectory, stamps_ns: Int64[Tensor, "n"], reach_ns: int) -> Trajectory:
    """The path continued at constant velocity to the first and last of some stamps, so that it covers them all.

    Raises:
        OutsideTrajectoryError: a stamp lies further outside than `reach_ns`.
    """
    if not len(stamps_ns):
        return path
    start_ns, end_ns = int(stamps_ns.min()), int(stamps_ns.max())
    before = [start_ns] if start_ns < path.start_ns else []
    after = [end_ns] if end_ns > path.end_ns else []
    poses = [pose_at(path, stamp, reach_ns)[None] for stamp in before + after]
    return Trajectory(
        torch.cat([torch.tensor(before, dtype=torch.int64), path.stamps_ns, torch.tensor(after, dtype=torch.int64)]),
        torch.cat([*poses[: len(before)], path.poses, *poses[len(before) :]]),
    )
