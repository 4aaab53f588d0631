"""Motion: the ego's speed profile, and leading, oncoming and crossing vehicles that keep clear of each other."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.street.randomness import chance, pick, uniform
from gs_sim.sources.street.road_line import poses_on_road
from gs_sim.sources.street.site import Site
from gs_sim.sources.street.vehicles import Vehicle, draw_vehicle

BOX_PERIOD_NS = 50_000_000
"""Boxes are sampled this often; what is rendered follows the same interpolation between samples."""

SIDE_STREET_M = 60.0
"""How far from the road crossing vehicles start and stop."""


@dataclass(frozen=True)
class Mover:
    """A vehicle that drives."""

    actor_id: str
    vehicle: Vehicle
    world_from_box: Trajectory


@dataclass(frozen=True)
class Path:
    """Distance along and across the road, and yaw against it, at each stamp."""

    s_m: Float64[Tensor, "t"]
    d_m: Float64[Tensor, "t"]
    yaw_rad: Float64[Tensor, "t"]


def draw_ego_distance_m(generator: torch.Generator, seconds: Float64[Tensor, "t"]) -> Float64[Tensor, "t"]:
    """Distance driven since time zero: a cruising speed, slow waves on it, sometimes braking."""
    cruise = uniform(generator, 5.0, 13.0)
    wave, period, phase = (
        uniform(generator, 0.0, 0.2),
        uniform(generator, 4.0, 9.0),
        uniform(generator, 0.0, 2 * math.pi),
    )
    brake_to = uniform(generator, 0.15, 0.6) if chance(generator, 0.3) else 1.0
    brake_at = uniform(generator, 2.0, 8.0)
    fine = torch.arange(-1.0, float(seconds.max()) + 1.0, 0.02, dtype=torch.float64)
    dip = 1 - (1 - brake_to) * torch.exp(-(((fine - brake_at) / 1.8) ** 2))
    speed_mps = cruise * (1 + wave * torch.sin(2 * math.pi * fine / period + phase)) * dip
    driven = torch.cat([torch.zeros(1, dtype=torch.float64), ((speed_mps[1:] + speed_mps[:-1]) * 0.01).cumsum(0)])
    place = (seconds + 1.0) / 0.02
    before = place.long().clamp(0, len(fine) - 2)
    at = torch.lerp(driven[before], driven[before + 1], place - before)
    return at - driven[50]


def draw_movers(
    generator: torch.Generator,
    num: int,
    site: Site,
    ego: tuple[Int64[Tensor, "t"], Float64[Tensor, "t"]],
) -> tuple[Mover, ...]:
    """Draw vehicles one after another; a draw that would come too close to anything is drawn again, at most 60 times."""
    stamps_ns, ego_s = ego
    seconds = (stamps_ns - stamps_ns[0]).double() / 1e9
    taken = [(Path(ego_s, torch.full_like(ego_s, site.lanes.ego_d_m), torch.zeros_like(ego_s)), 4.8)]
    movers: list[Mover] = []
    attempts = 0
    while len(movers) < num and attempts < 60 * num:
        attempts += 1
        vehicle = draw_vehicle(generator)
        path = _draw_path(generator, site, seconds, ego_s)
        if any(_too_close(path, vehicle.size_m[0], other, length) for other, length in taken):
            continue
        taken.append((path, vehicle.size_m[0]))
        poses = poses_on_road(site.line, path.s_m, path.d_m, path.yaw_rad)
        poses[:, :3, 3] += 0.5 * vehicle.size_m[2] * poses[:, :3, 2]
        movers.append(Mover(f"moving_{len(movers):02d}", vehicle, Trajectory(stamps_ns, poses)))
    return tuple(movers)


def _draw_path(generator: torch.Generator, site: Site, seconds: Tensor, ego_s: Tensor) -> Path:
    draws = [_same_way, _oncoming, _crossing]
    is_crossed = any(street.is_left and street.is_right for street in site.plan.side_streets)
    weights = (0.4, 0.4 if site.lanes.oncoming_m else 0.0, 0.2 if is_crossed else 0.0)
    return pick(generator, draws, weights)(generator, site, seconds, ego_s)


def _same_way(generator: torch.Generator, site: Site, seconds: Tensor, ego_s: Tensor) -> Path:
    """Ahead of the ego vehicle or behind it, at nearly its speed."""
    gap = uniform(generator, 9.0, 45.0) * pick(generator, (1.0, 1.0, -1.0))
    drift = uniform(generator, -1.0, 1.5)
    sway = uniform(generator, 0.0, 1.0) * torch.sin(seconds * uniform(generator, 0.3, 0.9))
    d = torch.full_like(seconds, pick(generator, site.lanes.same_way_m))
    return Path(ego_s + gap + drift * seconds + sway, d, torch.zeros_like(seconds))


def _oncoming(generator: torch.Generator, site: Site, seconds: Tensor, ego_s: Tensor) -> Path:
    """Towards the ego vehicle at a steady speed, to be met at any time of the drive."""
    speed = uniform(generator, 4.0, 13.0)
    start = float(ego_s[0]) + uniform(generator, 10.0, 60.0 + speed * float(seconds[-1]))
    d = torch.full_like(seconds, pick(generator, site.lanes.oncoming_m))
    return Path(start - speed * seconds, d, torch.full_like(seconds, math.pi))


def _crossing(generator: torch.Generator, site: Site, seconds: Tensor, _ego_s: Tensor) -> Path:
    """Out of a side street, over the road, into the opposite one."""
    streets = [street for street in site.plan.side_streets if street.is_left and street.is_right]
    street, way = pick(generator, streets), pick(generator, (1.0, -1.0))
    speed, moment = uniform(generator, 5.0, 10.0), uniform(generator, 0.0, float(seconds[-1]))
    # Side streets end, so vehicles start from a standstill there and stop again.
    d = way * SIDE_STREET_M * torch.tanh(speed * (seconds - moment) / SIDE_STREET_M)
    s = torch.full_like(seconds, street.s_m + way * 1.5)
    return Path(s, d, torch.full_like(seconds, way * math.pi / 2))


def _too_close(path: Path, length_m: float, other: Path, other_length_m: float) -> bool:
    """Along the same lane a gap of 4 m is kept; across, 2.2 m between centre lines is enough when parallel."""
    parallel = torch.sin(path.yaw_rad - other.yaw_rad).abs() < 0.3
    half = 0.5 * (length_m + other_length_m)
    along = torch.where(parallel, half + 4.0, half + 3.0)
    across = torch.where(parallel, 2.2, half + 3.0)
    return bool((((path.s_m - other.s_m).abs() < along) & ((path.d_m - other.d_m).abs() < across)).any())
