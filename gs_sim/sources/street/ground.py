"""Where rays meet the ground: a smooth height field with raised kerbs, marched and then refined.

The street's plan, in coordinates along (s) and across (d) the road, says where carriageway
ends and sidewalk begins; side streets cut into the sidewalk with rounded corners.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gs_sim.sources.street.road_line import RoadMap, height_at, road_at

SAFE_STEPS = (3, 8)
"""Steps for all rays, then for those that have not arrived yet."""
ARRIVED_M = 0.003
FARTHEST_M = 350.0


@dataclass(frozen=True)
class SideStreet:
    """A street that joins at a right angle to the road."""

    s_m: float
    """Where its middle meets the road."""
    half_width_m: float
    is_left: bool
    is_right: bool


@dataclass(frozen=True)
class GroundPlan:
    """Widths across the road, left positive; all in metres."""

    left_kerb_m: float
    """d of the left kerb, positive."""
    right_kerb_m: float
    """d of the right kerb, negative."""
    kerb_height_m: float
    corner_m: float
    """Radius of the kerb at side streets."""
    left_walk_m: float
    """Width of the left sidewalk."""
    right_walk_m: float
    setback_m: float
    """Depth of the gardens between sidewalk and houses; the sidewalk reaches the houses where it is 0."""
    side_streets: tuple[SideStreet, ...]


@dataclass(frozen=True)
class GroundHits:
    """Where n rays meet the ground; distance infinity where they do not."""

    distance_m: Float[Tensor, "n"]
    s_m: Float[Tensor, "n"]
    d_m: Float[Tensor, "n"]
    beyond_kerb_m: Float[Tensor, "n"]
    """Distance outside the carriageway; negative on it."""
    is_kerb: Bool[Tensor, "n"]
    """On the kerb's upright face."""


def beyond_kerb_m(plan: GroundPlan, s_m: Float[Tensor, "n"], d_m: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Signed distance to the carriageway: negative on it, positive on sidewalks."""
    outside = torch.maximum(d_m - plan.left_kerb_m, plan.right_kerb_m - d_m)
    r = plan.corner_m
    for side in plan.side_streets:
        across = (s_m - side.s_m).abs() - side.half_width_m
        if not side.is_left:
            across = torch.where(d_m > 0, 50.0, across)
        if not side.is_right:
            across = torch.where(d_m < 0, 50.0, across)
        # The union of two areas with a fillet of radius r in their corner.
        fillet = torch.hypot((r - outside).clamp(min=0), (r - across).clamp(min=0))
        outside = torch.minimum(outside, across).clamp(min=r) - fillet
    return outside


def ground_hits(
    plan: GroundPlan,
    road_map: RoadMap,
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
) -> GroundHits:
    """March on the sidewalk's level, refine, then go down to the carriageway or onto the kerb's face."""
    walk_m, fall = _walk_level_hits(plan, road_map, origins, directions)
    road_m = walk_m + plan.kerb_height_m / fall
    s1, d1, beyond1 = _plan_at(plan, road_map, origins, directions, walk_m)
    s2, d2, beyond2 = _plan_at(plan, road_map, origins, directions, road_m)
    is_walk = beyond1 > 0
    is_kerb = ~is_walk & (beyond2 > 0)
    share = torch.where(is_kerb, beyond1 / (beyond1 - beyond2).clamp(max=-1e-6), torch.where(is_walk, 0.0, 1.0))
    return GroundHits(
        distance_m=torch.where(is_walk, walk_m, walk_m + share * (plan.kerb_height_m / fall)),
        s_m=torch.lerp(s1, s2, share),
        d_m=torch.lerp(d1, d2, share),
        beyond_kerb_m=torch.where(is_kerb, 0.0, torch.where(is_walk, beyond1, beyond2)),
        is_kerb=is_kerb,
    )


def _walk_level_hits(
    plan: GroundPlan, road_map: RoadMap, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Distance to the level of the sidewalks (infinite for a miss), and the ray's fall against it per unit.

    No step can pass the ground, since none is longer than the steepest ground allows; the last
    ones are secants, for the few rays that are still on their way.
    """
    level_m = plan.kerb_height_m
    march = _march(level_m, road_map, (origins, directions), torch.full_like(origins[:, 0], 0.2), SAFE_STEPS[0])
    late = (march[1].abs() > ARRIVED_M).nonzero()[:, 0]
    if len(late):
        rays = origins[late], directions[late]
        farther = _march(level_m, road_map, rays, march[0][late], SAFE_STEPS[1])
        for _ in range(2):
            farther = _secant(level_m, road_map, rays, farther)
        for whole, part in zip(march, farther, strict=True):
            whole[late] = part
    here, height, _, _ = march
    fall = _fall(march)
    reached = here + height / fall
    is_missed = (reached > FARTHEST_M) | (height.abs() > 0.2)
    return torch.where(is_missed, torch.inf, reached), torch.where(is_missed, 1.0, fall)


March = tuple[Tensor, Tensor, Tensor, Tensor]
"""Distance and height above the level there, now and one step before."""


def _march(level_m: float, road_map: RoadMap, rays: tuple[Tensor, Tensor], here: Tensor, num_steps: int) -> March:
    _, directions = rays
    rate = (road_map.steepest * torch.hypot(directions[:, 0], directions[:, 1]) - directions[:, 2]).clamp(min=2e-3)
    height = _height_above(level_m, road_map, rays, here)
    before, height_before = here, height
    for _ in range(num_steps):
        after = (here + height / rate).clamp(0.0, FARTHEST_M + 50.0)
        # The last two different places are kept: they tell how fast the ray falls.
        has_moved = (after - here).abs() > 1e-2
        before, height_before = torch.where(has_moved, here, before), torch.where(has_moved, height, height_before)
        here = after
        height = _height_above(level_m, road_map, rays, here)
    return here, height, before, height_before


def _fall(march: March) -> Float[Tensor, "n"]:
    here, height, before, height_before = march
    apart = here - before
    return ((height_before - height) / torch.where(apart.abs() > 1e-4, apart, 1e-4)).clamp(min=2e-3)


def _secant(level_m: float, road_map: RoadMap, rays: tuple[Tensor, Tensor], march: March) -> March:
    here, height, before, height_before = march
    fall = _fall(march)
    after = (here + height / fall).clamp(0.0, FARTHEST_M + 50.0)
    height_after = _height_above(level_m, road_map, rays, after)
    has_moved = (after - here).abs() > 1e-2
    return after, height_after, torch.where(has_moved, here, before), torch.where(has_moved, height, height_before)


def _height_above(
    level_m: float, road_map: RoadMap, rays: tuple[Tensor, Tensor], t: Float[Tensor, "n"]
) -> Float[Tensor, "n"]:
    origins, directions = rays
    x, y, z = (origins[:, k] + directions[:, k] * t for k in range(3))
    return z - height_at(road_map, x, y) - level_m


def _plan_at(
    plan: GroundPlan, road_map: RoadMap, origins: Tensor, directions: Tensor, t: Float[Tensor, "n"]
) -> tuple[Tensor, Tensor, Tensor]:
    t = t.clamp(max=400.0)
    _, s, d = road_at(road_map, origins[:, 0] + directions[:, 0] * t, origins[:, 1] + directions[:, 1] * t)
    return s, d, beyond_kerb_m(plan, s, d)
