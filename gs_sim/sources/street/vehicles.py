"""Designs of vehicles: bodies, cabins and wheels in the box frame (origin in the centre, x forward, z up)."""

import math
from dataclasses import dataclass

import torch

from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.primitives import Material, Part, Primitives, Shape, primitives_from
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole

PAINTS: tuple[Rgb, ...] = (
    (0.60, 0.60, 0.58), (0.40, 0.41, 0.42), (0.20, 0.21, 0.22), (0.09, 0.095, 0.10), (0.025, 0.026, 0.028), (0.04, 0.07, 0.17),
    (0.30, 0.03, 0.03), (0.05, 0.10, 0.07), (0.36, 0.32, 0.24), (0.08, 0.17, 0.30), (0.48, 0.26, 0.05),
)  # fmt: skip
PAINT_WEIGHTS = (3.0, 2.5, 2.0, 2.0, 2.5, 1.2, 1.0, 0.6, 0.6, 0.9, 0.3)
NO_WHEEL_M = 99.0
"""Place of a wheel that a part does not have."""


@dataclass(frozen=True)
class Vehicle:
    """A drawn vehicle."""

    label: str
    size_m: tuple[float, float, float]
    """Length, width, height of its box."""
    primitives_box: Primitives


@dataclass(frozen=True)
class Plan:
    """Measures of one vehicle; x from the middle, z above the road, in metres."""

    length: float
    width: float
    height: float
    wheel: float
    """Radius."""
    front_x: float
    """Front axle."""
    rear_x: float
    lamp_z: float
    paint: Rgb
    dirt: float
    seed: int


def draw_vehicle(generator: torch.Generator) -> Vehicle:
    """Draw a car, van or lorry."""
    label = pick(generator, ("car", "van", "truck"), (0.8, 0.15, 0.05))
    if label == "car":
        return _car(generator)
    return _van(generator) if label == "van" else _truck(generator)


def _car(generator: torch.Generator) -> Vehicle:
    """A hatchback, saloon, estate or tall car from bumpers, flanks, bonnet, boot and cabin."""
    kind = pick(generator, ("hatch", "saloon", "estate", "suv"), (0.35, 0.2, 0.2, 0.25))
    tall = uniform(generator, 0.12, 0.22) if kind == "suv" else 0.0
    length = uniform(generator, 3.65, 4.15) if kind == "hatch" else uniform(generator, 4.25, 4.8)
    height = uniform(generator, 1.40, 1.50) + tall
    belt = uniform(generator, 0.61, 0.655) * height
    plan = Plan(
        length=length,
        width=uniform(generator, 1.70, 1.86),
        height=height,
        wheel=uniform(generator, 0.30, 0.335) + 0.2 * tall,
        front_x=0.5 * length - uniform(generator, 0.78, 0.92),
        rear_x=-0.5 * length + uniform(generator, 0.68, 0.92),
        lamp_z=uniform(generator, 0.70, 0.78) * belt,
        paint=tint(generator, pick(generator, PAINTS, PAINT_WEIGHTS), 0.2, 0.06),
        dirt=uniform(generator, 0.0, 0.8),
        seed=whole(generator, 1, 9999),
    )
    half, side, floor, sill = length / 2, plan.width / 2, 0.19 + 0.4 * tall, 0.38 + 0.3 * tall
    waist = 0.55 * belt + 0.13
    cowl = half - uniform(generator, 0.95, 1.25)
    bonnet = uniform(generator, 0.90, 0.97) * belt
    boot = {"hatch": 0.06, "estate": 0.08, "suv": 0.07, "saloon": uniform(generator, 0.55, 0.75)}[kind]
    rear_lean = {"hatch": 0.5, "estate": 0.32, "suv": 0.28, "saloon": 1.15}[kind] * uniform(generator, 0.85, 1.15)
    lean = (uniform(generator, 1.3, 1.7), rear_lean, uniform(generator, 0.24, 0.34))
    nose, tail = uniform(generator, 0.15, 0.35), uniform(generator, 0.08, 0.2)
    parts = [
        _body(plan, (-half + 0.05, half - 0.06), (floor, sill), (-0.22, -0.25, -0.10), side - 0.02),
        _body(plan, (-half, half), (sill, waist), (0.08, 0.06, 0.0), side),
        _body(plan, (-half + 0.02, half - 0.02), (waist, 0.84 * belt), (nose + 0.25, tail, 0.06), side),
        _body(plan, (-half + 0.07, half - 0.18), (0.84 * belt, bonnet), (3.2, 0.3, 0.25), side - 0.02),
        _body(plan, (-half + 0.09, cowl), (0.84 * belt, belt), (1.2, 0.35, 0.18), side - 0.018),
        _cabin(plan, (-half + boot, cowl + 0.28, belt, height), lean, side - 0.075),
        *_wheels(plan),
    ]
    parts += [
        Part(Shape.ELLIPSOID, Material.PAINTED, (cowl - 0.22, sign * (side + 0.06), belt + 0.07 - height / 2),
             (0.07, 0.11, 0.075), plan.paint, details=(0.05,), seed=plan.seed)
        for sign in (-1, 1)
    ]  # fmt: skip
    if kind in {"estate", "suv"} and chance(generator, 0.6):
        rail = (0.3 * length, 0.02, 0.02)
        parts += [
            Part(
                Shape.BOX,
                Material.PAINTED,
                (-0.12 * length, sign * 0.58 * side, height / 2 - 0.0),
                rail,
                (0.05, 0.05, 0.05),
            )
            for sign in (-1, 1)
        ]
    return Vehicle("car", (length, plan.width, height), primitives_from(parts))


