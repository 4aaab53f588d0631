"""How the ground looks: asphalt with wear and markings, kerbs, paved sidewalks, yards."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.sources.street.ground import GroundHits, GroundPlan, SideStreet
from gs_sim.sources.street.light import Rgb
from gs_sim.sources.street.noise import NoiseBank, draws_at, fields_at


@dataclass(frozen=True)
class RoadLineMark:
    """A painted line along the road."""

    d_m: float
    width_m: float
    dash_m: float
    gap_m: float
    """0 for a solid line."""


@dataclass(frozen=True)
class GroundLook:
    """Drawn parameters of the ground's appearance; colours are linear reflectances."""

    asphalt_rgb: Rgb
    asphalt_contrast: float
    patch_share: float
    crack_share: float
    track_darkness: float
    """How much darker the wheels' paths are."""
    lane_centres_m: tuple[float, ...]
    marks: tuple[RoadLineMark, ...]
    mark_brightness: float
    mark_wear: float
    has_zebras: bool
    kerb_rgb: Rgb
    walk_rgb: Rgb
    paver_m: tuple[float, float]
    """Size of the sidewalk's slabs along and across."""
    yard_rgb: Rgb
    has_grass: bool
    seed: int


@dataclass(frozen=True)
class GroundPoints:
    """n hits on the ground with the pixel's extent along and across the road."""

    hits: GroundHits
    footprint_s_m: Float[Tensor, "n"]
    footprint_d_m: Float[Tensor, "n"]


def stripe(offset_m: Tensor, half_width_m: float | Tensor, footprint_m: Tensor) -> Tensor:
    """Share of a pixel inside a stripe around zero, filtered by a box as wide as the pixel."""
    return ((half_width_m - offset_m.abs()) / footprint_m + 0.5).clamp(0.0, 1.0) * (
        (2 * half_width_m) / footprint_m
    ).clamp(max=1.0)


