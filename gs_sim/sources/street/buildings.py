"""Rows of houses on both sides: drawn heights, setbacks, roofs, walls, balconies and gaps."""

import math
from dataclasses import dataclass

import torch

from gs_sim.sources.street.facade_surface import BRICK, CONCRETE, FLAT, PANELS, PLASTER, SHOPS
from gs_sim.sources.street.ground import GroundPlan, SideStreet
from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.primitives import (
    Material,
    Part,
    Primitives,
    Shape,
    join_primitives,
    move_primitives,
    primitives_from,
)
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole
from gs_sim.sources.street.road_line import RoadLine, line_at, rotation_from_angles
from gs_sim.sources.street.site import Site

SUNK_M = 2.5
"""Houses reach this far below the road's height, so that none floats on a slope."""
WALLS: dict[float, tuple[Rgb, ...]] = {
    BRICK: ((0.30, 0.10, 0.06), (0.38, 0.17, 0.10), (0.24, 0.13, 0.10), (0.42, 0.33, 0.22)),
    PLASTER: ((0.62, 0.57, 0.46), (0.65, 0.63, 0.60), (0.55, 0.40, 0.22), (0.48, 0.53, 0.50), (0.58, 0.36, 0.27), (0.42, 0.47, 0.55)),
    CONCRETE: ((0.36, 0.35, 0.33), (0.45, 0.43, 0.40)),
    PANELS: ((0.22, 0.24, 0.26), (0.30, 0.30, 0.29)),
}  # fmt: skip
ROOFS: tuple[Rgb, ...] = ((0.26, 0.09, 0.05), (0.10, 0.10, 0.11), (0.16, 0.12, 0.10))


@dataclass(frozen=True)
class Row:
    """A row of houses along the road."""

    side: int
    """1 on the left, -1 on the right."""
    near_m: float
    """Distance of its fronts from the centre line."""
    storeys: float
    setback_m: float
    """Garden before the front; 0 in closed streets."""
    gap_share: float
    """How often a house has a gap beside it."""


def draw_houses(generator: torch.Generator, site: Site, start_s_m: float, end_s_m: float) -> Primitives:
    """Rows on both sides, open where side streets are, along these, and taller ones far behind."""
    plan = site.plan
    gap_share, storeys = uniform(generator, 0.0, 0.35), uniform(generator, 2.0, 5.0)
    setback = plan.setback_m
    houses = []
    for side in (1, -1):
        edge = plan.left_kerb_m + plan.left_walk_m if side > 0 else plan.right_walk_m - plan.right_kerb_m
        front_row = Row(side, edge + setback, storeys, setback, gap_share)
        houses += _draw_row(generator, site, front_row, (start_s_m, end_s_m))
        back_row = Row(side, edge + setback + uniform(generator, 24.0, 32.0), storeys + 1.5, 3.0, 0.6)
        houses += _draw_row(generator, site, back_row, (start_s_m, end_s_m))
        far = edge + setback + 15.0
        for street in plan.side_streets:
            if street.is_left if side > 0 else street.is_right:
                houses += _draw_side_row(generator, site.line, street, (side, far), storeys)
    return join_primitives(houses)


def _draw_row(generator: torch.Generator, site: Site, row: Row, span_m: tuple[float, float]) -> list[Primitives]:
    houses = []
    s, end_s_m = span_m
    while s < end_s_m:
        front = uniform(generator, 8.0, 22.0)
        if _crosses_side_street(site.plan, row.side, s, s + front):
            s += 1.0
            continue
        depth = uniform(generator, 9.0, 14.0)
        d = row.side * (row.near_m + uniform(generator, -0.5, 0.5) * (row.setback_m > 0) + depth / 2)
        parts = _draw_house(generator, (front, depth), row.storeys, row.setback_m)
        houses.append(_placed(site.line, (s + front / 2, d), 0.0 if row.side > 0 else math.pi, parts))
        is_gap = chance(generator, row.gap_share)
        s += front + (uniform(generator, 2.0, 10.0) if is_gap else uniform(generator, 0.0, 0.15))
    return houses


def _draw_side_row(
    generator: torch.Generator, line: RoadLine, street: SideStreet, place: tuple[int, float], storeys: float
) -> list[Primitives]:
    """Houses along both sides of a side street, and one that closes it at its end."""
    side, far_m = place
    houses = []
    for edge in (1, -1):
        d = far_m
        while d < far_m + 40.0:
            front, depth = uniform(generator, 8.0, 18.0), uniform(generator, 8.0, 12.0)
            s = street.s_m + edge * (street.half_width_m + 2.6 + depth / 2)
            # The front, at the house's negative y, faces the side street.
            yaw = 0.0 if edge < 0 else math.pi
            parts = _draw_house(generator, (front, depth), storeys, 0.0)
            houses.append(_placed(line, (s, side * (d + front / 2)), yaw + math.pi / 2, parts))
            d += front + 0.1
    parts = _draw_house(generator, (26.0, 12.0), storeys, 0.0)
    houses.append(_placed(line, (street.s_m, side * (far_m + 52.0)), 0.0 if side > 0 else math.pi, parts))
    return houses


def _placed(line: RoadLine, place_m: tuple[float, float], yaw_rad: float, parts: list[Part]) -> Primitives:
    """Put an upright house's middle at s and d, its x axis along the road turned by yaw."""
    x, y, z, heading, _ = line_at(line, torch.tensor([place_m[0]], dtype=torch.float64)).unbind(1)
    yaw = heading + yaw_rad
    world_from_house = torch.eye(4, dtype=torch.float64)
    world_from_house[:3, :3] = rotation_from_angles(yaw, torch.zeros_like(yaw), torch.zeros_like(yaw))[0]
    d = place_m[1]
    world_from_house[:3, 3] = torch.cat([x - d * heading.sin(), y + d * heading.cos(), z])
    return move_primitives(world_from_house, primitives_from(parts))