def _body(
    plan: Plan, x: tuple[float, float], z: tuple[float, float], lean: tuple[float, float, float], half_y: float
) -> Part:
    """A piece of painted body between two x and two heights; it knows where wheels and lamps are."""
    centre = ((x[0] + x[1]) / 2, 0.0, (z[0] + z[1]) / 2)
    details = (
        plan.front_x - centre[0], plan.rear_x - centre[0], plan.wheel, plan.wheel - centre[2], plan.lamp_z - centre[2],
        plan.dirt, -centre[2],
    )  # fmt: skip
    half = ((x[1] - x[0]) / 2, half_y, (z[1] - z[0]) / 2)
    place = (centre[0], 0.0, centre[2] - plan.height / 2)
    return Part(Shape.WEDGE, Material.CAR_BODY, place, half, plan.paint, lean=lean, details=details, seed=plan.seed)


def _cabin(
    plan: Plan,
    xz: tuple[float, float, float, float],
    lean: tuple[float, float, float],
    half_y: float,
    glass_from: float = -1.0,
) -> Part:
    """Glass under a roof; behind `glass_from` (a share of the half length) the sides are closed."""
    x, z = xz[:2], xz[2:]
    centre = ((x[0] + x[1]) / 2, 0.0, (z[0] + z[1]) / 2 - plan.height / 2)
    half = ((x[1] - x[0]) / 2, half_y, (z[1] - z[0]) / 2)
    details = (*lean, 0.07, glass_from)
    return Part(Shape.WEDGE, Material.CAR_CABIN, centre, half, plan.paint, lean=lean, details=details, seed=plan.seed)


def _wheels(plan: Plan) -> list[Part]:
    return [
        Part(Shape.CYLINDER, Material.WHEEL, (x, sign * (plan.width / 2 - 0.105), plan.wheel - plan.height / 2),
             (plan.wheel, plan.wheel, 0.115), tilt_rad=math.pi / 2, seed=plan.seed)
        for x in (plan.front_x, plan.rear_x)
        for sign in (-1, 1)
    ]  # fmt: skip


def _van(generator: torch.Generator) -> Vehicle:
    """A delivery van or minibus."""
    length = uniform(generator, 4.8, 5.9)
    paint = PAINTS[0] if chance(generator, 0.5) else pick(generator, PAINTS, PAINT_WEIGHTS)
    plan = Plan(
        length=length,
        width=uniform(generator, 1.9, 2.05),
        height=uniform(generator, 1.9, 2.5),
        wheel=uniform(generator, 0.33, 0.37),
        front_x=0.5 * length - 0.85,
        rear_x=-0.5 * length + uniform(generator, 0.8, 1.1),
        lamp_z=0.85,
        paint=tint(generator, paint, 0.15, 0.05),
        dirt=uniform(generator, 0.2, 1.0),
        seed=whole(generator, 1, 9999),
    )
    half, side, belt = length / 2, plan.width / 2, 1.15
    nose, glass_from = uniform(generator, 0.35, 0.8), pick(generator, (0.45, -1.0))
    lean = (uniform(generator, 0.5, 0.9), 0.05, 0.1)
    parts = [
        _body(plan, (-half, half), (0.25, 0.7), (0.05, 0.02, 0.0), side),
        _body(plan, (-half + 0.01, half - 0.02), (0.7, belt), (0.45, 0.03, 0.03), side),
        _cabin(plan, (-half + 0.03, half - nose, belt, plan.height), lean, side - 0.02, glass_from),
        *_wheels(plan),
    ]
    return Vehicle("van", (length, plan.width, plan.height), primitives_from(parts))


def _truck(generator: torch.Generator) -> Vehicle:
    """A lorry with a closed box."""
    length, height = uniform(generator, 6.5, 8.5), uniform(generator, 2.9, 3.4)
    plan = Plan(
        length=length,
        width=uniform(generator, 2.2, 2.45),
        height=height,
        wheel=0.46,
        front_x=length / 2 - 1.0,
        rear_x=-length / 2 + 1.6,
        lamp_z=0.8,
        paint=tint(generator, pick(generator, PAINTS, PAINT_WEIGHTS), 0.2, 0.05),
        dirt=uniform(generator, 0.2, 1.0),
        seed=whole(generator, 1, 9999),
    )
    half, side, cab, middle = length / 2, plan.width / 2, length / 2 - 1.9, height / 2
    box = tint(generator, (0.6, 0.6, 0.58), 0.2, 0.06)
    parts = [
        _body(plan, (cab, half), (0.4, 1.55), (0.05, 0.0, 0.0), side),
        _cabin(plan, (cab, half - 0.06, 1.55, min(height, 2.65)), (0.15, 0.0, 0.06), side - 0.03),
        Part(Shape.BOX, Material.PAINTED, ((cab - 0.08 - half) / 2, 0.0, (0.95 + height) / 2 - middle),
             ((cab - 0.08 + half) / 2, side, (height - 0.95) / 2), box, details=(0.02,), seed=plan.seed),
        Part(Shape.BOX, Material.PAINTED, ((cab - half) / 2, 0.0, 0.75 - middle),
             ((cab + half) / 2 - 0.1, side - 0.35, 0.2), (0.04, 0.04, 0.04)),
        *_wheels(plan),
    ]  # fmt: skip
    return Vehicle("truck", (length, plan.width, height), primitives_from(parts))
