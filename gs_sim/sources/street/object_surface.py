"""How everything else looks: leaves, bark, paint, concrete, signs, lamps, roofs."""

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.sources.street.ground_surface import stripe
from gs_sim.sources.street.noise import NoiseBank, draws_at, fields_at
from gs_sim.sources.street.primitives import Shape
from gs_sim.sources.street.surface import Points, Surface, matt


def wrapped_noise(points: Points, tile_m: float, bank: NoiseBank) -> Float[Tensor, "n 4"]:
    """Noise on any shape: the tile is laid on the plane that the surface faces most."""
    x, y, z = points.local_m.unbind(1)
    face = points.normal_local.abs().argmax(1)
    offset = 1.7 * points.seeds.to(x.dtype)
    u = torch.where(face == 0, y, x) + offset
    v = torch.where(face == 2, y, z)
    return fields_at(bank, u, v, tile_m, points.footprint_m)


def leaves_surface(points: Points, bank: NoiseBank) -> Surface:
    """Clumps of lighter and darker leaves; darker inside and below. Details: coverage, darkness."""
    clump = wrapped_noise(points, 2.3, bank)
    leaf = wrapped_noise(points, 0.7, bank)
    shade = (1 + 0.16 * clump[:, 0] + 0.16 * leaf[:, 1] + 0.26 * leaf[:, 3]).clamp(min=0.3)
    hue = 1 + 0.10 * clump[:, 1:2] * points.colours.new_tensor([1.0, 0.2, -0.6])
    inside = torch.where(points.shapes == Shape.CROWN, (points.local_m / points.half_m).norm(dim=1), 1.0)
    depth = ((1.0 - inside) * 1.7).clamp(0.0, 0.8) + points.details[:, 1]
    below = 0.72 + 0.28 * (points.local_m[:, 2] / points.half_m[:, 2]).clamp(-1, 1)
    return matt(points, points.colours * hue * (shade * (1 - 0.5 * depth))[:, None], below * (1 - depth))


def bark_surface(points: Points, bank: NoiseBank) -> Surface:
    """Vertical ridges."""
    angle = torch.atan2(points.local_m[:, 1], points.local_m[:, 0]) * points.half_m[:, 0]
    ridges = fields_at(bank, angle * 4.0, points.local_m[:, 2], 2.1, points.footprint_m * 2.0)
    return matt(points, points.colours * (1 + 0.3 * ridges[:, :1] + 0.15 * ridges[:, 1:2]).clamp(min=0.2), 0.8)


def painted_surface(points: Points, bank: NoiseBank) -> Surface:
    """Metal or plastic with some dirt; details: mirror."""
    dirt = wrapped_noise(points, 1.3, bank)
    albedo = points.colours * (1 + 0.10 * dirt[:, :1] + 0.05 * dirt[:, 1:2])
    return Surface(
        albedo, points.details[:, 0], torch.full_like(dirt[:, 0], 0.85), torch.zeros_like(albedo), points.normal_local
    )


def concrete_surface(points: Points, bank: NoiseBank) -> Surface:
    """Rough mineral surface."""
    stains = wrapped_noise(points, 3.1, bank)
    grain = wrapped_noise(points, 0.4, bank)
    return matt(points, points.colours * (1 + 0.13 * stains[:, :1] + 0.09 * grain[:, :1]), 0.85)


def roof_surface(points: Points, bank: NoiseBank) -> Surface:
    """Rows of tiles along the eaves."""
    stains = wrapped_noise(points, 4.7, bank)
    x, _, z = points.local_m.unbind(1)
    row = torch.floor(z / 0.22)
    column = torch.floor(x / 0.26 + 0.5 * torch.remainder(row, 2.0))
    fade = (1 - points.footprint_m / 0.25).clamp(0, 1)
    own = (draws_at(bank, row, column, points.seeds)[:, 0] - 0.5) * fade
    edge = stripe(torch.remainder(z, 0.22) - 0.11, 0.02, points.footprint_m)
    shade = (1 + 0.25 * own + 0.12 * stains[:, 0]) * (1 - 0.35 * edge)
    return matt(points, points.colours * shade[:, None], 1.0)


def sign_surface(points: Points, _bank: NoiseBank) -> Surface:
    """A plate with a border and a symbol of bars; details: kind."""
    x, y, _ = points.local_m.unbind(1)
    radius = torch.maximum(x.abs() / points.half_m[:, 0], y.abs() / points.half_m[:, 1])
    round_radius = torch.hypot(x / points.half_m[:, 0], y / points.half_m[:, 1])
    radius = torch.where(points.details[:, 0] > 0.5, round_radius, radius)
    is_border = radius > 0.78
    bar = (torch.remainder(y / points.half_m[:, 1] * 1.6 + points.details[:, 1], 1.0) < 0.42) & (
        x.abs() < 0.5 * points.half_m[:, 0]
    )
    ink = torch.where((is_border | bar)[:, None], points.colours, torch.full_like(points.colours, 0.75))
    back = torch.full_like(points.colours, 0.35)
    is_face = (points.normal_local[:, 2] > 0.5)[:, None]
    return matt(points, torch.where(is_face, ink, back), 0.9)


def lamp_surface(points: Points, _bank: NoiseBank) -> Surface:
    """A lens that is switched off."""
    return Surface(
        points.colours,
        torch.full_like(points.footprint_m, 0.08),
        torch.ones_like(points.footprint_m),
        torch.zeros_like(points.colours),
        points.normal_local,
    )


def bevelled(normal: Tensor, local_m: Tensor, half_m: Tensor, width_m: float) -> Tensor:
    """Round a box's edges for the light only: near an edge the normal leans towards the next face."""
    near = ((local_m.abs() - half_m + width_m) / width_m).clamp(0.0, 1.0) * torch.sign(local_m)
    return torch.nn.functional.normalize(normal + 0.7 * near.square() * torch.sign(near), dim=1)
