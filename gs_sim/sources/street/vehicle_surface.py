"""How vehicles look: painted bodies with lights, seams and plates, glazed cabins, wheels."""

import torch
from torch import Tensor

from gs_sim.sources.street.ground_surface import stripe
from gs_sim.sources.street.noise import NoiseBank, draws_at
from gs_sim.sources.street.object_surface import bevelled, wrapped_noise
from gs_sim.sources.street.surface import Points, Surface


def car_body_surface(points: Points, bank: NoiseBank) -> Surface:
    """Details: front and rear wheel x, wheel radius, wheel centre z, lamp height share, dirt (all in the part's own axes)."""
    front_x, rear_x, wheel_m, wheel_z, lamp_share, dirtiness, _, _ = points.details.unbind(1)
    x, y, z = points.local_m.unbind(1)
    hx, hy, hz = points.half_m.unbind(1)
    px = points.footprint_m
    normal = points.normal_local
    is_side, is_end = normal[:, 1].abs() > 0.7, normal[:, 0].abs() > 0.5
    is_front = is_end & (normal[:, 0] > 0)
    noise = wrapped_noise(points, 2.7, bank)
    albedo = points.colours * (1 + 0.04 * noise[:, :1])
    dirt = (dirtiness * (0.35 - (z + hz) / (2 * hz)).clamp(min=0) * (2 + 0.8 * noise[:, 1])).clamp(0, 0.7)
    albedo = torch.lerp(albedo, albedo.new_tensor([0.16, 0.14, 0.11]).expand_as(albedo), dirt[:, None])
    seam = torch.zeros_like(x)
    for place in (-0.42, -0.02, 0.36):
        seam = torch.maximum(seam, stripe(x - place * hx, 0.006, px))
    seam = torch.maximum(seam * (z > -0.75 * hz), stripe(z + 0.62 * hz, 0.008, px)) * is_side
    handle = (
        is_side
        * stripe(z - 0.55 * hz, 0.015, px)
        * torch.maximum(stripe(x - 0.06 * hx, 0.09, px), stripe(x + 0.34 * hx, 0.09, px))
    )
    arch = torch.minimum(torch.hypot(x - front_x, z - wheel_z), torch.hypot(x - rear_x, z - wheel_z))
    well = ((1.14 * wheel_m - arch) / px + 0.5).clamp(0, 1) * is_side
    sill = ((-0.72 * hz - z) / px + 0.5).clamp(0, 1)
    albedo = albedo * (1 - 0.75 * torch.maximum(seam, 0.6 * handle))[:, None]
    albedo = torch.lerp(albedo, torch.full_like(albedo, 0.03), torch.maximum(0.9 * sill, well)[:, None])
    lamp_z = (2 * lamp_share - 1) * hz
    lamp = stripe(y.abs() - 0.76 * hy, 0.19 * hy, px) * stripe(z - lamp_z, 0.085, px) * is_end
    lamp_rgb = torch.where(
        is_front[:, None], albedo.new_tensor([0.75, 0.76, 0.74]), albedo.new_tensor([0.42, 0.02, 0.02])
    )
    albedo = torch.lerp(albedo, lamp_rgb.expand_as(albedo), lamp[:, None])
    grille = stripe(y, 0.5 * hy, px) * stripe(z - lamp_z + 0.06, 0.09, px) * is_front
    albedo = torch.lerp(albedo, torch.full_like(albedo, 0.025), grille[:, None])
    plate = stripe(y, 0.26, px) * stripe(z - lamp_z + 0.27, 0.055, px) * is_end
    letters = (
        (draws_at(bank, torch.floor(y / 0.045), torch.zeros_like(y), points.seeds)[:, 0] > 0.45)
        & (y.abs() < 0.22)
        & ((z - lamp_z + 0.27).abs() < 0.035)
    )
    albedo = torch.lerp(albedo, torch.where(letters, 0.08, 0.72)[:, None].expand_as(albedo), plate[:, None])
    polish = 0.07 * (1 - well) * (1 - sill)
    shade = (0.45 + 0.55 * ((z + hz) / (1.2 * hz)).clamp(0, 1)) * (1 - 0.7 * well)
    rounded = bevelled(normal, points.local_m, points.half_m, 0.13)
    return Surface(albedo, polish, shade, 0.35 * lamp[:, None] * lamp_rgb, rounded)


def car_cabin_surface(points: Points, bank: NoiseBank) -> Surface:
    """Glass between pillars under a painted roof; details: lean front, back, side, and pillar width."""
    lean_front, lean_back, lean_side, pillar_m, side_end, _, _, _ = points.details.unbind(1)
    x, y, z = points.local_m.unbind(1)
    hx, hy, hz = points.half_m.unbind(1)
    px = points.footprint_m
    normal = points.normal_local
    rise = z + hz
    is_side, is_roof = normal[:, 1].abs() > 0.6, normal[:, 2].abs() > 0.9
    left = -hx + lean_back * rise
    right = hx - lean_front * rise
    inside_x = torch.minimum(x - left, right - x)
    inside_y = hy - lean_side * rise - y.abs()
    edge = torch.where(is_side, inside_x, inside_y)
    glass = ((edge - pillar_m) / px + 0.5).clamp(0, 1) * ((hz - 0.07 - z) / px + 0.5).clamp(0, 1)
    glass = glass * ((rise - 0.04) / px + 0.5).clamp(0, 1) * ~is_roof
    post = torch.maximum(stripe(x + 0.05 * hx, 0.035, px), stripe(x + 0.62 * hx, 0.03, px)) * is_side
    blind = ((side_end * hx - x) / px + 0.5).clamp(0, 1) * is_side * (side_end > -0.99)
    glass = glass * (1 - post) * (1 - blind)
    noise = wrapped_noise(points, 2.7, bank)
    inner = 0.018 + 0.02 * (noise[:, 2] > 0.6) * (z < 0)
    albedo = torch.lerp(points.colours * (1 + 0.04 * noise[:, :1]), inner[:, None].expand(-1, 3), glass[:, None])
    rounded = torch.where((glass > 0.5)[:, None], normal, bevelled(normal, points.local_m, points.half_m, 0.1))
    return Surface(albedo, 0.06 + 0.05 * glass, torch.ones_like(x), torch.zeros_like(albedo), rounded)


def wheel_surface(points: Points, bank: NoiseBank) -> Surface:
    """A tyre around a spoked rim."""
    x, y, z = points.local_m.unbind(1)
    radius = torch.hypot(x, y) / points.half_m[:, 0]
    angle = torch.atan2(y, x)
    spokes = torch.cos(angle * (5 + torch.remainder(points.seeds, 3))) > -0.2
    is_rim = (radius < 0.68) & (points.normal_local[:, 2].abs() > 0.5)
    metal = torch.where(spokes | (radius < 0.2) | (radius > 0.62), 0.38, 0.04)
    level = torch.where(is_rim, metal, 0.025)
    albedo = level[:, None].expand(-1, 3)
    return Surface(
        albedo, torch.where(is_rim, 0.05, 0.0), torch.full_like(x, 0.7), torch.zeros_like(albedo), points.normal_local
    )
