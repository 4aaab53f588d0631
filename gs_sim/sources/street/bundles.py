"""Bundles of neighbouring rays, and which primitives each bundle can meet.

A bundle is a group of rays with (nearly) one origin, or of parallel rays. Testing a few
planes around it against each primitive's box leaves a short list of pairs to intersect.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from gs_sim.sources.street.primitives import Primitives


@dataclass(frozen=True)
class Bundles:
    """b bundles of r rays; an axis of length one is shared by all rays of the bundle."""

    origins: Float[Tensor, "b 3 o"]
    directions: Float[Tensor, "b 3 d"]
    footprint: float
    """Width of a ray at a distance of one metre: the angle between neighbouring rays."""

    def select(self, chosen: Tensor) -> "Bundles":
        """These bundles."""
        return Bundles(self.origins[chosen], self.directions[chosen], self.footprint)


@dataclass(frozen=True)
class Pairs:
    """Which bundle may meet which primitive, sorted by bundle."""

    bundle: Int64[Tensor, "p"]
    primitive: Int64[Tensor, "p"]


def pairs_from(touches: Bool[Tensor, "b n"]) -> Pairs:
    """The true entries of a table."""
    bundle, primitive = touches.nonzero(as_tuple=True)
    return Pairs(bundle, primitive)


def central_pairs(bundles: Bundles, primitives: Primitives, range_m: float) -> Pairs:
    """Pairs of bundles that fan out from one place, by the four side planes of each bundle's pyramid."""
    first = bundles.origins.mean(2)
    spread_m = (bundles.origins - first[:, :, None]).norm(dim=1).amax()
    whole = _pyramid_touches(bundles.directions.transpose(0, 1).reshape(1, 3, -1), first[:1], primitives)
    distance_m = (primitives.centres - first[0]).norm(dim=1) - primitives.half_m.norm(dim=1)
    spread_all_m = (first - first[0]).norm(dim=1).amax() + spread_m
    is_wide = bool((bundles.directions.mean((0, 2)).norm()) < 0.6) or float(spread_all_m) > 0.01
    near = distance_m < range_m + spread_all_m
    chosen = (near if is_wide else near & whole[0]).nonzero()[:, 0]
    touches = _pyramid_touches(bundles.directions, first, primitives.select(chosen), float(spread_m))
    pairs = pairs_from(touches)
    return Pairs(pairs.bundle, chosen[pairs.primitive])


def _pyramid_touches(
    directions: Float[Tensor, "b 3 r"],
    origins: Float[Tensor, "b 3"],
    primitives: Primitives,
    margin_m: float = 0.0,
) -> Bool[Tensor, "b n"]:
    axis = torch.nn.functional.normalize(directions.mean(2), dim=1)
    helper = torch.zeros_like(axis)
    helper.scatter_(1, axis.abs().argmin(1, keepdim=True), 1.0)
    side = torch.nn.functional.normalize(torch.linalg.cross(axis, helper), dim=1)
    other = torch.linalg.cross(axis, side)
    local = torch.bmm(torch.stack([axis, side, other], dim=1), directions)
    u, v = local[:, 1] / local[:, 0].clamp(min=1e-3), local[:, 2] / local[:, 0].clamp(min=1e-3)
    planes = torch.stack(
        [
            side - u.amin(1, keepdim=True) * axis,
            u.amax(1, keepdim=True) * axis - side,
            other - v.amin(1, keepdim=True) * axis,
            v.amax(1, keepdim=True) * axis - other,
            axis,
        ],
        dim=1,
    )
    planes = torch.nn.functional.normalize(planes, dim=2)
    reach = torch.zeros(len(planes), 5, len(primitives), device=planes.device)
    axes = primitives.rotations * primitives.half_m[:, None, :]
    for k in range(3):
        reach += (planes @ axes[:, :, k].T).abs()
    offset = (planes * origins[:, None]).sum(-1, keepdim=True)
    return ((planes @ primitives.centres.T - offset + reach) >= -margin_m).all(1)


def parallel_pairs(bundles: Bundles, primitives: Primitives) -> Pairs:
    """Pairs of bundles whose rays all run in one direction, by their extent across it."""
    along = bundles.directions[0, :, 0]
    helper = torch.zeros_like(along)
    helper[along.abs().argmin()] = 1.0
    side = torch.nn.functional.normalize(torch.linalg.cross(along, helper), dim=0)
    frame = torch.stack([side, torch.linalg.cross(along, side), along])
    local = torch.einsum("ij,bjr->bir", frame, bundles.origins)
    low, high = local.amin(2), local.amax(2)
    centres = primitives.centres @ frame.T
    reach = ((frame @ primitives.rotations) * primitives.half_m[:, None, :]).abs().sum(2)
    touches = (centres + reach)[None, :, 2] > low[:, 2, None]
    for k in range(2):
        touches &= (low[:, k, None] < (centres + reach)[None, :, k]) & (
            high[:, k, None] > (centres - reach)[None, :, k]
        )
    return pairs_from(touches)
