"""How vehicles look: painted bodies with lights, seams and plates, glazed cabins, wheels."""

import torch
from torch import Tensor

from gs_sim.sources.street.ground_surface import stripe
from gs_sim.sources.street.noise import NoiseBank, draws_at
from gs_sim.sources.street.object_surface import bevelled, wrapped_noise
from gs_sim.sources.street.surface import Points, Surface

SILL_Z_M = 0.33
"""Below this height bodies are of dark plastic."""
SEAMS_M = (-0.95, 0.08, 0.95)
"""Door seams, from the middle between the axles."""


def car_body_surface(points: Points, bank: NoiseBank) -> Surface:
    """Details: front and rear wheel x, wheel radius, wheel z, lamp z, dirt, road z (in the part's own axes)."""
    z = points.local_m[:, 2]
    px, normal = points.footprint_m, points.normal_local
    dirtiness, road_z = points.details[:, 5], points.details[:, 6]
    above = z - road_z
    is_side = (normal[:, 1].abs() > 0.7).float()
    noise = wrapped_noise(points, 2.7, bank)
    albedo = points.colours * (1 + 0.03 * noise[:, :1])
    dirt = (dirtiness * (0.75 - above).clamp(min=0) * (1.2 + 0.5 * noise[:, 1])).clamp(0, 0.6)
    albedo = torch.lerp(albedo, albedo.new_tensor([0.16, 0.14, 0.11]).expand_as(albedo), dirt[:, None])
    lines, well = _seams(points) * is_side, _wheel_wells(points) * is_side
    albedo = albedo * (1 - 0.75 * lines)[:, None]
    sill = ((SILL_Z_M - above) / px + 0.5).clamp(0, 1)
    albedo = torch.lerp(albedo, torch.full_like(albedo, 0.028), torch.maximum(0.9 * sill, well)[:, None])
    albedo, glow = _ends(points, bank, albedo)
    polish = 0.06 * (1 - well) * (1 - sill)
    shade = (0.4 + 0.6 * (above / 0.8).clamp(0, 1)) * (1 - 0.7 * well)
    rounded = bevelled(normal, points.local_m, points.half_m * points.half_m.new_tensor([1.0, 1.0, 9.0]), 0.22)
    return Surface(albedo, polish, shade, glow, rounded)


def _seams(points: Points) -> Tensor:
    """Gaps around doors and their handles."""
    x = points.local_m[:, 0] - 0.5 * (points.details[:, 0] + points.details[:, 1])
    above, px = points.local_m[:, 2] - points.details[:, 6], points.footprint_m
    gap = torch.zeros_like(x)
    for place in SEAMS_M:
        gap = torch.maximum(gap, stripe(x - place - 0.08 * (above - 0.6), 0.006, px))
    gap = torch.maximum(gap * (above > 0.36), stripe(above - 0.36, 0.008, px) * (x.abs() < 0.95))
    handle = torch.maximum(stripe(x - 0.22, 0.085, px), stripe(x + 0.8, 0.085, px)) * stripe(above - 0.76, 0.016, px)
    return torch.maximum(gap, 0.7 * handle)


def _wheel_wells(points: Points) -> Tensor:
    front_x, rear_x, wheel_m, wheel_z = points.details[:, :4].unbind(1)
    x, _, z = points.local_m.unbind(1)
    nearest = torch.minimum(torch.hypot(x - front_x, z - wheel_z), torch.hypot(x - rear_x, z - wheel_z))
    return ((1.15 * wheel_m - nearest) / points.footprint_m + 0.5).clamp(0, 1)


