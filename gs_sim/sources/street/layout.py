"""The plan of the street and everything that stands beside the road."""

import torch

from gs_sim.sources.street.ground import GroundPlan, SideStreet
from gs_sim.sources.street.ground_surface import GroundLook, RoadLineMark
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole
from gs_sim.sources.street.road_line import RoadLine
from gs_sim.sources.street.site import Lanes, Site

PARKING_M = 2.15
"""Width of a strip of parked vehicles."""


def draw_ground(generator: torch.Generator, line: RoadLine) -> tuple[Site, GroundLook]:
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
    return Site(line, plan, lanes), look


def _draw_side_streets(generator: torch.Generator, line: RoadLine) -> tuple[SideStreet, ...]:
    streets: list[SideStreet] = []
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
