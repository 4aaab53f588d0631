"""The plan of the street and everything that stands beside the road."""

import math

import torch
from jaxtyping import Int64
from torch import Tensor

from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sensing.track import Track
from gs_sim.sources.street.furniture import draw_clutter, draw_lamp, draw_sign
from gs_sim.sources.street.greenery import draw_hedge, draw_tree
from gs_sim.sources.street.ground import GroundPlan, SideStreet, beyond_kerb_m
from gs_sim.sources.street.ground_surface import GroundLook, RoadLineMark
from gs_sim.sources.street.primitives import Part, Primitives, join_primitives, move_primitives, primitives_from
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole
from gs_sim.sources.street.road_line import RoadLine, poses_on_road
from gs_sim.sources.street.traffic import Lanes
from gs_sim.sources.street.vehicles import draw_vehicle

PARKING_M = 2.15
"""Width of a strip of parked vehicles."""


def draw_ground(generator: torch.Generator, line: RoadLine) -> tuple[GroundPlan, GroundLook, Lanes]:
    """Draw lanes, kerbs, side streets, and how they look."""
    lane_m = uniform(generator, 2.8, 3.6)
    num_same, num_oncoming = pick(generator, ((1, 1), (2, 2), (1, 0), (2, 0)), (0.6, 0.2, 0.13, 0.07))
    parks_left, parks_right = chance(generator, 0.65), chance(generator, 0.65)
    plan = GroundPlan(
        left_kerb_m=max(num_oncoming * lane_m, 0.3) + PARKING_M * parks_left,
        right_kerb_m=-num_same * lane_m - PARKING_M * parks_right,
        kerb_height_m=uniform(generator, 0.06, 0.16),
        corner_m=uniform(generator, 2.0, 5.0),
        left_walk_m=uniform(generator, 1.8, 5.0),
        right_walk_m=uniform(generator, 1.8, 5.0),
        setback_m=pick(generator, (0.0, uniform(generator, 1.5, 3.5), uniform(generator, 3.5, 7.0)), (0.5, 0.25, 0.25)),
        side_streets=_draw_side_streets(generator, line),
    )
    same = tuple(-(k + 0.5) * lane_m for k in range(num_same))
    oncoming = tuple((k + 0.5) * lane_m for k in range(num_oncoming))
    lanes = Lanes(ego_d_m=pick(generator, same), same_way_m=same, oncoming_m=oncoming)
    grass = chance(generator, 0.5)
    paver = pick(generator, ((0.4, 0.4), (0.6, 0.3), (0.22, 0.11), (1.2, 0.8), (0.3, 0.3)))
    look = GroundLook(
        asphalt_rgb=tint(generator, (0.115, 0.115, 0.118), 0.5, 0.06),
        asphalt_contrast=uniform(generator, 0.6, 1.5),
        patch_share=uniform(generator, 0.0, 0.3),
        crack_share=uniform(generator, 0.1, 0.7),
        track_darkness=uniform(generator, -0.04, 0.14),
        lane_centres_m=same + oncoming,
        marks=_draw_marks(generator, lane_m, (num_same, num_oncoming), (parks_left, parks_right)),
        mark_brightness=uniform(generator, 0.45, 0.75),
        mark_wear=uniform(generator, 0.0, 0.55),
        has_zebras=chance(generator, 0.6),
        kerb_rgb=tint(generator, (0.34, 0.33, 0.31), 0.3, 0.04),
        walk_rgb=tint(
            generator, pick(generator, ((0.30, 0.29, 0.27), (0.22, 0.22, 0.22), (0.28, 0.20, 0.16))), 0.25, 0.05
        ),
        paver_m=paver,
        yard_rgb=tint(generator, (0.075, 0.125, 0.03) if grass else (0.24, 0.22, 0.19), 0.3, 0.1),
        has_grass=grass,
        seed=whole(generator, 1, 9999),
    )
    return plan, look, lanes


