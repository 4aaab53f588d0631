"""How houses look: walls of brick, plaster, concrete or panels, with recessed windows, doors and shop fronts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.sources.street.ground_surface import stripe
from gs_sim.sources.street.noise import NoiseBank, draws_at, fields_at
from gs_sim.sources.street.surface import Points, Surface

BRICK, PLASTER, CONCRETE, PANELS = 0.0, 1.0, 2.0, 3.0
FLAT, SHOPS = 0.0, 1.0
"""What the ground floor is for."""
RECESS_M = 0.14
"""How deep windows lie behind the wall."""


@dataclass(frozen=True)
class Grid:
    """Where n points of a facade lie in its pattern of bays and storeys; lengths in metres."""

    u: Float[Tensor, "n"]
    """Along the wall."""
    v: Float[Tensor, "n"]
    """Above the street."""
    bay: Float[Tensor, "n"]
    floor: Float[Tensor, "n"]
    """-1 on the ground floor."""
    across: Float[Tensor, "n"]
    """From the middle of the bay."""
    up: Float[Tensor, "n"]
    """From the middle of the opening."""
    half_w: Float[Tensor, "n"]
    half_h: Float[Tensor, "n"]
    """Half size of the opening; 0 where there is none."""
    is_shop: Float[Tensor, "n"]
    is_door: Float[Tensor, "n"]
    draws: Float[Tensor, "n 4"]
    """Random numbers of the opening."""


def facade_surface(points: Points, bank: NoiseBank) -> Surface:
    """Details: storey height, bay width, width and height shares of windows, wall kind, ground floor height, sunk depth, use."""
    grid = _grid(points, bank)
    px = points.footprint_m
    wall = _wall(points, bank, grid)
    opening = stripe(grid.across, grid.half_w, px) * stripe(grid.up, grid.half_h, px) * (grid.half_w > 0)
    across, up = _behind(points, grid)
    frame_m = torch.where(grid.is_shop > 0, 0.05, 0.075)
    pane = stripe(across, grid.half_w - frame_m, px) * stripe(up, grid.half_h - frame_m, px) * opening
    bars = torch.maximum(stripe(across, 0.03, px), stripe(up - 0.3 * grid.half_h, 0.03, px) * (1 - grid.is_shop))
    pane = pane * (1 - bars) * (1 - grid.is_door)
    frame = stripe(across, grid.half_w, px) * stripe(up, grid.half_h, px) * opening
    reveal = opening * (1 - frame)
    sill = (
        stripe(grid.across, grid.half_w + 0.12, px) * stripe(grid.up + grid.half_h + 0.05, 0.05, px) * (grid.floor >= 0)
    )
    own = draws_at(bank, torch.zeros_like(px), torch.zeros_like(px), points.seeds)
    frame_rgb = (0.08 + 0.6 * (own[:, :1] > 0.3) * own[:, 1:2]).expand(-1, 3)
    door_rgb = 0.04 + 0.05 * own[:, 3:] + 0.12 * own[:, 1:].square()
    leaf = torch.where((grid.is_door > 0)[:, None], door_rgb, frame_rgb)
    albedo = torch.lerp(wall, (0.3 + 0.3 * own[:, 3:]).expand(-1, 3), sill[:, None])
    albedo = torch.lerp(albedo, wall * 0.9, reveal[:, None])
    albedo = torch.lerp(albedo, leaf, frame[:, None])
    albedo = torch.lerp(albedo, _glass(bank, grid, across, up), pane[:, None])
    hidden = opening * (0.25 + 0.4 * torch.exp(-(grid.half_h - grid.up).clamp(min=0) / 0.3))
    below_sill = (
        0.25
        * torch.exp(-(-grid.up - grid.half_h - 0.1).clamp(min=0) / 0.15)
        * stripe(grid.across, grid.half_w + 0.1, px)
    )
    base = 0.62 + 0.38 * (grid.v / 3.0).clamp(0, 1)
    occlusion = base * (1 - hidden) * (1 - below_sill * (grid.up < -grid.half_h - 0.1) * (grid.floor >= 0))
    return Surface(albedo, 0.09 * pane, occlusion, torch.zeros_like(albedo), points.normal_local)


def _grid(points: Points, bank: NoiseBank) -> Grid:
    storey_m, bay_m, wide, high, _, first_m, sunk_m, use = points.details.unbind(1)
    x, y, z = points.local_m.unbind(1)
    is_front = points.normal_local[:, 1].abs() > points.normal_local[:, 0].abs()
    u = torch.where(is_front, x, y)
    length_m = 2 * torch.where(is_front, points.half_m[:, 0], points.half_m[:, 1])
    v = z + points.half_m[:, 2] - sunk_m
    num_bays = (length_m / bay_m).floor().clamp(min=1.0)
    pitch_m = length_m / num_bays
    place = (u / length_m + 0.5) * num_bays
    bay = place.floor()
    is_first = v < first_m
    floor = torch.where(is_first, -1.0, ((v - first_m) / storey_m).floor())
    draws = draws_at(bank, bay, floor, points.seeds)
    street_side = is_front & (points.normal_local[:, 1] < 0)
    is_shop = is_first & (use == SHOPS) & street_side
    is_door = is_first & street_side & (draws[:, 3] < 0.22)
    half_w = torch.where(is_shop, 0.46, 0.5 * wide) * pitch_m
    half_w = torch.where(is_door, torch.minimum(0.42 * pitch_m, half_w.new_tensor(0.55)), half_w)
    half_h = torch.where(is_first, 0.30 * first_m, 0.5 * high * storey_m)
    centre_v = torch.where(is_first, torch.where(is_shop, 0.36, 0.52) * first_m, first_m + (floor + 0.5) * storey_m)
    half_h, centre_v = torch.where(is_door, 1.08, half_h), torch.where(is_door, 1.08, centre_v)
    top = 2 * points.half_m[:, 2] - sunk_m
    is_blind = (~is_front) & (draws[:, 2] < 0.5)
    exists = (points.normal_local[:, 2].abs() < 0.5) & (centre_v + half_h + 0.1 < top) & (v > 0.0) & ~is_blind
    return Grid(
        u, v, bay, floor, (place - bay - 0.5) * pitch_m, v - centre_v,
        torch.where(exists, half_w, 0.0), half_h, is_shop.float(), is_door.float(), draws,
    )  # fmt: skip


def _behind(points: Points, grid: Grid) -> tuple[Tensor, Tensor]:
    """Where the ray meets the plane of the glass, RECESS_M behind the wall."""
    view, normal = points.view_local, points.normal_local
    depth = RECESS_M / (view * normal).sum(1).abs().clamp(min=0.15)
    is_front = normal[:, 1].abs() > normal[:, 0].abs()
    return grid.across + depth * torch.where(is_front, view[:, 0], view[:, 1]), grid.up + depth * view[:, 2]


def _glass(bank: NoiseBank, grid: Grid, across: Tensor, up: Tensor) -> Float[Tensor, "n 3"]:
    """A dim room, here and there with curtains, a blind, or shelves behind a shop's window."""
    draw, shade, state, _ = grid.draws.unbind(1)
    dark = 0.012 + 0.04 * shade
    curtain = (across.abs() > (0.35 + 0.5 * state) * grid.half_w) & (draw < 0.45)
    blind = (up > (1.6 * state - 0.8) * grid.half_h) & (draw > 0.75)
    folds = 1 + 0.12 * torch.cos(across * 55.0) * curtain
    level = torch.where((curtain | blind) & (grid.is_shop == 0), (0.2 + 0.3 * shade) * folds, dark)
    row = torch.floor(up / 0.33)
    goods = draws_at(bank, torch.floor(across / (0.12 + 0.3 * draw)), row + 40 * grid.bay, 17)
    is_stocked = (
        (grid.is_shop > 0) & (goods[:, 0] < 0.6) & (torch.remainder(up, 0.33) < 0.28 * goods[:, 1]) & (state < 0.75)
    )
    level = torch.where(is_stocked & (up < 0.5 * grid.half_h), 0.03 + 0.22 * goods[:, 2].square(), level)
    return torch.stack([level, level * (0.94 + 0.06 * draw), level * (0.85 + 0.2 * state)], dim=1)


