"""Designs of vehicles: bodies, cabins and wheels in the box frame (origin in the centre, x forward, z up)."""

import math
from dataclasses import dataclass

import torch

from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.primitives import Material, Part, Primitives, Shape, primitives_from
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole

PAINTS: tuple[Rgb, ...] = (
    (0.62, 0.62, 0.60), (0.42, 0.43, 0.44), (0.20, 0.21, 0.22), (0.025, 0.026, 0.028), (0.05, 0.09, 0.22),
    (0.36, 0.03, 0.03), (0.08, 0.16, 0.10), (0.45, 0.40, 0.30), (0.10, 0.22, 0.38), (0.55, 0.32, 0.06),
)  # fmt: skip


@dataclass(frozen=True)
class Vehicle:
    """A drawn vehicle."""

    label: str
    size_m: tuple[float, float, float]
    """Length, width, height of its box."""
    primitives_box: Primitives


def draw_vehicle(generator: torch.Generator) -> Vehicle:
    """Draw a car, van or lorry."""
    label = pick(generator, ("car", "van", "truck"), (0.8, 0.15, 0.05))
    if label == "car":
        return _car(generator)
    return _van(generator) if label == "van" else _truck(generator)


def _car(generator: torch.Generator) -> Vehicle:
    kind = pick(generator, ("hatch", "saloon", "estate", "suv"))
    tall = 0.17 if kind == "suv" else 0.0
    length = uniform(generator, 3.7, 4.2) if kind == "hatch" else uniform(generator, 4.3, 4.85)
    width = uniform(generator, 1.70, 1.88)
    height = uniform(generator, 1.40, 1.50) + tall
    paint = tint(generator, pick(generator, PAINTS), 0.2, 0.06)
    seed = whole(generator, 1, 9999)
    wheel = uniform(generator, 0.30, 0.34) + 0.2 * tall
    floor, belt = 0.19 + 0.4 * tall, uniform(generator, 0.56, 0.62) * height
    front_x, rear_x = 0.5 * length - uniform(generator, 0.78, 0.92), -0.5 * length + uniform(generator, 0.70, 0.95)
    dirt = uniform(generator, 0.0, 0.8)
    hood = uniform(generator, 0.80, 0.9) * belt
    cowl = 0.5 * length - uniform(generator, 1.0, 1.25)
    boot = {"hatch": 0.02, "estate": 0.03, "suv": 0.03, "saloon": uniform(generator, 0.65, 0.85)}[kind]
    rear_lean = {"hatch": 0.55, "estate": 0.35, "suv": 0.3, "saloon": 1.1}[kind] * uniform(generator, 0.85, 1.15)
    front_lean = uniform(generator, 1.25, 1.6)
    middle = height / 2

    def body(x0: float, x1: float, z0: float, z1: float, lean: tuple[float, float, float], half_y: float) -> Part:
        centre = ((x0 + x1) / 2, 0.0, (z0 + z1) / 2 - middle)
        lamp = (0.72 * belt - z0) / (z1 - z0)
        details = (front_x - centre[0], rear_x - centre[0], wheel, wheel - middle - centre[2], lamp, dirt)
        half = ((x1 - x0) / 2, half_y, (z1 - z0) / 2)
        return Part(Shape.WEDGE, Material.CAR_BODY, centre, half, paint, lean=lean, details=details, seed=seed)

    half_y = width / 2
    parts = [
        body(-length / 2, length / 2, floor, 0.72 * belt + 0.12, (0.10, 0.06, 0.02), half_y),
        body(-length / 2 + 0.04, cowl, 0.72 * belt + 0.12, belt, (0.6, 0.12, 0.12), half_y - 0.012),
        body(cowl - 0.3, length / 2 - 0.05, 0.72 * belt + 0.12, hood + 0.05, (2.2, 0.0, 0.35), half_y - 0.015),
        _cabin(-length / 2 + boot, cowl + 0.12, belt, height, middle, (front_lean, rear_lean, 0.28), half_y - 0.06, paint, seed),
    ]  # fmt: skip
    parts += _wheels((front_x, rear_x), wheel, half_y, middle, seed)
    for sign in (-1, 1):
        parts.append(
            Part(Shape.ELLIPSOID, Material.PAINTED, (cowl - 0.28, sign * (half_y + 0.07), belt + 0.06 - middle),
                 (0.07, 0.11, 0.075), paint, details=(0.05,), seed=seed)
        )  # fmt: skip
    return Vehicle("car", (length, width, height), primitives_from(parts))