def _draw_side_streets(generator: torch.Generator, line: RoadLine) -> tuple[SideStreet, ...]:
    streets = []
    s = uniform(generator, 15.0, 70.0)
    while s < line.end_s_m - 20.0 and len(streets) < 4:
        both = chance(generator, 0.5)
        left = both or chance(generator, 0.5)
        streets.append(SideStreet(s, uniform(generator, 2.8, 4.5), left, both or not left))
        s += uniform(generator, 40.0, 110.0)
    return tuple(streets)


def _draw_marks(
    generator: torch.Generator, lane_m: float, num: tuple[int, int], parks: tuple[bool, bool]
) -> tuple[RoadLineMark, ...]:
    num_same, num_oncoming = num
    width, dash = uniform(generator, 0.10, 0.17), uniform(generator, 1.5, 4.5)
    gap = dash * uniform(generator, 0.8, 2.0)
    marks = [RoadLineMark(-k * lane_m, width, dash, gap) for k in range(1, num_same)]
    marks += [RoadLineMark(k * lane_m, width, dash, gap) for k in range(1, num_oncoming)]
    if num_oncoming and chance(generator, 0.85):
        kind = pick(generator, ("dashed", "solid", "double"))
        if kind == "double":
            marks += [RoadLineMark(sign * 0.14, width, dash, 0.0) for sign in (-1, 1)]
        else:
            marks.append(RoadLineMark(0.0, width, dash, gap if kind == "dashed" else 0.0))
    if chance(generator, 0.5):
        marks.append(RoadLineMark(-num_same * lane_m + (0.0 if parks[1] else 0.25), width, dash, 0.0))
        marks.append(RoadLineMark(num_oncoming * lane_m - (0.0 if parks[0] else 0.25), width, dash, 0.0))
    return tuple(marks)


def draw_things_beside_road(
    generator: torch.Generator,
    line: RoadLine,
    plan: GroundPlan,
    lanes: Lanes,
    span_m: tuple[float, float],
    span_ns: Int64[Tensor, "2"],
) -> tuple[Primitives, tuple[Track, ...]]:
    """Trees, lamps, signs, clutter, hedges and parked vehicles, all in the world frame."""
    sets: list[Primitives] = []
    tree_scale, tree_gap = uniform(generator, 0.7, 1.3), pick(generator, (8.0, 12.0, 20.0, 60.0))
    lamp_height, lamp_gap, lamp_reach = (
        uniform(generator, 4.5, 8.5),
        uniform(generator, 22.0, 38.0),
        uniform(generator, 0.6, 1.8),
    )
    clutter_gap = uniform(generator, 5.0, 20.0)
    for side in (1, -1):
        kerb = plan.left_kerb_m if side > 0 else -plan.right_kerb_m
        walk = plan.left_walk_m if side > 0 else plan.right_walk_m
        for s in _along(generator, span_m, tree_gap, 0.3):
            sets += _stand(
                line, plan, (s, side * (kerb + 0.9)), uniform(generator, 0, 6.28), draw_tree(generator, tree_scale)
            )
        for s in _along(generator, span_m, lamp_gap, 0.05):
            sets += _stand(
                line,
                plan,
                (s, side * (kerb + 0.45)),
                0.0 if side > 0 else math.pi,
                draw_lamp(generator, lamp_height, lamp_reach),
            )
        for s in _along(generator, span_m, 30.0, 0.6):
            sets += _stand(
                line,
                plan,
                (s, side * (kerb + 0.5)),
                uniform(generator, -0.2, 0.2) + (math.pi if side > 0 else 0.0),
                draw_sign(generator),
            )
        for s in _along(generator, span_m, clutter_gap, 0.8):
            d = kerb + pick(generator, (0.6, walk - 0.5))
            sets += _stand(
                line,
                plan,
                (s, side * d),
                uniform(generator, -0.1, 0.1) + (0.0 if side > 0 else math.pi),
                draw_clutter(generator),
            )
        for s in _along(generator, span_m, 14.0, 0.6):
            if plan.setback_m > 0 and chance(generator, 0.5):
                sets += _stand(
                    line,
                    plan,
                    (s, side * (kerb + walk + 0.6)),
                    0.0,
                    draw_hedge(generator, uniform(generator, 3.0, 10.0)),
                )
    parked, tracks = _draw_parked(generator, line, plan, lanes, (span_m, span_ns))
    return join_primitives([*sets, *parked]), tracks