def _wall(points: Points, bank: NoiseBank, grid: Grid) -> Float[Tensor, "n 3"]:
    u, v, px, kind = grid.u, grid.v, points.footprint_m, points.details[:, 4]
    coarse = fields_at(bank, u + 13.0 * points.seeds, v, 19.0, px)
    streaks = fields_at(bank, u * 2.3 - 5.0 * points.seeds, v * 0.3, 4.1, px)
    fine = fields_at(bank, u - 3.0 * points.seeds, v, 1.1, px)
    row = torch.floor(v / 0.083)
    shifted = u / 0.24 + 0.5 * torch.remainder(row, 2.0)
    column = torch.floor(shifted)
    own = (draws_at(bank, column, row, points.seeds)[:, 0] - 0.5) * (1 - px / 0.12).clamp(0, 1)
    joint = torch.maximum(
        stripe((shifted - column - 0.5).abs() * 0.24 - 0.12, 0.006, px),
        stripe((v / 0.083 - row - 0.5).abs() * 0.083 - 0.0415, 0.006, px),
    )
    brick = (1 + 0.45 * own + 0.05 * fine[:, 0] + 0.08 * fine[:, 3])[:, None] * points.colours
    brick = torch.lerp(brick, torch.full_like(brick, 0.36), (0.75 * joint)[:, None])
    plaster = points.colours * (1 + 0.03 * fine[:, 0] + 0.06 * fine[:, 3])[:, None]
    panel = torch.maximum(
        stripe(torch.remainder(u, 2.7) - 1.35, 0.012, px), stripe(torch.remainder(v, 1.4) - 0.7, 0.012, px)
    )
    concrete = points.colours * ((1 + 0.05 * fine[:, 0] + 0.07 * fine[:, 3]) * (1 - 0.45 * panel))[:, None]
    wall = torch.where((kind == BRICK)[:, None], brick, torch.where((kind == PLASTER)[:, None], plaster, concrete))
    stain = 1 + 0.045 * coarse[:, 0] + 0.035 * streaks[:, 0]
    hue = 1 + 0.02 * coarse[:, 1:4] * (kind != PANELS)[:, None]
    dirt = 1 - 0.30 * torch.exp(-(v.clamp(min=0) / 0.45)) * (1 + 0.5 * streaks[:, 1])
    sign = stripe(v - 0.79 * points.details[:, 5], 0.22, px) * (grid.is_shop > 0)
    sign_rgb = (
        0.04 + 0.5 * draws_at(bank, torch.floor(grid.bay / 3.0), torch.full_like(u, 77.0), points.seeds)[:, :3].square()
    )
    letters = (draws_at(bank, torch.floor(u / 0.16), torch.floor(grid.bay / 3.0), points.seeds)[:, 1] > 0.45) & (
        (v - 0.79 * points.details[:, 5]).abs() < 0.1
    )
    sign_rgb = torch.where((letters & (px < 0.12))[:, None], 0.7 - 0.6 * sign_rgb, sign_rgb)
    return torch.lerp(wall * hue * (stain * dirt)[:, None], sign_rgb, sign[:, None])
