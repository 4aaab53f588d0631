"""The stamps of one stream of messages: which are kept where a clock stood still, leapt or went back."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


@dataclass(frozen=True)
class KeptStamps:
    """A strictly increasing part of the stamps of a stream."""

    stamps_ns: Int64[Tensor, "n"]
    log_ns: Int64[Tensor, "n"]
    """When each was recorded, to find it again in the bag."""
    uses_log_time: bool
    """The messages carry no stamps (all zero), so the time of recording stands in."""
    num_dropped: int


class StampColumns:
    """A growing table of stamps and times of recording."""

    def __init__(self) -> None:
        self._stamps_ns = array("q")
        self._log_ns = array("q")

    def __len__(self) -> int:
        return len(self._stamps_ns)

    def add(self, stamp_ns: int, log_ns: int) -> None:
        """Note one message."""
        self._stamps_ns.append(stamp_ns)
        self._log_ns.append(log_ns)

    def kept(self, is_usable: Sequence[bool]) -> KeptStamps:
        """The usable messages whose stamps increase, as many as can be kept."""
        log_ns = np.frombuffer(self._log_ns, dtype=np.int64)
        stamps_ns = np.frombuffer(self._stamps_ns, dtype=np.int64)
        uses_log_time = not stamps_ns.any()
        if uses_log_time:
            stamps_ns = log_ns
        usable = np.flatnonzero(np.asarray(is_usable, dtype=bool))
        chosen = usable[longest_increasing(stamps_ns[usable].tolist())]
        return KeptStamps(
            torch.from_numpy(stamps_ns[chosen].copy()),
            torch.from_numpy(log_ns[chosen].copy()),
            uses_log_time,
            len(usable) - len(chosen),
        )


def longest_increasing(values: Sequence[int]) -> list[int]:
    """Positions of a longest strictly increasing subsequence (Fredman 1975, by patience sorting).

    A stream without disorder is kept whole; a single leap into the future costs one message, not all that follow.

    >>> longest_increasing([1, 2, 2, 99, 3, 4])
    [0, 1, 4, 5]
    """
    tails: list[int] = []
    tail_positions: list[int] = []
    previous: list[int] = []
    for position, value in enumerate(values):
        length = bisect_left(tails, value)
        previous.append(tail_positions[length - 1] if length else -1)
        # of equal stamps the first stays, as a stream meets it first
        if length == len(tails):
            tails.append(value)
            tail_positions.append(position)
        elif tails[length] != value:
            tails[length] = value
            tail_positions[length] = position
    chosen = []
    position = tail_positions[-1] if tail_positions else -1
    while position >= 0:
        chosen.append(position)
        position = previous[position]
    return chosen[::-1]