def _crosses_side_street(plan: GroundPlan, side: int, start_s_m: float, end_s_m: float) -> bool:
    return any(
        (street.is_left if side > 0 else street.is_right)
        and start_s_m < street.s_m + street.half_width_m + 2.5
        and end_s_m > street.s_m - street.half_width_m - 2.5
        for street in plan.side_streets
    )


def _draw_house(
    generator: torch.Generator, size_m: tuple[float, float], typical_storeys: float, setback_m: float
) -> list[Part]:
    """A house with its front at negative y and the street's height at z = 0."""
    front, depth = size_m
    storeys = max(1, round(typical_storeys + uniform(generator, -1.2, 1.2)))
    kind = pick(generator, (BRICK, PLASTER, CONCRETE, PANELS), (0.35, 0.42, 0.15, 0.08))
    use = pick(generator, (FLAT, SHOPS), (0.6, 0.4) if setback_m < 1.0 else (1.0, 0.0))
    storey_m, first_m = uniform(generator, 2.8, 3.5), uniform(generator, 3.0, 4.2)
    seed = whole(generator, 1, 9999)
    height = first_m + storey_m * (storeys - 1) + uniform(generator, 0.3, 0.9)
    wide, high = uniform(generator, 0.3, 0.6), uniform(generator, 0.45, 0.65)
    if kind == PANELS:
        wide, high = 0.92, 0.85
    bay_m = uniform(generator, 1.8, 3.6)
    colour = tint(generator, pick(generator, WALLS[kind]), 0.25, 0.08)
    half = (front / 2, depth / 2, (height + SUNK_M) / 2)
    return [
        Part(Shape.BOX, Material.FACADE, (0.0, 0.0, half[2] - SUNK_M), half, colour, seed=seed,
             details=(storey_m, bay_m, wide, high, kind, first_m, SUNK_M, use)),
        *_roof(generator, half, height, colour, seed),
        *_ornaments(generator, (front, depth, height), (storey_m, bay_m, first_m), storeys, colour),
    ]  # fmt: skip


def _roof(
    generator: torch.Generator, half: tuple[float, float, float], height: float, colour: Rgb, seed: int
) -> list[Part]:
    """A gabled or hipped roof, or a parapet; the house's front is at negative y."""
    tiles = tint(generator, pick(generator, ROOFS), 0.2, 0.08)
    overhang = uniform(generator, 0.15, 0.5)
    if chance(generator, 0.6):
        rise = uniform(generator, 0.45, 0.95) * half[1]
        hip = (half[1] + overhang) / rise if chance(generator, 0.3) else 0.0
        lean = (half[1] + overhang) / rise * 0.985
        return [
            Part(Shape.WEDGE, Material.ROOF, (0.0, 0.0, height + rise / 2), (half[0] + 0.1, half[1] + overhang, rise / 2),
                 tiles, lean=(hip, hip, lean), seed=seed)
        ]  # fmt: skip
    return [
        Part(Shape.BOX, Material.CONCRETE, (0.0, 0.0, height + 0.15), (half[0] + 0.05, half[1] + overhang, 0.22),
             tint(generator, colour, 0.2, 0.03), seed=seed)
    ]  # fmt: skip


def _ornaments(
    generator: torch.Generator,
    size_m: tuple[float, float, float],
    rhythm_m: tuple[float, float, float],
    storeys: int,
    colour: Rgb,
) -> list[Part]:
    """Cornices between storeys, balconies in some columns, a door step and an awning or sign."""
    (front, depth, _), (storey_m, bay_m, first_m) = size_m, rhythm_m
    parts = []
    trim = tint(generator, colour, 0.35, 0.03)
    face = -depth / 2
    if chance(generator, 0.45):
        parts.append(
            Part(Shape.BOX, Material.CONCRETE, (0.0, face, first_m - 0.1), (front / 2 + 0.02, 0.14, 0.1), trim)
        )
    num_bays = max(1, int(front / bay_m))
    pitch = front / num_bays
    if storeys > 1 and chance(generator, 0.4):
        column = whole(generator, 0, num_bays - 1)
        for storey in range(storeys - 1):
            x, z = (column + 0.5) * pitch - front / 2, first_m + storey * storey_m + 0.1
            half_x = min(1.6, 0.55 * pitch)
            parts.append(Part(Shape.BOX, Material.CONCRETE, (x, face - 0.5, z), (half_x, 0.5, 0.08), trim))
            parts.append(Part(Shape.BOX, Material.PAINTED, (x, face - 0.98, z + 0.5), (half_x, 0.03, 0.45), trim))
    if chance(generator, 0.35):
        bright = tint(
            generator,
            pick(generator, ((0.5, 0.08, 0.06), (0.06, 0.2, 0.4), (0.1, 0.35, 0.15), (0.6, 0.5, 0.2))),
            0.3,
            0.1,
        )
        x = uniform(generator, -0.3, 0.3) * front
        parts.append(
            Part(
                Shape.WEDGE,
                Material.PAINTED,
                (x, face, 2.75),
                (min(3.0, 0.3 * front), 0.9, 0.25),
                bright,
                lean=(0.0, 0.0, 1.6),
            )
        )
    return parts
