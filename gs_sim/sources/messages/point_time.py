"""What the time field of a point cloud means, found from its values.

Drivers agree on nothing: seconds, micro- or nanoseconds, since the header's stamp, since the
epoch, or on the sensor's own clock. But a sweep lasts between 5 ms and 1 s, which leaves one
unit that fits, and absolute times are recognised by the stamp beside them.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

SHORTEST_SWEEP_S, LONGEST_SWEEP_S = 0.005, 1.0

UNITS_NS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}

FARTHEST_FROM_STAMP_NS = 10**9
"""A point further from its sweep's stamp than this has no usable time."""


@dataclass(frozen=True)
class PointTime:
    """How to read one LiDAR's point times."""

    unit: Literal["seconds", "milliseconds", "microseconds", "nanoseconds"]
    zero: Literal["header", "epoch", "first point"]
    """Where they count from; `first point` means a clock of its own, whose first point is taken as the stamp."""

    def __str__(self) -> str:
        since = {"header": "the stamp", "epoch": "1970", "first point": "the first point, by a clock of its own"}
        return f"{self.unit} since {since[self.zero]}"


def find_point_time(raw_times: np.ndarray[Any, np.dtype[Any]], stamp_ns: int) -> PointTime | None:
    """Find the unit and zero of one sweep's times; None if nothing fits (all equal, or spread over no known span)."""
    times = raw_times[np.isfinite(raw_times)] if raw_times.dtype.kind == "f" else raw_times
    if len(times) < 2:
        return None
    lowest, highest = times.min().item(), times.max().item()
    for unit, unit_ns in UNITS_NS.items():
        if SHORTEST_SWEEP_S <= (highest - lowest) * unit_ns * 1e-9 <= LONGEST_SWEEP_S:
            if abs(lowest * unit_ns - stamp_ns) < FARTHEST_FROM_STAMP_NS:
                return PointTime(unit, "epoch")  # type: ignore[arg-type]  # the keys of UNITS_NS are its literals
            if max(abs(lowest), abs(highest)) * unit_ns < FARTHEST_FROM_STAMP_NS:
                return PointTime(unit, "header")  # type: ignore[arg-type]
            return PointTime(unit, "first point")  # type: ignore[arg-type]
    return None


def point_stamps_ns(
    raw_times: np.ndarray[Any, np.dtype[Any]], stamp_ns: int, meaning: PointTime
) -> tuple[Int64[Tensor, "n"], int]:
    """When each point was measured, and how many points had no usable time and got the sweep's stamp instead."""
    unit_ns = UNITS_NS[meaning.unit]
    times: np.ndarray[Any, np.dtype[Any]]
    if not len(raw_times):
        return torch.zeros(0, dtype=torch.int64), 0
    if raw_times.dtype.kind == "f":
        is_usable = np.isfinite(raw_times)
        times = np.where(is_usable, raw_times, 0.0).astype(np.float64)
    else:
        is_usable = np.ones(len(raw_times), dtype=bool)
        times = raw_times.astype(np.int64)
    zero_ns = {"header": stamp_ns, "epoch": 0, "first point": stamp_ns}[meaning.zero]
    if meaning.zero == "first point" and is_usable.any():
        times = times - times[is_usable].min()
    if times.dtype.kind == "f":
        # whole seconds apart from the rest: together they would lose the last 200 ns
        whole = np.floor(times)
        offsets = whole.astype(np.int64) * unit_ns + np.rint((times - whole) * unit_ns).astype(np.int64)
    else:
        offsets = times * unit_ns
    stamps = zero_ns + offsets
    is_usable &= np.abs(stamps - stamp_ns) <= FARTHEST_FROM_STAMP_NS
    return torch.from_numpy(np.where(is_usable, stamps, stamp_ns)), int(len(stamps) - is_usable.sum())