def _along(generator: torch.Generator, span_m: tuple[float, float], gap_m: float, jitter: float) -> list[float]:
    places = []
    s = span_m[0] + uniform(generator, 0.0, gap_m)
    while s < span_m[1]:
        places.append(s)
        s += gap_m * (1 + uniform(generator, -jitter, jitter))
    return places


def _stand(
    line: RoadLine, plan: GroundPlan, place_m: tuple[float, float], yaw_rad: float, parts: list[Part]
) -> list[Primitives]:
    """Put something upright on the sidewalk; nothing where a side street runs."""
    s, d = (torch.tensor([value], dtype=torch.float64) for value in place_m)
    if float(beyond_kerb_m(plan, s, d)) < 0.3:
        return []
    tilted = poses_on_road(line, s, d, torch.tensor([yaw_rad], dtype=torch.float64))[0]
    heading = torch.atan2(tilted[1, 0], tilted[0, 0])
    world_from_thing = torch.eye(4, dtype=torch.float64)
    world_from_thing[0, 0] = world_from_thing[1, 1] = heading.cos()
    world_from_thing[1, 0], world_from_thing[0, 1] = heading.sin(), -heading.sin()
    world_from_thing[:3, 3] = tilted[:3, 3]
    world_from_thing[2, 3] += plan.kerb_height_m
    return [move_primitives(world_from_thing, primitives_from(parts))]


def _draw_parked(
    generator: torch.Generator,
    line: RoadLine,
    plan: GroundPlan,
    lanes: Lanes,
    span: tuple[tuple[float, float], Int64[Tensor, "2"]],
) -> tuple[list[Primitives], tuple[Track, ...]]:
    (start_s_m, end_s_m), span_ns = span
    sets, tracks = [], []
    for side in (1, -1):
        kerb = plan.left_kerb_m if side > 0 else -plan.right_kerb_m
        lane_edge = max((abs(d) for d in (lanes.oncoming_m if side > 0 else lanes.same_way_m)), default=0.0) + 1.4
        if kerb - lane_edge < PARKING_M - 0.3:
            continue
        fullness = uniform(generator, 0.2, 0.9)
        s = start_s_m + uniform(generator, 0.0, 6.0)
        while s < end_s_m:
            vehicle = draw_vehicle(generator)
            length, width, height = vehicle.size_m
            middle = s + length / 2
            blocked = any(
                abs(middle - street.s_m) < street.half_width_m + plan.corner_m + length / 2 + 5
                for street in plan.side_streets
            )
            if not blocked and vehicle.label != "truck" and chance(generator, fullness):
                d = side * (kerb - uniform(generator, 0.12, 0.35) - width / 2)
                yaw = uniform(generator, -0.03, 0.03) + (math.pi if side > 0 and chance(generator, 0.85) else 0.0)
                place = (torch.tensor([value], dtype=torch.float64) for value in (middle, d, yaw))
                pose = poses_on_road(line, *place)[0]
                pose[:3, 3] += 0.5 * height * pose[:3, 2]
                sets.append(move_primitives(pose, vehicle.primitives_box))
                track = Trajectory(span_ns, pose.expand(2, 4, 4).clone())
                tracks.append(Track(f"parked_{len(tracks):02d}", vehicle.label, vehicle.size_m, track))
            s += length + uniform(generator, 0.6, 1.8)
    return sets, tuple(tracks)
