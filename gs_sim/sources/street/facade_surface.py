"""How houses look: walls of brick, plaster, concrete or glass, with windows, frames, sills and doors."""

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.sources.street.ground_surface import stripe
from gs_sim.sources.street.noise import NoiseBank, draws_at, fields_at
from gs_sim.sources.street.surface import Points, Surface

BRICK, PLASTER, CONCRETE, GLASS = 0.0, 1.0, 2.0, 3.0


def facade_surface(points: Points, bank: NoiseBank) -> Surface:
    """Details: storey height, bay width, window width and height shares, wall kind, ground floor height, sunk depth, style seed."""
    storey_m, bay_m, wide, high, kind, first_m, sunk_m, _ = points.details.unbind(1)
    x, y, z = points.local_m.unbind(1)
    is_front = points.normal_local[:, 1].abs() > points.normal_local[:, 0].abs()
    u = torch.where(is_front, x, y)
    length_m = 2 * torch.where(is_front, points.half_m[:, 0], points.half_m[:, 1])
    v = z + points.half_m[:, 2] - sunk_m
    footprint = points.footprint_m
    coarse = fields_at(bank, u + 13.0 * points.seeds, v, 17.0, footprint)
    fine = fields_at(bank, u - 3.0 * points.seeds, v, 1.9, footprint)
    wall = _wall(points, bank, kind, (u, v), (coarse, fine))
    num_bays = (length_m / bay_m).floor().clamp(min=1.0)
    place = (u / length_m + 0.5) * num_bays
    bay = place.floor()
    is_ground_floor = v < first_m
    floor = torch.where(is_ground_floor, -torch.ones_like(v), ((v - first_m) / storey_m).floor())
    across = (place - bay - 0.5) * (length_m / num_bays)
    up = torch.where(is_ground_floor, v - 0.5 * first_m, (v - first_m) - (floor + 0.5) * storey_m)
    half_w = 0.5 * wide * length_m / num_bays
    half_h = 0.5 * high * torch.where(is_ground_floor, first_m * 0.9, storey_m)
    top = 2 * points.half_m[:, 2] - sunk_m
    is_upright = points.normal_local[:, 2].abs() < 0.5
    exists = is_upright & (up.abs() < 5) & ((v + half_h - up) < top) & (v > 0.15)
    window = stripe(across, half_w, footprint) * stripe(up, half_h, footprint) * exists
    pane = stripe(across, half_w - 0.07, footprint) * stripe(up, half_h - 0.07, footprint) * exists
    bars = torch.maximum(stripe(across, 0.03, footprint), stripe(up - 0.25 * half_h, 0.03, footprint))
    pane = pane * (1 - bars)
    sill = stripe(across, half_w + 0.12, footprint) * stripe(up + half_h + 0.06, 0.06, footprint) * exists
    glass = _glass(draws_at(bank, bay, floor, points.seeds), across / half_w, up / half_h)
    frame_white = (0.25 + 0.55 * draws_at(bank, torch.zeros_like(bay), torch.zeros_like(bay), points.seeds)[:, :1]).expand(-1, 3)
    albedo = torch.lerp(wall, frame_white, torch.maximum(window, sill)[:, None])
    albedo = torch.lerp(albedo, glass, pane[:, None])
    recess = window * (0.35 * torch.exp(-(half_h - up).clamp(min=0) / 0.25))
    base = 0.62 + 0.38 * (v / 3.0).clamp(0, 1)
    return Surface(albedo, 0.10 * pane, base * (1 - recess), torch.zeros_like(albedo), points.normal_local)


def _glass(draws: Float[Tensor, "n 4"], across: Tensor, up: Tensor) -> Float[Tensor, "n 3"]:
    """A dim room, here and there with curtains or a blind."""
    draw, shade, state, _ = draws.unbind(1)
    dark = 0.015 + 0.05 * shade
    curtain = (across.abs() > 0.35 + 0.5 * state) & (draw < 0.45)
    blind = (up > 1.6 * state - 0.8) & (draw > 0.75)
    bright = 0.25 + 0.3 * shade
    level = torch.where(curtain | blind, bright, dark)
    return torch.stack([level, level * 0.97, level * (0.9 + 0.15 * state)], dim=1)


def _wall(
    points: Points, bank: NoiseBank, kind: Tensor, place: tuple[Tensor, Tensor], noise: tuple[Tensor, Tensor]
) -> Float[Tensor, "n 3"]:
    (u, v), (coarse, fine) = place, noise
    footprint = points.footprint_m
    row = torch.floor(v / 0.083)
    shifted = u / 0.24 + 0.5 * torch.remainder(row, 2.0)
    column = torch.floor(shifted)
    own = (draws_at(bank, column, row, points.seeds)[:, 0] - 0.5) * (1 - footprint / 0.12).clamp(0, 1)
    joint = torch.maximum(
        stripe((shifted - column - 0.5).abs() * 0.24 - 0.12, 0.006, footprint),
        stripe((v / 0.083 - row - 0.5).abs() * 0.083 - 0.0415, 0.006, footprint),
    )
    brick = (1 + 0.45 * own + 0.08 * fine[:, 0])[:, None] * points.colours
    brick = torch.lerp(brick, torch.full_like(brick, 0.38), (0.8 * joint)[:, None])
    plaster = points.colours * (1 + 0.06 * fine[:, 0])[:, None]
    panel = torch.maximum(
        stripe(torch.remainder(u, 2.7) - 1.35, 0.012, footprint),
        stripe(torch.remainder(v, 1.4) - 0.7, 0.012, footprint),
    )
    concrete = points.colours * ((1 + 0.09 * fine[:, 0]) * (1 - 0.45 * panel))[:, None]
    wall = torch.where((kind == BRICK)[:, None], brick, torch.where((kind == PLASTER)[:, None], plaster, concrete))
    streak = 1 + 0.09 * coarse[:, 0] + 0.05 * coarse[:, 1]
    dirt = 1 - 0.30 * torch.exp(-(v.clamp(min=0) / 0.5)) * (1 + 0.4 * fine[:, 1])
    return wall * (streak * dirt)[:, None]
