"""What stands beside the road: trees, lamps, signs, clutter, hedges, and parked vehicles."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sensing.track import Track
from gs_sim.sources.street.furniture import draw_clutter, draw_lamp, draw_sign
from gs_sim.sources.street.greenery import draw_hedge, draw_tree
from gs_sim.sources.street.ground import beyond_kerb_m
from gs_sim.sources.street.layout import PARKING_M
from gs_sim.sources.street.primitives import Part, Primitives, join_primitives, move_primitives, primitives_from
from gs_sim.sources.street.randomness import chance, pick, uniform
from gs_sim.sources.street.road_line import poses_on_road
from gs_sim.sources.street.site import Site
from gs_sim.sources.street.vehicles import Vehicle, draw_vehicle

PARKED_GAP_M = (0.6, 1.8)


@dataclass(frozen=True)
class Habits:
    """What the roadside of one street has, everywhere alike."""

    tree_scale: float
    tree_gap_m: float
    lamp_height_m: float
    lamp_gap_m: float
    lamp_reach_m: float
    clutter_gap_m: float


def draw_roadside(
    generator: torch.Generator, site: Site, span_m: tuple[float, float], span_ns: Int64[Tensor, "2"]
) -> tuple[Primitives, tuple[Track, ...]]:
    """Everything between two s, in the world frame, and the boxes of the parked vehicles for a span of time."""
    habits = Habits(
        tree_scale=uniform(generator, 0.7, 1.3),
        tree_gap_m=pick(generator, (8.0, 12.0, 20.0, 60.0)),
        lamp_height_m=uniform(generator, 4.5, 8.5),
        lamp_gap_m=uniform(generator, 22.0, 38.0),
        lamp_reach_m=uniform(generator, 0.6, 1.8),
        clutter_gap_m=uniform(generator, 5.0, 20.0),
    )
    things: list[Primitives] = []
    tracks: list[Track] = []
    for side in (1, -1):
        things += _draw_side(generator, site, habits, (side, *span_m))
        for vehicle, pose in _draw_parked(generator, site, (side, *span_m)):
            things.append(move_primitives(pose, vehicle.primitives_box))
            still = Trajectory(span_ns, pose.expand(2, 4, 4).clone())
            tracks.append(Track(f"parked_{len(tracks):02d}", vehicle.label, vehicle.size_m, still))
    return join_primitives(things), tuple(tracks)


def _draw_side(
    generator: torch.Generator, site: Site, habits: Habits, stretch: tuple[int, float, float]
) -> list[Primitives]:
    """One side of the road; objects are designed with the road towards their negative y."""
    side, *span_m = stretch
    plan = site.plan
    kerb = plan.left_kerb_m if side > 0 else -plan.right_kerb_m
    walk = plan.left_walk_m if side > 0 else plan.right_walk_m
    towards = 0.0 if side > 0 else math.pi
    things: list[Primitives] = []

    def stand(s: float, beyond_kerb: float, yaw_rad: float, parts: list[Part]) -> None:
        things.extend(_standing(site, (s, side * (kerb + beyond_kerb)), yaw_rad, parts))

    for s in _along(generator, span_m, habits.tree_gap_m, 0.3):
        stand(s, 0.9, uniform(generator, 0.0, 6.28), draw_tree(generator, habits.tree_scale))
    for s in _along(generator, span_m, habits.lamp_gap_m, 0.05):
        stand(s, 0.45, towards, draw_lamp(generator, habits.lamp_height_m, habits.lamp_reach_m))
    for s in _along(generator, span_m, 30.0, 0.6):
        # A sign faces the traffic of its own side.
        stand(s, 0.5, uniform(generator, -0.2, 0.2) + math.pi - towards, draw_sign(generator))
    for s in _along(generator, span_m, habits.clutter_gap_m, 0.8):
        place = pick(generator, (0.6, walk - 0.5))
        stand(s, place, uniform(generator, -0.1, 0.1) + towards, draw_clutter(generator))
    if plan.setback_m > 0:
        for s in _along(generator, span_m, 25.0, 0.6):
            stand(s, walk + 0.6, 0.0, draw_hedge(generator, uniform(generator, 3.0, 10.0)))
    return things


def _along(generator: torch.Generator, span_m: list[float], gap_m: float, jitter: float) -> list[float]:
    places = []
    s = span_m[0] + uniform(generator, 0.0, gap_m)
    while s < span_m[1]:
        places.append(s)
        s += gap_m * (1 + uniform(generator, -jitter, jitter))
    return places


def _standing(site: Site, place_m: tuple[float, float], yaw_rad: float, parts: list[Part]) -> list[Primitives]:
    """Put something upright on the sidewalk; nothing where a side street runs."""
    s, d = (torch.tensor([value], dtype=torch.float64) for value in place_m)
    if float(beyond_kerb_m(site.plan, s, d)) < 0.3:
        return []
    tilted = poses_on_road(site.line, s, d, torch.tensor([yaw_rad], dtype=torch.float64))[0]
    heading = torch.atan2(tilted[1, 0], tilted[0, 0])
    world_from_thing = torch.eye(4, dtype=torch.float64)
    world_from_thing[0, 0] = world_from_thing[1, 1] = heading.cos()
    world_from_thing[1, 0], world_from_thing[0, 1] = heading.sin(), -heading.sin()
    world_from_thing[:3, 3] = tilted[:3, 3]
    world_from_thing[2, 3] += site.plan.kerb_height_m
    return [move_primitives(world_from_thing, primitives_from(parts))]


def _draw_parked(
    generator: torch.Generator, site: Site, stretch: tuple[int, float, float]
) -> list[tuple[Vehicle, Tensor]]:
    """Vehicles along one kerb, where there is a strip for them, with `world_from_box`."""
    side, start_s_m, end_s_m = stretch
    plan, lanes = site.plan, site.lanes
    kerb = plan.left_kerb_m if side > 0 else -plan.right_kerb_m
    lane_edge = max((abs(d) for d in (lanes.oncoming_m if side > 0 else lanes.same_way_m)), default=0.0) + 1.4
    if kerb - lane_edge < PARKING_M - 0.3:
        return []
    parked = []
    fullness = uniform(generator, 0.2, 0.9)
    s = start_s_m + uniform(generator, 0.0, 6.0)
    while s < end_s_m:
        vehicle = draw_vehicle(generator)
        length, width, height = vehicle.size_m
        middle = s + length / 2
        is_blocked = any(
            abs(middle - street.s_m) < street.half_width_m + plan.corner_m + length / 2 + 5.0
            for street in plan.side_streets
        )
        if not is_blocked and vehicle.label != "truck" and chance(generator, fullness):
            d = side * (kerb - uniform(generator, 0.12, 0.35) - width / 2)
            turned = math.pi if side > 0 and chance(generator, 0.85) else 0.0
            yaw = uniform(generator, -0.03, 0.03) + turned
            pose = poses_on_road(site.line, *(torch.tensor([x], dtype=torch.float64) for x in (middle, d, yaw)))[0]
            pose[:3, 3] += 0.5 * height * pose[:3, 2]
            parked.append((vehicle, pose))
        s += length + uniform(generator, *PARKED_GAP_M)
    return parked
