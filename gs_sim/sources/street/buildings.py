"""Rows of houses on both sides: drawn heights, setbacks, roofs, walls, balconies and gaps."""

import torch

from gs_sim.sources.street.facade_surface import BRICK, CONCRETE, GLASS, PLASTER
from gs_sim.sources.street.ground import GroundPlan
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

SUNK_M = 2.5
"""Houses reach this far below the road's height, so that none floats on a slope."""
WALLS: dict[float, tuple[Rgb, ...]] = {
    BRICK: ((0.30, 0.10, 0.06), (0.38, 0.17, 0.10), (0.24, 0.13, 0.10), (0.42, 0.33, 0.22)),
    PLASTER: ((0.62, 0.57, 0.46), (0.65, 0.63, 0.60), (0.55, 0.40, 0.22), (0.48, 0.53, 0.50), (0.58, 0.36, 0.27), (0.42, 0.47, 0.55)),
    CONCRETE: ((0.36, 0.35, 0.33), (0.45, 0.43, 0.40)),
    GLASS: ((0.22, 0.24, 0.26), (0.30, 0.30, 0.29)),
}  # fmt: skip
ROOFS: tuple[Rgb, ...] = ((0.26, 0.09, 0.05), (0.10, 0.10, 0.11), (0.16, 0.12, 0.10))


def draw_houses(
    generator: torch.Generator, line: RoadLine, plan: GroundPlan, start_s_m: float, end_s_m: float
) -> Primitives:
    """Both rows, with gaps where side streets are."""
    density = uniform(generator, 0.0, 0.35)
    typical_storeys = uniform(generator, 2.0, 5.0)
    setback = uniform(generator, 0.0, 1.0) * pick(generator, (0.0, 3.0, 7.0))
    houses = []
    for side in (1, -1):
        s = start_s_m
        while s < end_s_m:
            front = uniform(generator, 8.0, 22.0)
            if _crosses_side_street(plan, side, s, s + front):
                s += 1.0
                continue
            houses.append(_draw_house(generator, line, plan, side, (s, front, typical_storeys, setback)))
            s += front + (
                uniform(generator, 2.0, 10.0) if chance(generator, density) else uniform(generator, 0.0, 0.15)
            )
    return join_primitives(houses)


def _crosses_side_street(plan: GroundPlan, side: int, start_s_m: float, end_s_m: float) -> bool:
    return any(
        (street.is_left if side > 0 else street.is_right)
        and start_s_m < street.s_m + street.half_width_m + 2.5
        and end_s_m > street.s_m - street.half_width_m - 2.5
        for street in plan.side_streets
    )


def _draw_house(
    generator: torch.Generator, line: RoadLine, plan: GroundPlan, side: int, place: tuple[float, float, float, float]
) -> Primitives:
    s, front, typical_storeys, setback = place
    depth = uniform(generator, 9.0, 14.0)
    storeys = max(1, round(typical_storeys + uniform(generator, -1.2, 1.2)))
    kind = pick(generator, (BRICK, PLASTER, CONCRETE, GLASS), (0.35, 0.42, 0.15, 0.08))
    storey_m, first_m = uniform(generator, 2.8, 3.5), uniform(generator, 3.0, 4.2)
    seed = whole(generator, 1, 9999)
    height = first_m + storey_m * (storeys - 1) + uniform(generator, 0.3, 0.9)
    wide, high = (uniform(generator, 0.3, 0.6), uniform(generator, 0.45, 0.65)) if kind != GLASS else (0.92, 0.85)
    bay_m = uniform(generator, 1.8, 3.6)
    colour = tint(generator, pick(generator, WALLS[kind]), 0.25, 0.08)
    walk = plan.left_walk_m if side > 0 else plan.right_walk_m
    kerb = plan.left_kerb_m if side > 0 else -plan.right_kerb_m
    near = kerb + walk + max(0.0, setback + uniform(generator, -0.5, 0.5) * (setback > 0))
    half = (front / 2, depth / 2, (height + SUNK_M) / 2)
    parts = [
        Part(Shape.BOX, Material.FACADE, (0, 0, half[2] - SUNK_M), half, colour, seed=seed,
             details=(storey_m, bay_m, wide, high, kind, first_m, SUNK_M, 0.0)),
        *_roof(generator, half, height, colour, seed),
        *_ornaments(generator, (front, depth, height), (storey_m, bay_m, first_m), storeys, colour),
    ]  # fmt: skip
    middle_s = torch.tensor([s + front / 2], dtype=torch.float64)
    x, y, z, heading, _ = line_at(line, middle_s).unbind(1)
    d = side * (near + depth / 2)
    yaw = heading if side > 0 else heading + torch.pi
    world_from_house = torch.eye(4, dtype=torch.float64)
    world_from_house[:3, :3] = rotation_from_angles(yaw, torch.zeros_like(yaw), torch.zeros_like(yaw))[0]
    world_from_house[:3, 3] = torch.cat([x - d * heading.sin(), y + d * heading.cos(), z])
    return move_primitives(world_from_house, primitives_from(parts))


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
            Part(Shape.WEDGE, Material.ROOF, (0, 0, height + rise / 2), (half[0] + 0.1, half[1] + overhang, rise / 2),
                 tiles, lean=(hip, hip, lean), seed=seed)
        ]  # fmt: skip
    return [
        Part(Shape.BOX, Material.CONCRETE, (0, 0, height + 0.15), (half[0] + 0.05, half[1] + overhang, 0.22),
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
        parts.append(Part(Shape.BOX, Material.CONCRETE, (0, face, first_m - 0.1), (front / 2 + 0.02, 0.14, 0.1), trim))
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
                lean=(0, 0, 1.6),
            )
        )
    return parts
