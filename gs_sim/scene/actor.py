"""A movable object: Gaussians in its box and the path of that box."""

from dataclasses import dataclass

from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.gaussians import Gaussians


@dataclass(frozen=True)
class Actor:
    """A rigid object; it exists from the first to the last stamp of its trajectory.

    Its Gaussians carry no view dependence (spherical-harmonic degree 0), since the
    coefficients would have to turn with the box.
    """

    actor_id: str
    label: str
    size_m: tuple[float, float, float]
    """Length (x), width (y), height (z) of the box."""
    gaussians_box: Gaussians
    """In the box frame: origin in the centre, x forward, y left, z up."""
    world_from_box: Trajectory