def ground_albedo(
    plan: GroundPlan, look: GroundLook, points: GroundPoints, bank: NoiseBank
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """Reflectance and the share of ambient light that arrives (less beside a kerb)."""
    hits = points.hits
    s, d, beyond = hits.s_m, hits.d_m, hits.beyond_kerb_m
    footprint = (points.footprint_s_m * points.footprint_d_m).sqrt()
    coarse = fields_at(bank, s, d, 37.0, footprint)
    middle = fields_at(bank, s * 0.8 + d * 0.6, d * 0.8 - s * 0.6, 5.3, footprint)
    fine = fields_at(bank, d + 0.31 * s, s - 0.31 * d, 0.83, footprint)
    road = _carriageway((plan, look, bank), points, (coarse, middle, fine))
    walk = _sidewalk(look, bank, points, (coarse, middle, fine))
    yard = _yard(look, (coarse, middle, fine))
    kerb = torch.tensor(look.kerb_rgb, device=s.device) * (
        1 + 0.08 * middle[:, 1:2] + 0.05 * fine[:, 1:2] + 0.08 * fine[:, 3:4]
    )
    joint = stripe(torch.remainder(s, 1.0) - 0.5, 0.008, points.footprint_s_m)
    kerb = kerb * (1 - 0.55 * joint[:, None])
    walk_width = torch.where(d > 0, plan.left_walk_m, plan.right_walk_m)
    outside = torch.maximum(d - plan.left_kerb_m, plan.right_kerb_m - d)
    is_yard = (outside > walk_width) & (beyond > 2.5) & (plan.setback_m > 0)
    albedo = torch.where((beyond > 0)[:, None], walk, road)
    albedo = torch.where(is_yard[:, None], yard, albedo)
    albedo = torch.where((hits.is_kerb | ((beyond >= 0) & (beyond < 0.15)))[:, None], kerb, albedo)
    gutter = 1 - 0.35 * torch.exp(-(-beyond).clamp(min=0) / 0.12) * (beyond < 0)
    occlusion = torch.where(hits.is_kerb, 0.6, gutter)
    return albedo.clamp(0.01, 0.95), occlusion


Layers = tuple[Float[Tensor, "n 4"], Float[Tensor, "n 4"], Float[Tensor, "n 4"]]


def _carriageway(
    ground: tuple[GroundPlan, GroundLook, NoiseBank], points: GroundPoints, layers: Layers
) -> Float[Tensor, "n 3"]:
    plan, look, bank = ground
    coarse, middle, fine = layers
    s, d = points.hits.s_m, points.hits.d_m
    stain = 1 + look.asphalt_contrast * (
        0.05 * coarse[:, 0] + 0.06 * middle[:, 0] + 0.06 * fine[:, 1] + 0.24 * fine[:, 3]
    )
    patch = _patches(look, bank, points)
    crack = _cracks(look, coarse, middle, points)
    tracks = torch.zeros_like(s)
    for centre in look.lane_centres_m:
        wheel = (d - centre).abs() - 0.78
        tracks = tracks + torch.exp(-((wheel / 0.32) ** 2)) - 0.6 * torch.exp(-(((d - centre) / 0.45) ** 2))
    shade = stain * patch * (1 - 0.55 * crack) * (1 - look.track_darkness * tracks * (1 + 0.3 * coarse[:, 1]))
    albedo = torch.tensor(look.asphalt_rgb, device=s.device) * shade[:, None]
    paint = _marking(plan, look, points)
    wear = (look.mark_wear * 1.5 + 0.6 * middle[:, 2] * look.mark_wear + 0.5 * fine[:, 2] * look.mark_wear).clamp(0, 1)
    white = look.mark_brightness * (1 + 0.06 * middle[:, 2] + 0.05 * fine[:, 3])
    return torch.lerp(albedo, white[:, None].expand_as(albedo), (paint * (1 - 0.8 * wear))[:, None])


def _patches(look: GroundLook, bank: NoiseBank, points: GroundPoints) -> Tensor:
    """Rectangles where the asphalt was opened and filled again, one per cell of a grid at most."""
    s, d = points.hits.s_m, points.hits.d_m
    cell_s, cell_d = torch.floor(s / 7.0), torch.floor(d / 2.6)
    u, v = s - cell_s * 7.0, d - cell_d * 2.6
    draws = draws_at(bank, cell_s, cell_d, look.seed).unbind(1)
    exists = draws[0] < look.patch_share
    half_s, half_d = 0.5 + 2.2 * draws[1], 0.3 + 0.8 * draws[2]
    inside = stripe(u - 3.5, half_s, points.footprint_s_m) * stripe(v - 1.3, half_d, points.footprint_d_m)
    border = inside * (
        1 - stripe(u - 3.5, half_s - 0.04, points.footprint_s_m) * stripe(v - 1.3, half_d - 0.04, points.footprint_d_m)
    )
    return 1 + exists * (inside * (0.45 * draws[3] - 0.3) - 0.25 * border)


def _cracks(look: GroundLook, coarse: Tensor, middle: Tensor, points: GroundPoints) -> Tensor:
    """Thin dark lines along a level of the noise, only in some areas."""
    width = 0.02 + 0.35 * (points.footprint_s_m * points.footprint_d_m).sqrt()
    line = (1 - (coarse[:, 1] + 0.06 * middle[:, 1]).abs() / width).clamp(min=0) * (0.02 / width)
    return line * (coarse[:, 2] > 1.2 - 2.4 * look.crack_share) * 1.6


def _marking(plan: GroundPlan, look: GroundLook, points: GroundPoints) -> Tensor:
    s, d = points.hits.s_m, points.hits.d_m
    paint = torch.zeros_like(s)
    blocked = torch.zeros_like(s)
    for side in plan.side_streets:
        blocked = torch.maximum(blocked, ((s - side.s_m).abs() < side.half_width_m + plan.corner_m).float())
    for mark in look.marks:
        line = stripe(d - mark.d_m, mark.width_m / 2, points.footprint_d_m)
        if mark.gap_m > 0:
            phase = torch.remainder(s, mark.dash_m + mark.gap_m) - mark.dash_m / 2
            line = line * stripe(phase, mark.dash_m / 2, points.footprint_s_m)
        paint = torch.maximum(paint, line * (1 - blocked))
    if look.has_zebras:
        for side in plan.side_streets:
            paint = torch.maximum(paint, _zebra(plan, side, points))
    return paint


def _zebra(plan: GroundPlan, side: SideStreet, points: GroundPoints) -> Tensor:
    """A crossing of the main road before the side street, and a stop line before that."""
    s, d = points.hits.s_m, points.hits.d_m
    along = s - (side.s_m - side.half_width_m - plan.corner_m - 2.5)
    area = stripe(along, 1.5, points.footprint_s_m)
    bars = stripe(torch.remainder(d, 1.0) - 0.5, 0.25, points.footprint_d_m)
    blurred = (points.footprint_d_m / 1.0).clamp(0, 1)
    width = plan.left_kerb_m - plan.right_kerb_m
    inside = stripe(d - (plan.left_kerb_m + plan.right_kerb_m) / 2, width / 2 - 0.3, points.footprint_d_m)
    stop = stripe(along + 3.0, 0.2, points.footprint_s_m) * (d < 0) * inside
    return torch.maximum(area * torch.lerp(bars, torch.full_like(bars, 0.5), blurred) * inside, stop)


def _sidewalk(look: GroundLook, bank: NoiseBank, points: GroundPoints, layers: Layers) -> Float[Tensor, "n 3"]:
    """Slabs in a running bond, each a little different, with dark joints and stains."""
    coarse, middle, fine = layers
    s, d = points.hits.s_m, points.hits.d_m
    length, width = look.paver_m
    row = torch.floor(d / width)
    shifted = s / length + 0.5 * torch.remainder(row, 2.0)
    column = torch.floor(shifted)
    footprint = torch.maximum(points.footprint_s_m / length, points.footprint_d_m / width)
    own = (draws_at(bank, column, row, look.seed)[:, 0] - 0.5) * (1 - footprint).clamp(0, 1)
    joint_s = stripe((shifted - column - 0.5).abs() * length - length / 2, 0.007, points.footprint_s_m)
    joint_d = stripe((d / width - row - 0.5).abs() * width - width / 2, 0.007, points.footprint_d_m)
    joint = torch.maximum(joint_s, joint_d)
    shade = 1 + 0.22 * own + 0.05 * coarse[:, 2] + 0.05 * middle[:, 2] + 0.04 * fine[:, 2] + 0.08 * fine[:, 3]
    return torch.tensor(look.walk_rgb, device=s.device) * (shade * (1 - 0.5 * joint))[:, None]


def _yard(look: GroundLook, layers: Layers) -> Float[Tensor, "n 3"]:
    coarse, middle, fine = layers
    shade = (
        1 + 0.1 * coarse[:, 0] + 0.1 * middle[:, 0] + 0.1 * fine[:, 0] + (0.3 if look.has_grass else 0.15) * fine[:, 3]
    )
    colour = torch.tensor(look.yard_rgb, device=shade.device) * shade[:, None]
    dry = (0.25 * (coarse[:, 1] + middle[:, 1])).clamp(0, 0.6)[:, None] if look.has_grass else 0.0
    return colour * (1 - dry) + dry * torch.tensor([0.24, 0.20, 0.12], device=shade.device)
