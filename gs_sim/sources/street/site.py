"""The ground on which a street is built: its line, its plan across, and who drives where."""

from dataclasses import dataclass

from gs_sim.sources.street.ground import GroundPlan
from gs_sim.sources.street.road_line import RoadLine


@dataclass(frozen=True)
class Lanes:
    """Where vehicles drive; d in metres, left positive."""

    ego_d_m: float
    same_way_m: tuple[float, ...]
    """Lane centres in the ego's direction, the ego's own included."""
    oncoming_m: tuple[float, ...]


@dataclass(frozen=True)
class Site:
    """What everything that stands or drives on the street is placed by."""

    line: RoadLine
    plan: GroundPlan
    lanes: Lanes
