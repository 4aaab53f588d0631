"""How a run went, by what the simulator says of the vehicle."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from gs_sim.nodes.examples.footprint import Corners, distance_m, rectangle

STILL_M = 0.01
"""Who moves less than this between two looks stands."""
BRAKED = 0.9
"""A speed below this share of the highest one means that the vehicle braked."""


class Passage(NamedTuple):
    """Where the vehicle was at a moment."""

    stamp_ns: int
    map_from_base: Float64[Tensor, "4 4"]


@dataclass(frozen=True)
class Outcome:
    """One run in numbers."""

    name: str
    has_obstacle: bool
    has_stopped: bool
    smallest_gap_m: float | None
    """Between the vehicle and the obstacle, from above; None without one."""
    num_collisions: int
    """Times that the two began to touch."""
    highest_mps: float
    lowest_mps: float
    driven_m: float
    num_steps: int
    num_images: int
    simulated_s: float
    wall_s: float


@dataclass
class Drive:
    """The passages of one run, as they come."""

    size_m: tuple[float, float, float]
    front_m: float
    """From base_link to the front bumper."""
    obstacle: Corners | None
    _passages: list[Passage] = field(default_factory=list)
    _gaps_m: list[float] = field(default_factory=list)

    def add(self, passage: Passage) -> None:
        """Take the next one."""
        self._passages.append(passage)
        if self.obstacle is not None:
            length_m, width_m, _ = self.size_m
            own = rectangle(passage.map_from_base, (self.front_m - length_m, self.front_m), width_m)
            self._gaps_m.append(distance_m(own, self.obstacle))

    @property
    def seconds(self) -> float:
        """Simulated time so far."""
        return (self._passages[-1].stamp_ns - self._passages[0].stamp_ns) / 1e9

    @property
    def advances_m(self) -> list[float]:
        """From each passage to the next."""
        places = np.array([passage.map_from_base[:3, 3].numpy() for passage in self._passages])
        return [float(each) for each in np.linalg.norm(np.diff(places, axis=0), axis=1)]

    def has_stood(self, seconds: float) -> bool:
        """Whether it has not moved for so long."""
        return self._still_s() >= seconds

    def outcome(self, name: str, num_steps: int, num_images: int, wall_s: float) -> Outcome:
        """The run in numbers."""
        stamps_ns = np.array([passage.stamp_ns for passage in self._passages])
        advances_m = self.advances_m
        speeds_mps = np.array(advances_m) / (np.diff(stamps_ns) / 1e9)
        is_touching = np.array([False, *(gap_m == 0 for gap_m in self._gaps_m)])
        return Outcome(
            name=name,
            has_obstacle=self.obstacle is not None,
            has_stopped=self._still_s() > 0,
            smallest_gap_m=min(self._gaps_m, default=None),
            num_collisions=int(np.count_nonzero(is_touching[1:] & ~is_touching[:-1])),
            highest_mps=float(speeds_mps.max()),
            lowest_mps=float(speeds_mps.min()),
            driven_m=sum(advances_m),
            num_steps=num_steps,
            num_images=num_images,
            simulated_s=self.seconds,
            wall_s=wall_s,
        )

    def _still_s(self) -> float:
        moving = [index for index, advance_m in enumerate(self.advances_m) if advance_m > STILL_M]
        last = moving[-1] + 1 if moving else 0
        return (self._passages[-1].stamp_ns - self._passages[last].stamp_ns) / 1e9


def faults(outcomes: Sequence[Outcome]) -> list[str]:
    """What the vehicle did wrong, one sentence each."""
    found = []
    for run in outcomes:
        if run.num_images == 0:
            found.append(f"{run.name}: no image came")
        if run.highest_mps < 0.5:
            found.append(f"{run.name}: the vehicle never drove")
        if run.has_obstacle:
            if run.num_collisions:
                found.append(f"{run.name}: the vehicle ran into it")
            if not run.has_stopped:
                found.append(f"{run.name}: the vehicle did not stop within {run.simulated_s:.1f} s")
        elif run.lowest_mps < BRAKED * run.highest_mps:
            found.append(f"{run.name}: the vehicle braked for nothing, down to {run.lowest_mps:.1f} m/s")
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """Runs side by side, for people."""
    rows = [["", *(run.name for run in outcomes)]]
    rows.append(["stopped", *("yes" if run.has_stopped else "no" for run in outcomes)])
    gaps_m = [run.smallest_gap_m for run in outcomes]
    rows.append(["smallest gap, m", *("-" if gap_m is None else f"{gap_m:.2f}" for gap_m in gaps_m)])
    rows.append(["collisions", *(str(run.num_collisions) for run in outcomes)])
    rows.append(["speed, m/s", *(f"{run.lowest_mps:.2f} to {run.highest_mps:.2f}" for run in outcomes)])
    rows.append(["driven, m", *(f"{run.driven_m:.2f}" for run in outcomes)])
    rows.append(["steps", *(str(run.num_steps) for run in outcomes)])
    rows.append(["images", *(str(run.num_images) for run in outcomes)])
    rows.append(["simulated, s", *(f"{run.simulated_s:.2f}" for run in outcomes)])
    rows.append(["real time, s", *(f"{run.wall_s:.2f}" for run in outcomes)])
    rows.append(["real-time factor", *(f"{run.simulated_s / max(run.wall_s, 1e-9):.2f}" for run in outcomes)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows)
