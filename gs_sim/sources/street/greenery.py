"""Trees and hedges: trunks under several crowns of leaves, no two alike."""

import math

import torch

from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.primitives import Material, Part, Shape
from gs_sim.sources.street.randomness import pick, tint, uniform, whole

GREENS: tuple[Rgb, ...] = (
    (0.07, 0.13, 0.03),
    (0.10, 0.16, 0.04),
    (0.05, 0.10, 0.035),
    (0.16, 0.17, 0.04),
    (0.22, 0.13, 0.03),
)


def draw_tree(generator: torch.Generator, scale: float) -> list[Part]:
    """Parts in the tree's own frame, its foot at the origin."""
    height = uniform(generator, 4.5, 8.5) * scale
    trunk_top = height * uniform(generator, 0.35, 0.5)
    radius = height * uniform(generator, 0.014, 0.024)
    seed = whole(generator, 1, 9999)
    green = tint(generator, pick(generator, GREENS), 0.25, 0.12)
    bark = tint(generator, (0.13, 0.10, 0.075), 0.3, 0.1)
    coverage = uniform(generator, 0.6, 0.8)
    parts = [
        Part(
            Shape.CYLINDER,
            Material.BARK,
            (0.0, 0.0, trunk_top / 2),
            (radius, radius, trunk_top / 2 + 0.4),
            bark,
            seed=seed,
        )
    ]
    for k in range(whole(generator, 5, 9)):
        angle = 2.4 * k + uniform(generator, 0.0, 1.0)
        reach = height * (0.0 if k == 0 else uniform(generator, 0.06, 0.22))
        z = height * uniform(generator, 0.5, 0.85) if k else height * 0.72
        size = height * uniform(generator, 0.13, 0.22)
        centre = (reach * math.cos(angle), reach * math.sin(angle), z)
        half = (
            size * uniform(generator, 0.9, 1.2),
            size * uniform(generator, 0.9, 1.2),
            size * uniform(generator, 0.75, 1.05),
        )
        parts.append(
            Part(
                Shape.CROWN, Material.LEAVES, centre, half, green, yaw_rad=angle, details=(coverage, 0.0), seed=seed + k
            )
        )
        if k:
            parts.append(_branch(centre, trunk_top, radius * 0.45, bark))
    return parts


def _branch(tip: tuple[float, float, float], foot_z: float, radius: float, bark: Rgb) -> Part:
    """A cylinder from the top of the trunk to the middle of a crown."""
    rise, reach = tip[2] - foot_z, math.hypot(tip[0], tip[1])
    length = math.hypot(rise, reach)
    # A cylinder's axis after yaw and tilt about its own x is (sin yaw sin tilt, -cos yaw sin tilt, cos tilt).
    yaw, tilt = math.atan2(tip[0], -tip[1]), math.atan2(reach, rise)
    centre = (tip[0] / 2, tip[1] / 2, (tip[2] + foot_z) / 2)
    return Part(Shape.CYLINDER, Material.BARK, centre, (radius, radius, length / 2), bark, yaw_rad=yaw, tilt_rad=tilt)


def draw_hedge(generator: torch.Generator, length_m: float) -> list[Part]:
    """A clipped hedge along x."""
    height, thick = uniform(generator, 0.7, 1.6), uniform(generator, 0.3, 0.5)
    green = tint(generator, pick(generator, GREENS[:3]), 0.25, 0.1)
    half = (length_m / 2, thick, height / 2 + 0.3)
    return [
        Part(
            Shape.BOX,
            Material.LEAVES,
            (0.0, 0.0, height / 2 - 0.3),
            half,
            green,
            details=(1.0, 0.1),
            seed=whole(generator, 1, 9999),
        )
    ]
