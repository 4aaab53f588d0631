"""One revolution of a spinning LiDAR, every column at its own time, with the faults real ones have."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from gs_sim.geometry.pose import pose_from, transform_points
from gs_sim.geometry.trajectory import poses_at
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources.street.bundles import Bundles
from gs_sim.sources.street.camera_image import noise_seed
from gs_sim.sources.street.street import Street, world_at
from gs_sim.sources.street.trace import surfaces_of, trace
from gs_sim.sources.street.workers import map_pieces

SECTOR_COLUMNS = 48
"""Columns cast together: within them moving vehicles stand still (a few milliseconds)."""
BUNDLE_COLUMNS = 8
LOWEST_RAD, HIGHEST_RAD = math.radians(-24.0), math.radians(14.0)
NEAREST_M = 1.6
"""Returns from the own roof and bonnet are cut off."""


@dataclass(frozen=True)
class Returns:
    """n measured points."""

    points_lidar: Float32[Tensor, "n 3"]
    point_stamps_ns: Int64[Tensor, "n"]
    intensities: Float32[Tensor, "n"]


def street_sweep(street: Street, lidar_name: str, index: int, stamp_ns: int) -> Sweep:
    """Cast one sweep that starts at a stamp, turning clockwise from behind; noise is fixed by seed and stamp."""
    settings = street.settings
    rig_from_lidar = street.rig.lidar(lidar_name).rig_from_lidar
    generator = torch.Generator().manual_seed(noise_seed(street, lidar_name, stamp_ns))
    directions_lidar = _directions(settings.lidar_rings, settings.lidar_columns)
    columns = torch.arange(settings.lidar_columns)
    column_ns = stamp_ns + (columns.double() * (1e9 / settings.lidar_rate_hz / settings.lidar_columns)).long()
    world_from_lidar = poses_at(street.world_from_rig, column_ns) @ rig_from_lidar
    size = (settings.lidar_columns, settings.lidar_rings)
    noise = torch.cat([torch.randn(1, *size, generator=generator), torch.rand(2, *size, generator=generator)])

    def cast(sector: Int64[Tensor, "c"]) -> Returns:
        rays = (directions_lidar[sector], world_from_lidar[sector], column_ns[sector])
        return _cast_sector(street, rays, noise[:, sector].reshape(3, -1))

    parts = map_pieces(cast, columns.split(SECTOR_COLUMNS), street.device)
    return Sweep(
        lidar_name,
        index,
        stamp_ns,
        torch.cat([part.points_lidar for part in parts]),
        torch.cat([part.point_stamps_ns for part in parts]),
        torch.cat([part.intensities for part in parts]),
    )


def _directions(num_rings: int, num_columns: int) -> Float[Tensor, "columns rings 3"]:
    """Rings are denser around the horizon; the front is seen in the middle of the sweep."""
    share = torch.linspace(-1.0, 1.0, num_rings) if num_rings > 1 else torch.zeros(1)
    bent = 0.55 * share + 0.45 * share**3
    elevation = torch.where(bent < 0, -bent * LOWEST_RAD, bent * HIGHEST_RAD)
    azimuth = math.pi - (torch.arange(num_columns) + 0.5) * (2 * math.pi / num_columns)
    flat = elevation.cos()
    return torch.stack(
        [
            azimuth.cos()[:, None] * flat,
            azimuth.sin()[:, None] * flat,
            elevation.sin().expand(num_columns, num_rings),
        ],
        dim=-1,
    )


def _cast_sector(
    street: Street,
    rays: tuple[Float[Tensor, "c rings 3"], Float64[Tensor, "c 4 4"], Int64[Tensor, "c"]],
    faults: Float[Tensor, "3 n"],
) -> Returns:
    directions_lidar, world_from_lidar, column_ns = rays
    num_columns, num_rings = directions_lidar.shape[:2]
    world = world_at(street, int(column_ns[num_columns // 2]))
    turns = pose_from(world_from_lidar[:, :3, :3], torch.zeros(num_columns, 3, dtype=torch.float64))
    directions = transform_points(turns, directions_lidar).to(street.device)
    origins = world_from_lidar[:, None, :3, 3].float().expand(num_columns, num_rings, 3).to(street.device)
    bundles = _bundles(origins, directions, 2 * math.pi / street.settings.lidar_columns)
    hits = trace(world, bundles)
    lit = surfaces_of(world, hits, bundles.footprint)
    count = num_columns * num_rings
    cosine = -(hits.directions * lit.normals).sum(1)[:count].cpu()
    albedo = lit.albedo.mean(1)[:count].cpu()
    glassy = ((lit.mirror > 0.08) & (lit.albedo.mean(1) < 0.12))[:count].cpu()
    range_m = hits.distance_m[:count].cpu()
    noise, draw = faults[0], faults[1:]
    factor = street.settings.sensor_noise
    strength = albedo * cosine.clamp(min=0.0) * torch.exp(-range_m / 60.0)
    lost = (strength < 0.004 + 0.006 * draw[0]) | (glassy & (draw[0] < 0.85)) | (draw[1] < 0.004)
    kept = (range_m < street.settings.lidar_range_m) & (range_m > NEAREST_M) & ~(lost & (factor > 0))
    noisy_m = range_m + factor * noise * (0.012 + 0.0002 * range_m)
    points = directions_lidar.reshape(-1, 3) * noisy_m[:, None]
    stamps = column_ns[:, None].expand(num_columns, num_rings).reshape(-1)
    intensity = (albedo * (0.35 + 0.65 * cosine.clamp(0, 1)) * (1 + 0.05 * factor * noise)).clamp(0.0, 1.0)
    return Returns(points[kept], stamps[kept], intensity[kept])


def _bundles(origins: Float[Tensor, "c r 3"], directions: Float[Tensor, "c r 3"], footprint: float) -> Bundles:
    """Neighbouring columns share a bundle; the last column is repeated where they do not come out even."""
    num_columns, num_rings = directions.shape[:2]
    spare = -num_columns % BUNDLE_COLUMNS

    def grouped(values: Tensor) -> Tensor:
        padded = torch.cat([values, values[-1:].expand(spare, num_rings, 3)])
        return padded.reshape(-1, BUNDLE_COLUMNS * num_rings, 3).transpose(1, 2).contiguous()

    return Bundles(grouped(origins), grouped(directions), footprint)
