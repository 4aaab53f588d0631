"""Lamp posts, signs, bollards, bins and boxes along the sidewalks."""

import math

import torch

from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.primitives import Material, Part, Shape
from gs_sim.sources.street.randomness import chance, pick, tint, uniform, whole

SIGN_COLOURS: tuple[Rgb, ...] = ((0.45, 0.02, 0.02), (0.02, 0.08, 0.35), (0.55, 0.42, 0.03), (0.03, 0.03, 0.03))


def draw_lamp(generator: torch.Generator, height_m: float, reach_m: float) -> list[Part]:
    """A pole with an arm over the road; the road is towards negative y."""
    metal = tint(generator, (0.16, 0.17, 0.16), 0.3, 0.05)
    return [
        Part(
            Shape.CYLINDER, Material.PAINTED, (0, 0, height_m / 2), (0.075, 0.075, height_m / 2), metal, details=(0.03,)
        ),
        Part(Shape.CYLINDER, Material.PAINTED, (0, 0, 0.5), (0.11, 0.11, 0.6), metal, details=(0.03,)),
        Part(
            Shape.CYLINDER,
            Material.PAINTED,
            (0, -reach_m / 2, height_m),
            (0.045, 0.045, reach_m / 2),
            metal,
            tilt_rad=math.pi / 2,
        ),
        Part(Shape.BOX, Material.PAINTED, (0, -reach_m, height_m), (0.13, 0.32, 0.06), metal, details=(0.03,)),
        Part(Shape.BOX, Material.LAMP, (0, -reach_m, height_m - 0.065), (0.1, 0.26, 0.02), (0.7, 0.68, 0.6)),
    ]


def draw_sign(generator: torch.Generator) -> list[Part]:
    """A traffic sign facing negative x."""
    height, size = uniform(generator, 2.1, 2.7), uniform(generator, 0.28, 0.38)
    colour = tint(generator, pick(generator, SIGN_COLOURS), 0.2, 0.05)
    is_round = chance(generator, 0.55)
    shape = Shape.CYLINDER if is_round else Shape.BOX
    details = (1.0 if is_round else 0.0, uniform(generator, 0.0, 1.0))
    return [
        Part(Shape.CYLINDER, Material.PAINTED, (0, 0, height / 2), (0.03, 0.03, height / 2), (0.4, 0.4, 0.4), details=(0.05,)),
        Part(shape, Material.SIGN, (-0.05, 0, height), (size, size * (1.0 if is_round else uniform(generator, 0.7, 1.3)), 0.012),
             colour, yaw_rad=-math.pi / 2, tilt_rad=math.pi / 2, details=details, seed=whole(generator, 1, 9999)),
    ]  # fmt: skip


def draw_clutter(generator: torch.Generator) -> list[Part]:
    """A bin, box, bollard, bench or hydrant at the origin."""
    kind = pick(generator, ("bin", "box", "bollard", "planter", "bench", "bags"))
    seed = whole(generator, 1, 9999)
    if kind == "bin":
        colour = tint(
            generator,
            pick(generator, ((0.05, 0.12, 0.06), (0.10, 0.10, 0.11), (0.25, 0.18, 0.02), (0.05, 0.10, 0.25))),
            0.3,
            0.1,
        )
        return [
            Part(Shape.WEDGE, Material.PAINTED, (0, 0, 0.5), (0.27, 0.3, 0.5), colour, lean=(-0.08, -0.08, -0.05), details=(0.03,), seed=seed),
            Part(Shape.BOX, Material.PAINTED, (0, 0, 1.03), (0.35, 0.36, 0.035), colour, details=(0.03,), seed=seed + 1),
        ]  # fmt: skip
    if kind == "box":
        half = (uniform(generator, 0.3, 0.7), uniform(generator, 0.15, 0.25), uniform(generator, 0.45, 0.75))
        return [
            Part(
                Shape.BOX,
                Material.CONCRETE,
                (0, 0, half[2]),
                half,
                tint(generator, (0.38, 0.39, 0.36), 0.3, 0.08),
                seed=seed,
            )
        ]
    if kind == "bollard":
        colour = tint(generator, (0.3, 0.3, 0.29), 0.6, 0.05)
        return [
            part
            for k in range(whole(generator, 2, 5))
            for part in (
                Part(Shape.CYLINDER, Material.PAINTED, (1.4 * k, 0, 0.45), (0.06, 0.06, 0.5), colour, details=(0.03,)),
                Part(Shape.CYLINDER, Material.PAINTED, (1.4 * k, 0, 0.8), (0.065, 0.065, 0.06), (0.7, 0.68, 0.65)),
            )
        ]
    if kind == "planter":
        half = (uniform(generator, 0.4, 0.8), 0.35, 0.28)
        return [
            Part(
                Shape.BOX,
                Material.CONCRETE,
                (0, 0, half[2]),
                half,
                tint(generator, (0.4, 0.37, 0.33), 0.2, 0.05),
                seed=seed,
            ),
            Part(
                Shape.CROWN,
                Material.LEAVES,
                (0, 0, 0.65),
                (half[0], 0.38, 0.35),
                (0.08, 0.15, 0.04),
                details=(0.8, 0.1),
                seed=seed,
            ),
        ]
    if kind == "bench":
        wood = tint(generator, (0.28, 0.17, 0.08), 0.3, 0.1)
        legs = [
            Part(Shape.BOX, Material.CONCRETE, (x, 0, 0.2), (0.05, 0.2, 0.22), (0.2, 0.2, 0.2)) for x in (-0.7, 0.7)
        ]
        return [
            *legs,
            Part(Shape.BOX, Material.PAINTED, (0, 0, 0.45), (0.9, 0.22, 0.03), wood, seed=seed),
            Part(Shape.BOX, Material.PAINTED, (0, 0.24, 0.75), (0.9, 0.03, 0.15), wood, seed=seed),
        ]
    return [
        Part(
            Shape.ELLIPSOID,
            Material.PAINTED,
            (0.4 * k, uniform(generator, -0.15, 0.15), 0.22),
            (0.28, 0.24, 0.3),
            (0.03, 0.03, 0.035),
            details=(0.05,),
            seed=seed + k,
        )
        for k in range(whole(generator, 1, 3))
    ]
