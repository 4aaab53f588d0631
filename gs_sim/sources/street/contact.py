"""Darkening of the ground beside and below things that stand on it: the light that a contact keeps away.

A shadow of the whole sky would need many rays per pixel; for upright boxes the distance to
their footprint tells nearly the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Footprints:
    """n rectangles on the ground, in the world's plan."""

    centres: Float[Tensor, "n 2"]
    forward: Float[Tensor, "n 2"]
    """Unit vector along the rectangle's x."""
    half_m: Float[Tensor, "n 2"]
    strength: Float[Tensor, "n"]
    """Share of the ambient light lost at the rectangle's edge."""
    reach_m: Float[Tensor, "n"]
    """Distance at which the loss has fallen to a third."""


def footprints_of(
    poses: Float[Tensor, "n 4 4"], sizes_m: Float[Tensor, "n 3"], strength: float, reach_m: float
) -> Footprints:
    """Footprints of boxes by `world_from_box` and length, width, height."""
    forward = torch.nn.functional.normalize(poses[:, :2, 0].float(), dim=1)
    ones = torch.ones(len(poses))
    return Footprints(poses[:, :2, 3].float(), forward, 0.5 * sizes_m[:, :2], strength * ones, reach_m * ones)


def join_footprints(sets: list[Footprints], device: str) -> Footprints:
    """All of them, on a device."""
    names = ("centres", "forward", "half_m", "strength", "reach_m")
    return Footprints(*(torch.cat([getattr(part, name).to(device) for part in sets]) for name in names))


def open_share(footprints: Footprints, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
    """Share of the ambient light that arrives at points on the ground."""
    if len(positions) == 0 or len(footprints.centres) == 0:
        return torch.ones_like(positions[:, 0])
    plan = positions[:, :2]
    low, high = plan.amin(0), plan.amax(0)
    extent = footprints.half_m.norm(dim=1, keepdim=True) + 3 * footprints.reach_m[:, None]
    near = ((footprints.centres + extent > low) & (footprints.centres - extent < high)).all(1).nonzero()[:, 0]
    share = torch.ones_like(plan[:, 0])
    for k in near.tolist():
        offset, forward = plan - footprints.centres[k], footprints.forward[k]
        along = (offset @ forward).abs() - footprints.half_m[k, 0]
        across = (offset[:, 0] * forward[1] - offset[:, 1] * forward[0]).abs() - footprints.half_m[k, 1]
        outside_m = torch.hypot(along.clamp(min=0), across.clamp(min=0))
        inside_m = torch.minimum(-along, -across).clamp(min=0)
        loss = footprints.strength[k] * torch.exp(-outside_m / footprints.reach_m[k])
        loss = loss + (0.96 - footprints.strength[k]) * (1 - torch.exp(-inside_m / 0.25))
        share = share * (1 - loss)
    return share