def _cabin(
    x0: float, x1: float, z0: float, z1: float, middle: float,
    lean: tuple[float, float, float], half_y: float, paint: Rgb, seed: int, blind_share: float = -1.0,
) -> Part:  # fmt: skip
    return Part(
        Shape.WEDGE,
        Material.CAR_CABIN,
        ((x0 + x1) / 2, 0.0, (z0 + z1) / 2 - middle),
        ((x1 - x0) / 2, half_y, (z1 - z0) / 2),
        paint,
        lean=lean,
        details=(*lean, 0.07, blind_share),
        seed=seed,
    )


def _wheels(places: tuple[float, float], radius: float, half_y: float, middle: float, seed: int) -> list[Part]:
    return [
        Part(Shape.CYLINDER, Material.WHEEL, (x, sign * (half_y - 0.10), radius - middle), (radius, radius, 0.115),
             tilt_rad=math.pi / 2, seed=seed)
        for x in places
        for sign in (-1, 1)
    ]  # fmt: skip


def _van(generator: torch.Generator) -> Vehicle:
    length, width = uniform(generator, 4.8, 5.9), uniform(generator, 1.9, 2.05)
    height = uniform(generator, 1.9, 2.5)
    paint = tint(generator, PAINTS[0] if chance(generator, 0.5) else pick(generator, PAINTS), 0.15, 0.05)
    seed, wheel, middle = whole(generator, 1, 9999), uniform(generator, 0.33, 0.37), height / 2
    front_x, rear_x = 0.5 * length - 0.85, -0.5 * length + uniform(generator, 0.8, 1.1)
    belt, half_y = 1.15, width / 2
    nose = uniform(generator, 0.35, 0.8)
    dirt = uniform(generator, 0.2, 1.0)
    blind = pick(generator, (0.45, -1.0))
    z0 = 0.26
    lower = Part(
        Shape.WEDGE, Material.CAR_BODY, (0.0, 0.0, (z0 + belt) / 2 - middle), (length / 2, half_y, (belt - z0) / 2), paint,
        lean=(0.25, 0.03, 0.01),
        details=(front_x, rear_x, wheel, wheel - (z0 + belt) / 2, 0.62, dirt), seed=seed,
    )  # fmt: skip
    upper = _cabin(
        -length / 2 + 0.03, length / 2 - nose, belt, height, middle,
        (uniform(generator, 0.5, 0.9), 0.05, 0.1), half_y - 0.02, paint, seed, blind,
    )  # fmt: skip
    return Vehicle(
        "van",
        (length, width, height),
        primitives_from([lower, upper, *_wheels((front_x, rear_x), wheel, half_y, middle, seed)]),
    )


def _truck(generator: torch.Generator) -> Vehicle:
    length, width, height = uniform(generator, 6.5, 8.5), uniform(generator, 2.2, 2.45), uniform(generator, 2.9, 3.4)
    paint, box = tint(generator, pick(generator, PAINTS), 0.2, 0.05), tint(generator, (0.6, 0.6, 0.58), 0.2, 0.06)
    seed, wheel, middle, half_y = whole(generator, 1, 9999), 0.46, height / 2, width / 2
    front_x, rear_x, cab = length / 2 - 1.0, -length / 2 + 1.6, length / 2 - 1.9
    dirt = uniform(generator, 0.2, 1.0)
    z0, belt = 0.4, 1.55
    centre_x = (cab + length / 2) / 2
    front = Part(
        Shape.WEDGE, Material.CAR_BODY, (centre_x, 0.0, (z0 + belt) / 2 - middle), ((length / 2 - cab) / 2, half_y, (belt - z0) / 2), paint,
        lean=(0.05, 0.0, 0.0), details=(front_x - centre_x, 99.0, wheel, wheel - (z0 + belt) / 2, 0.35, dirt), seed=seed,
    )  # fmt: skip
    upper = _cabin(
        cab, length / 2 - 0.06, belt, min(height, 2.65), middle, (0.15, 0.0, 0.06), half_y - 0.03, paint, seed
    )
    cargo = Part(Shape.BOX, Material.PAINTED, ((cab - 0.08 - length / 2) / 2, 0.0, (0.95 + height) / 2 - middle),
                 ((cab - 0.08 + length / 2) / 2, half_y, (height - 0.95) / 2), box, details=(0.02,), seed=seed)  # fmt: skip
    chassis = Part(
        Shape.BOX,
        Material.PAINTED,
        ((cab - length / 2) / 2, 0.0, 0.75 - middle),
        ((cab + length / 2) / 2 - 0.1, half_y - 0.35, 0.2),
        (0.04, 0.04, 0.04),
    )
    return Vehicle(
        "truck",
        (length, width, height),
        primitives_from([front, upper, cargo, chassis, *_wheels((front_x, rear_x), wheel, half_y, middle, seed)]),
    )
