"""Lamp posts, signs, bollards, bins and boxes along the sidewalks, in their own frames; the road is at negative y."""

import math

import torch

from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.primitives import Material, Part, Shape
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole

SIGN_COLOURS: tuple[Rgb, ...] = ((0.45, 0.02, 0.02), (0.02, 0.08, 0.35), (0.55, 0.42, 0.03), (0.03, 0.03, 0.03))
BIN_COLOURS: tuple[Rgb, ...] = ((0.05, 0.12, 0.06), (0.10, 0.10, 0.11), (0.25, 0.18, 0.02), (0.05, 0.10, 0.25))
MATT, GLOSSY = (0.03,), (0.05,)
"""Mirror of painted metal."""


def draw_lamp(generator: torch.Generator, height_m: float, reach_m: float) -> list[Part]:
    """A pole with an arm over the road."""
    metal = tint(generator, (0.16, 0.17, 0.16), 0.3, 0.05)

    def pole(z: float, radius: float, half: float) -> Part:
        return Part(Shape.CYLINDER, Material.PAINTED, (0.0, 0.0, z), (radius, radius, half), metal, details=MATT)

    arm = (0.0, -reach_m / 2, height_m)
    return [
        pole(height_m / 2, 0.075, height_m / 2),
        pole(0.5, 0.11, 0.6),
        Part(Shape.CYLINDER, Material.PAINTED, arm, (0.045, 0.045, reach_m / 2), metal, tilt_rad=math.pi / 2),
        Part(Shape.BOX, Material.PAINTED, (0.0, -reach_m, height_m), (0.13, 0.32, 0.06), metal, details=MATT),
        Part(Shape.BOX, Material.LAMP, (0.0, -reach_m, height_m - 0.065), (0.1, 0.26, 0.02), (0.7, 0.68, 0.6)),
    ]


def draw_sign(generator: torch.Generator) -> list[Part]:
    """A traffic sign facing negative x."""
    height, size = uniform(generator, 2.1, 2.7), uniform(generator, 0.28, 0.38)
    colour = tint(generator, pick(generator, SIGN_COLOURS), 0.2, 0.05)
    is_round = chance(generator, 0.55)
    tall = size * (1.0 if is_round else uniform(generator, 0.7, 1.3))
    plate = Part(
        Shape.CYLINDER if is_round else Shape.BOX,
        Material.SIGN,
        (-0.05, 0.0, height),
        (size, tall, 0.012),
        colour,
        yaw_rad=-math.pi / 2,
        tilt_rad=math.pi / 2,
        details=(1.0 if is_round else 0.0, uniform(generator, 0.0, 1.0)),
        seed=whole(generator, 1, 9999),
    )
    pole = (0.03, 0.03, height / 2)
    return [
        Part(Shape.CYLINDER, Material.PAINTED, (0.0, 0.0, height / 2), pole, (0.4, 0.4, 0.4), details=GLOSSY),
        plate,
    ]


def draw_clutter(generator: torch.Generator) -> list[Part]:
    """One of the small things that stand on sidewalks."""
    draw = pick(generator, (_bin, _cabinet, _bollards, _planter, _bench, _bags))
    return draw(generator, whole(generator, 1, 9999))


def _bin(generator: torch.Generator, seed: int) -> list[Part]:
    colour = tint(generator, pick(generator, BIN_COLOURS), 0.3, 0.1)
    lean = (-0.08, -0.08, -0.05)
    half = (0.27, 0.3, 0.5)
    return [
        Part(Shape.WEDGE, Material.PAINTED, (0.0, 0.0, 0.5), half, colour, lean=lean, details=MATT, seed=seed),
        Part(Shape.BOX, Material.PAINTED, (0.0, 0.0, 1.03), (0.35, 0.36, 0.035), colour, details=MATT, seed=seed + 1),
    ]


def _cabinet(generator: torch.Generator, seed: int) -> list[Part]:
    half = (uniform(generator, 0.3, 0.7), uniform(generator, 0.15, 0.25), uniform(generator, 0.45, 0.75))
    grey = tint(generator, (0.38, 0.39, 0.36), 0.3, 0.08)
    return [Part(Shape.BOX, Material.CONCRETE, (0.0, 0.0, half[2]), half, grey, seed=seed)]


def _bollards(generator: torch.Generator, seed: int) -> list[Part]:
    colour = tint(generator, (0.3, 0.3, 0.29), 0.6, 0.05)
    white = (0.7, 0.68, 0.65)
    posts = []
    for k in range(whole(generator, 2, 5)):
        x = 1.4 * k
        posts.append(Part(Shape.CYLINDER, Material.PAINTED, (x, 0.0, 0.45), (0.06, 0.06, 0.5), colour, seed=seed))
        posts.append(Part(Shape.CYLINDER, Material.PAINTED, (x, 0.0, 0.8), (0.065, 0.065, 0.06), white, seed=seed))
    return posts


def _planter(generator: torch.Generator, seed: int) -> list[Part]:
    half = (uniform(generator, 0.4, 0.8), 0.35, 0.28)
    stone, green = tint(generator, (0.4, 0.37, 0.33), 0.2, 0.05), (0.08, 0.15, 0.04)
    bush = (half[0], 0.38, 0.35)
    return [
        Part(Shape.BOX, Material.CONCRETE, (0.0, 0.0, half[2]), half, stone, seed=seed),
        Part(Shape.CROWN, Material.LEAVES, (0.0, 0.0, 0.65), bush, green, details=(0.8, 0.1), seed=seed),
    ]


def _bench(generator: torch.Generator, seed: int) -> list[Part]:
    wood = tint(generator, (0.28, 0.17, 0.08), 0.3, 0.1)
    leg, grey = (0.05, 0.2, 0.22), (0.2, 0.2, 0.2)
    return [
        Part(Shape.BOX, Material.CONCRETE, (-0.7, 0.0, 0.2), leg, grey),
        Part(Shape.BOX, Material.CONCRETE, (0.7, 0.0, 0.2), leg, grey),
        Part(Shape.BOX, Material.PAINTED, (0.0, 0.0, 0.45), (0.9, 0.22, 0.03), wood, seed=seed),
        Part(Shape.BOX, Material.PAINTED, (0.0, 0.24, 0.75), (0.9, 0.03, 0.15), wood, seed=seed),
    ]


def _bags(generator: torch.Generator, seed: int) -> list[Part]:
    """Rubbish put out for collection."""
    dark, parts = (0.03, 0.03, 0.035), []
    for k in range(whole(generator, 1, 3)):
        half = (uniform(generator, 0.2, 0.32), uniform(generator, 0.2, 0.28), uniform(generator, 0.22, 0.35))
        centre = (0.4 * k, uniform(generator, -0.15, 0.15), 0.75 * half[2])
        parts.append(Part(Shape.ELLIPSOID, Material.PAINTED, centre, half, dark, details=GLOSSY, seed=seed + k))
    return parts
