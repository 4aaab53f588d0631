"""Small corrections of the logged rig poses, learned with the scene.

Odometry and GNSS drift by centimetres, which blurs what several views see. The correction is a
smooth function of time (twists at knots, linear between them), so that it also holds for frames
that reconstruction never sees, and it is shared by all cameras of the rig.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from gs_sim.errors import ConfigError
from gs_sim.geometry.pose import pose_from_twist
from gs_sim.geometry.trajectory import Trajectory, poses_at


@dataclass(frozen=True)
class PoseSettings:
    """How far and how freely poses may be corrected."""

    knot_spacing_s: float = 0.2
    """Time between two knots; shorter follows faster errors and generalises less."""
    learning_rate: float = 3e-4
    """Adam step of the twists (metres and radians x 10); 0 leaves the poses as logged."""
    smoothness: float = 1.0
    """Weight that keeps neighbouring knots alike."""

    def __post_init__(self) -> None:
        if self.knot_spacing_s <= 0:
            raise ConfigError(f"poses.knot_spacing_s must be positive, got {self.knot_spacing_s}")
        if self.learning_rate < 0:
            raise ConfigError(f"poses.learning_rate must not be negative, got {self.learning_rate}")


ROTATION_SCALE = 0.1
"""Knots store rotations in units of 0.1 rad, so that one learning rate suits metres and angles."""


@dataclass
class PoseKnots:
    """Corrections `rig_from_corrected` at evenly spaced times."""

    start_ns: int
    spacing_ns: int
    twists: Float[Tensor, "k 6"]


def knots_over(start_ns: int, end_ns: int, settings: PoseSettings) -> PoseKnots:
    """Knots at zero over a time span."""
    spacing_ns = round(settings.knot_spacing_s * 1e9)
    count = -(-(end_ns - start_ns) // spacing_ns) + 1
    return PoseKnots(start_ns, spacing_ns, torch.zeros(max(2, count), 6))


def corrections_at(knots: PoseKnots, stamps_ns: Int64[Tensor, "n"]) -> Float64[Tensor, "n 4 4"]:
    """Corrections at moments, differentiable in the knots; beyond the ends the last knot holds."""
    position = ((stamps_ns - knots.start_ns).double() / knots.spacing_ns).clamp(0, len(knots.twists) - 1)
    before = position.floor().long().clamp(max=len(knots.twists) - 2)
    fraction = (position - before)[:, None]
    twists = knots.twists.double()
    twist = twists[before] * (1 - fraction) + twists[before + 1] * fraction
    scale = torch.tensor([1.0] * 3 + [ROTATION_SCALE] * 3, dtype=torch.float64)
    return pose_from_twist(twist * scale)


def roughness(knots: PoseKnots) -> Float[Tensor, ""]:
    """Mean squared second difference of the knots, plus a weak pull to zero against drift of the whole path."""
    bend = knots.twists[2:] - 2 * knots.twists[1:-1] + knots.twists[:-2]
    return (bend**2).sum() / max(1, len(bend)) + 1e-2 * (knots.twists.mean(dim=0) ** 2).sum()


def refined_trajectory(
    world_from_rig: Trajectory, knots: PoseKnots, stamps_ns: Int64[Tensor, "n"], max_extrapolation_ns: int
) -> Trajectory:
    """The corrected path at the logged stamps and at these further ones."""
    with torch.no_grad():
        every = torch.unique(torch.cat([world_from_rig.stamps_ns, stamps_ns]))
        logged = poses_at(world_from_rig, every, max_extrapolation_ns)
        return Trajectory(every, logged @ corrections_at(knots, every))
