"""Where rays meet the ground: a smooth height field with raised kerbs, marched and then refined.

The street's plan, in coordinates along (s) and across (d) the road, says where carriageway
ends and sidewalk begins; side streets cut into the sidewalk with rounded corners.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gs_sim.sources.street.road_line import RoadMap, road_at

MARCH_M = (0.4, 1.0, 2.0, 3.5, 5.5, 8.0, 11.5, 16.0, 23.0, 33.0, 48.0, 70.0, 105.0, 160.0, 250.0)


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
    """Distance to the level of the sidewalks (infinite for a miss), and the ray's fall against it per unit."""
    low_t = torch.full_like(origins[:, 0], MARCH_M[0])
    low = _height_above(plan, road_map, origins, directions, low_t)
    high_t, high = torch.full_like(low, torch.inf), torch.full_like(low, -1.0)
    for t in MARCH_M[1:]:
        reach = torch.full_like(low, t)
        height = _height_above(plan, road_map, origins, directions, reach)
        is_open = torch.isinf(high_t)
        is_hit = is_open & (height < 0)
        is_passed = is_open & ~is_hit
        high_t, high = torch.where(is_hit, reach, high_t), torch.where(is_hit, height, high)
        low_t, low = torch.where(is_passed, reach, low_t), torch.where(is_passed, height, low)
    is_missed = torch.isinf(high_t)
    high_t = torch.where(is_missed, low_t + 1.0, high_t)
    for _ in range(3):
        middle_t = low_t + (high_t - low_t) * (low / (low - high))
        height = _height_above(plan, road_map, origins, directions, middle_t)
        is_above = height > 0
        low_t, low = torch.where(is_above, middle_t, low_t), torch.where(is_above, height, low)
        high_t, high = torch.where(is_above, high_t, middle_t), torch.where(is_above, high, height)
    fall = ((low - high) / (high_t - low_t).clamp(min=1e-4)).clamp(min=1e-3)
    return torch.where(is_missed, torch.inf, low_t + (high_t - low_t) * (low / (low - high))), fall


def _height_above(
    plan: GroundPlan, road_map: RoadMap, origins: Tensor, directions: Tensor, t: Float[Tensor, "n"]
) -> Float[Tensor, "n"]:
    t = t.clamp(max=400.0)
    x, y, z = (origins[:, k] + directions[:, k] * t for k in range(3))
    return z - road_at(road_map, x, y)[0] - plan.kerb_height_m


def _plan_at(
    plan: GroundPlan, road_map: RoadMap, origins: Tensor, directions: Tensor, t: Float[Tensor, "n"]
) -> tuple[Tensor, Tensor, Tensor]:
    t = t.clamp(max=400.0)
    _, s, d = road_at(road_map, origins[:, 0] + directions[:, 0] * t, origins[:, 1] + directions[:, 1] * t)
    return s, d, beyond_kerb_m(plan, s, d)
