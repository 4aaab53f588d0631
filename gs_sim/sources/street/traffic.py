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
    plan, lanes = site.plan, site.lanes
    zero = torch.zeros_like(seconds)
    kind = pick(generator, ("lead", "oncoming", "crossing"), (0.4, 0.4, 0.2 if plan.side_streets else 0.0))
    if kind == "lead":
        gap = uniform(generator, 9.0, 45.0) * pick(generator, (1.0, 1.0, -1.0))
        drift = uniform(generator, -1.0, 1.5)
        sway = uniform(generator, 0.0, 1.0) * torch.sin(seconds * uniform(generator, 0.3, 0.9))
        d = pick(generator, lanes.same_way_m)
        return Path(ego_s + gap + drift * seconds + sway, zero + d, zero)
    if kind == "oncoming":
        if not lanes.oncoming_m:
            return Path(ego_s - 1e3, zero, zero)
        speed = uniform(generator, 4.0, 13.0)
        start = uniform(generator, 10.0, 60.0 + speed * float(seconds[-1]))
        return Path(start - speed * seconds, zero + pick(generator, lanes.oncoming_m), zero + math.pi)
    street = pick(generator, plan.side_streets)
    way = 1.0 if (street.is_left and (not street.is_right or chance(generator, 0.5))) else -1.0
    if not (street.is_left and street.is_right):
        return Path(ego_s - 1e3, zero, zero)
    speed, moment = uniform(generator, 5.0, 10.0), uniform(generator, 0.0, float(seconds[-1]))
    return Path(zero + street.s_m + way * 1.5, way * speed * (seconds - moment), zero + way * math.pi / 2)


def _too_close(path: Path, length_m: float, other: Path, other_length_m: float) -> bool:
    """Along the same lane a gap of 4 m is kept; across, 2.2 m between centre lines is enough when parallel."""
    parallel = torch.sin(path.yaw_rad - other.yaw_rad).abs() < 0.3
    half = 0.5 * (length_m + other_length_m)
    along = torch.where(parallel, half + 4.0, half + 3.0)
    across = torch.where(parallel, 2.2, half + 3.0)
    return bool((((path.s_m - other.s_m).abs() < along) & ((path.d_m - other.d_m).abs() < across)).any())
