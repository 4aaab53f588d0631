"""The last seconds of /tf while they come in; `transforms.py` answers from them."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.messages.header import frame_id, stamp_ns
from gs_sim.sources.messages.pose import child_frame_id, pose_from_fields
from gs_sim.sources.transforms import Link, TransformTree, chain_between, poses_between

KEPT = 500
"""Transforms kept of each moving link: five seconds at 100 Hz."""
MAX_EXTRAPOLATION_NS = 200_000_000
"""A transform this much older than the moment asked for still serves, continued at its own speed."""
MAX_LINKS = 2000


class _Sample(NamedTuple):
    stamp_ns: int
    parent_from_child: Float64[Tensor, "4 4"]


class TransformBuffer:
    """Grows by messages, forgets what is old."""

    def __init__(self) -> None:
        self._static: dict[Link, Float64[Tensor, "4 4"]] = {}
        self._moving: dict[Link, deque[_Sample]] = {}
        self.num_unusable = 0
        """Transforms that were not finite, no rotation, or one link too many."""

    def add(self, message: Any, *, is_static: bool) -> None:
        """Take the transforms of one `TFMessage`; a stamp before the last one empties its link (the clock went back)."""
        for transform in message.transforms:
            link = (frame_id(transform.header), child_frame_id(transform))
            try:
                pose = pose_from_fields(transform.transform.translation, transform.transform.rotation)
            except MessageError:
                self.num_unusable += 1
                continue
            known: Iterable[Link] = self._static if is_static else self._moving
            if link not in known and len(self._static) + len(self._moving) >= MAX_LINKS:
                self.num_unusable += 1
            elif is_static:
                self._static[link] = pose
            else:
                samples = self._moving.setdefault(link, deque(maxlen=KEPT))
                stamp = stamp_ns(transform.header)
                if samples and stamp < samples[-1].stamp_ns:
                    samples.clear()
                if not samples or stamp > samples[-1].stamp_ns:
                    samples.append(_Sample(stamp, pose))

    def latest_ns(self, target: str, source: str) -> int | None:
        """The newest moment at which all moving links between two frames are known; None if they never move.

        Raises:
            FrameLinkError: the frames are not connected.
        """
        chain = chain_between(self._tree_at(None), target, source)
        stamps = [self._moving[step.link][-1].stamp_ns for step in chain if step.link in self._moving]
        return min(stamps, default=None)

    def lookup(self, target: str, source: str, at_ns: int) -> Float64[Tensor, "4 4"]:
        """`target_from_source` at a moment.

        Raises:
            FrameLinkError: the frames are not connected.
            OutsideTrajectoryError: a moving link is not known then.
        """
        if target == source:
            return torch.eye(4, dtype=torch.float64)
        moment = torch.tensor([at_ns], dtype=torch.int64)
        return poses_between(self._tree_at(at_ns), target, source, moment, MAX_EXTRAPOLATION_NS)[0]

    def _tree_at(self, at_ns: int | None) -> TransformTree:
        """A tree with the two samples of each moving link around a moment, or its last one."""
        moving = {}
        for link, samples in self._moving.items():
            index = len(samples) if at_ns is None else bisect_left(samples, at_ns, key=lambda sample: sample.stamp_ns)
            last = min(max(index, 1), len(samples) - 1)
            around = [samples[i] for i in range(max(0, last - 1), last + 1)]
            stamps_ns = torch.tensor([sample.stamp_ns for sample in around], dtype=torch.int64)
            moving[link] = Trajectory(stamps_ns, torch.stack([sample.parent_from_child for sample in around]))
        static = {link: pose for link, pose in self._static.items() if link not in moving}
        return TransformTree(static, moving)