def _ends(points: Points, bank: NoiseBank, albedo: Tensor) -> tuple[Tensor, Tensor]:
    """Lamps that reach around the corners, a grille in front, a plate on both ends."""
    x, y, z = points.local_m.unbind(1)
    half_x, half_y, px, normal = points.half_m[:, 0], points.half_m[:, 1], points.footprint_m, points.normal_local
    from_lamp = z - points.details[:, 4]
    is_end = (normal[:, 0].abs() > 0.5).float()
    is_front = x > 0
    around = ((x.abs() - half_x + 0.22) / px + 0.5).clamp(0, 1) * (normal[:, 1].abs() > 0.7)
    own = draws_at(bank, torch.zeros_like(x), torch.ones_like(x), points.seeds)
    wide = (0.15 + 0.14 * own[:, 0]) * half_y
    lamp = stripe(y.abs() - half_y + wide, wide, px) * is_end
    lamp = torch.maximum(lamp, around) * stripe(from_lamp, 0.06 + 0.04 * own[:, 1], px)
    inner = (0.75 + 0.25 * torch.cos(y * 40) * torch.cos(z * 60))[:, None]
    white, red = albedo.new_tensor([0.62, 0.64, 0.63]), albedo.new_tensor([0.36, 0.015, 0.015])
    lamp_rgb = torch.where(is_front[:, None], white, red) * inner
    albedo = torch.lerp(albedo, lamp_rgb, lamp[:, None])
    grille = stripe(y, (0.35 + 0.3 * own[:, 2]) * half_y, px) * stripe(from_lamp + 0.07, 0.05 + 0.06 * own[:, 3], px)
    grille = grille * is_end * is_front * (1 - lamp)
    slats = 0.02 + 0.1 * (torch.remainder(z, 0.05) < 0.015) * (px < 0.03)
    albedo = torch.lerp(albedo, slats[:, None].expand_as(albedo), grille[:, None])
    plate_z = from_lamp + 0.27
    plate = stripe(y, 0.26, px) * stripe(plate_z, 0.055, px) * is_end
    letters = draws_at(bank, torch.floor(y / 0.045), torch.zeros_like(y), points.seeds)[:, 0] > 0.45
    letters &= (y.abs() < 0.22) & (plate_z.abs() < 0.035)
    white_plate = torch.where(letters, 0.08 + 0.3 * (px / 0.04).clamp(0, 1), 0.68)
    albedo = torch.lerp(albedo, white_plate[:, None].expand_as(albedo), plate[:, None])
    return albedo, 0.25 * lamp[:, None] * lamp_rgb


def car_cabin_surface(points: Points, bank: NoiseBank) -> Surface:
    """Glass between pillars under a painted roof; details: lean of front, back, sides, pillar width, where side glass ends."""
    lean_front, lean_back, lean_side, pillar_m, glass_from = points.details[:, :5].unbind(1)
    x, y, z = points.local_m.unbind(1)
    hx, hy, hz = points.half_m.unbind(1)
    px, normal = points.footprint_m, points.normal_local
    rise = z + hz
    is_side, is_roof = normal[:, 1].abs() > 0.6, normal[:, 2].abs() > 0.9
    inside_x = torch.minimum(x + hx - lean_back * rise, hx - lean_front * rise - x)
    inside_y = hy - lean_side * rise - y.abs()
    edge = torch.where(is_side, inside_x, inside_y)
    glass = ((edge - pillar_m) / px + 0.5).clamp(0, 1) * ((hz - 0.06 - z) / px + 0.5).clamp(0, 1)
    glass = glass * ((rise - 0.03) / px + 0.5).clamp(0, 1) * ~is_roof
    post = torch.maximum(stripe(x + 0.02 * hx, 0.04, px), stripe(x + 0.58 * hx, 0.035, px)) * is_side
    closed = ((glass_from * hx - x) / px + 0.5).clamp(0, 1) * is_side * (glass_from > -0.99)
    glass = glass * (1 - post) * (1 - closed)
    noise = wrapped_noise(points, 2.7, bank)
    seats = (torch.cos(x * 5.5 + 1.0) > 0.3) & (z < 0.1 * hz) & is_side
    inner = 0.012 + 0.004 * noise[:, 0].clamp(min=0) + 0.02 * seats
    rim = ((pillar_m * 0.5 - edge) / px + 0.5).clamp(0, 1) * ~is_roof
    painted = points.colours * (1 + 0.03 * noise[:, :1]) * (1 - 0.3 * rim * is_side)[:, None]
    albedo = torch.lerp(painted, inner[:, None].expand(-1, 3), glass[:, None])
    rounded = torch.where((glass > 0.5)[:, None], normal, bevelled(normal, points.local_m, points.half_m, 0.12))
    return Surface(albedo, 0.05 + 0.03 * glass, torch.ones_like(x), torch.zeros_like(albedo), rounded)


def wheel_surface(points: Points, bank: NoiseBank) -> Surface:
    """A tyre around a spoked rim."""
    x, y, _ = points.local_m.unbind(1)
    own = draws_at(bank, torch.zeros_like(x), torch.zeros_like(x), points.seeds)
    radius = torch.hypot(x, y) / points.half_m[:, 0]
    spokes = torch.cos(torch.atan2(y, x) * (5 + torch.floor(own[:, 0] * 4))) > 0.4 * own[:, 1] - 0.3
    is_rim = (radius < 0.68) & (points.normal_local[:, 2].abs() > 0.5)
    metal = torch.where(spokes | (radius < 0.2) | (radius > 0.62), 0.12 + 0.3 * own[:, 2], 0.025)
    albedo = torch.where(is_rim, metal, 0.022)[:, None].expand(-1, 3)
    gloss = torch.where(is_rim, 0.05, 0.0)
    return Surface(albedo, gloss, torch.full_like(x, 0.7), torch.zeros_like(albedo), points.normal_local)
