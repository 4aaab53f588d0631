"""One tracked object of a drive: a box that moves."""

from dataclasses import dataclass

from gs_sim.geometry.trajectory import Trajectory


@dataclass(frozen=True)
class Track:
    """A box with constant size; its frame has the origin in the box centre, x forward, y left, z up."""

    actor_id: str
    label: str
    """Class name as the detector gave it, lower case: car, van, pedestrian, ..."""
    size_m: tuple[float, float, float]
    """Length (x), width (y), height (z)."""
    world_from_box: Trajectory
