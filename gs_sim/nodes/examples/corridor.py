"""What is in the way, from one depth image: the nearest thing above the road where the vehicle will drive."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from gs_sim.config import Range, check_ranges
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.lens import undistort
from gs_sim.geometry.pose import transform_points
from gs_sim.geometry.warp import normalise
from gs_sim.nodes.examples.road import SAMPLE_M


@dataclass(frozen=True)
class CorridorSettings:
    """Which points of a depth image are in the way."""

    half_width_m: Annotated[float, Range(0.1, 10)] = 1.1
    """To each side of the road's middle."""
    lowest_m: Annotated[float, Range(0, 10)] = 0.3
    """Above the road; what is lower can be driven over."""
    highest_m: Annotated[float, Range(0, 10)] = 2.0
    """Above the road; what is higher can be driven under."""
    range_m: Annotated[float, Range(1, 1000)] = 40.0
    """How far along the road to look; depth is not to be trusted further."""
    base_height_m: Annotated[float, Range(-5, 5)] = 0.0
    """Height of base_link above the road."""
    min_pixels: Annotated[int, Range(1, 1_000_000)] = 40
    """So many pixels must be in the way before something is, and the nearest of them but these is where."""

    def __post_init__(self) -> None:
        check_ranges(self)


def rays_of(camera: Camera) -> Float64[np.ndarray, "n 3"]:
    """Points at depth 1 that the pixels of a camera look at, row by row, in its frame; zero where the lens sees nothing."""
    v_px, u_px = torch.meshgrid(torch.arange(camera.height_px), torch.arange(camera.width_px), indexing="ij")
    centres = torch.stack([u_px, v_px], dim=-1).reshape(-1, 2).double() + 0.5
    straight, is_seen = undistort(camera, normalise(camera, centres))
    rays: Float64[np.ndarray, "n 3"] = (
        torch.cat([straight, torch.ones(len(straight), 1, dtype=torch.float64)], dim=1) * is_seen[:, None]
    ).numpy()
    return rays


def seen_points(
    depth_m: Float32[np.ndarray, "h w"], rays: Float64[np.ndarray, "n 3"], base_from_camera: Float64[Tensor, "4 4"]
) -> Float64[np.ndarray, "m 3"]:
    """What a depth image shows, as points in the vehicle's frame; pixels without depth give none."""
    flat = depth_m.reshape(-1)
    is_seen = (flat > 0) & np.isfinite(flat) & (rays[:, 2] > 0)
    points_camera = rays[is_seen] * flat[is_seen, None]
    points_base: Float64[np.ndarray, "m 3"] = transform_points(
        base_from_camera, torch.from_numpy(points_camera)
    ).numpy()
    return points_base


def nearest_in_the_way(
    points_base: Float64[np.ndarray, "m 3"],
    road_base: Float64[np.ndarray, "k 3"],
    settings: CorridorSettings,
    front_m: float,
) -> float | None:
    """Distance along the road from `base_link` to the nearest thing in the way; None where there is none.

    Args:
        points_base: what is seen.
        road_base: the road ahead, `SAMPLE_M` apart, from beside the vehicle on.
        settings: what is in the way.
        front_m: from base_link to the front bumper; nothing behind it counts.
    """
    # as far as the road leads forward: behind a right-angled corner this camera sees nothing anyway
    ends = np.flatnonzero(np.diff(road_base[:, 0]) <= 0)
    road_base = road_base[: ends[0] + 1] if len(ends) else road_base
    x, y, z = points_base.T
    near = (x > max(front_m, road_base[0, 0])) & (x < road_base[-1, 0])
    x, y, z = x[near], y[near], z[near]
    aside_m = y - np.interp(x, road_base[:, 0], road_base[:, 1])
    above_m = z - np.interp(x, road_base[:, 0], road_base[:, 2]) + settings.base_height_m
    is_in_the_way = (np.abs(aside_m) < settings.half_width_m) & (above_m > settings.lowest_m)
    is_in_the_way &= above_m < settings.highest_m
    if np.count_nonzero(is_in_the_way) < settings.min_pixels:
        return None
    along_m = np.interp(x[is_in_the_way], road_base[:, 0], np.arange(len(road_base)) * SAMPLE_M)
    return float(np.partition(along_m, settings.min_pixels - 1)[settings.min_pixels - 1])
