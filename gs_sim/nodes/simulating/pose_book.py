"""Poses of the vehicle that others give in lock-step, each for one tick of /clock."""

from jaxtyping import Float64
from torch import Tensor

KEPT_POSES = 1000
"""Poses of past ticks that no camera looked in."""


class PoseBook:
    """Keeps what was heard until its step takes it; used under the host's lock."""

    def __init__(self) -> None:
        self._poses: dict[int, Float64[Tensor, "4 4"]] = {}
        self._missed_ns: set[int] = set()
        self.num_late = 0
        """Poses for steps that had given up on them."""
        self.num_ahead = 0
        """Poses for ticks that have not been: of a run before a reset, or by another clock."""
        self._newest_ahead_ns = 0

    def hear(self, stamp_ns: int, map_from_base: Float64[Tensor, "4 4"], now_ns: int) -> None:
        """Note a pose; one from beyond now is refused, since nobody can have answered that tick."""
        if stamp_ns > now_ns:
            self.num_ahead += 1
            self._newest_ahead_ns = stamp_ns
            return
        if stamp_ns in self._missed_ns:
            self._missed_ns.remove(stamp_ns)
            self.num_late += 1
        self._poses[stamp_ns] = map_from_base
        while len(self._poses) > KEPT_POSES:
            del self._poses[min(self._poses)]

    def has(self, stamp_ns: int) -> bool:
        """Whether the pose of this tick is there."""
        return stamp_ns in self._poses

    def take(self, stamp_ns: int) -> Float64[Tensor, "4 4"]:
        """`map_from_base` of this tick; it and all older ones are forgotten."""
        map_from_base = self._poses[stamp_ns]
        self._poses = {stamp: pose for stamp, pose in self._poses.items() if stamp > stamp_ns}
        return map_from_base

    def miss(self, stamp_ns: int) -> str:
        """Give up on a tick; returns what was heard instead."""
        self._missed_ns.add(stamp_ns)
        if self.num_ahead and not self._poses:
            return (
                f"the newest was stamped {self._newest_ahead_ns / 1e9:.3f} s, which has not been: "
                "set use_sim_time in the node that sends it"
            )
        newest = max(self._poses, default=None)
        return "none came at all" if newest is None else f"the newest is of {newest / 1e9:.3f} s"

    def clear(self) -> None:
        """Forget all poses."""
        self._poses.clear()
        self._missed_ns.clear()
