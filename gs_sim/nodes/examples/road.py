"""The logged path as a road to follow: places by the distance along it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import transforms3d
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.pose import inverse, pose_from, transform_points
from gs_sim.geometry.trajectory import Trajectory

SPACING_M = 0.2
"""Poses nearer than this to the one before are left out: a vehicle that stands has a noisy heading."""
BEYOND_M = 1000.0
"""Behind its end the road goes straight on for this long."""
SAMPLE_M = 0.5
"""Distance between two points of the road ahead."""


@dataclass(frozen=True)
class Road:
    """Where `base_link` was on the logged drive."""

    along_m: Float64[np.ndarray, "n"]
    """Distance from the start, increasing."""
    places: Float64[np.ndarray, "n 6"]
    """x, y, z in metres and yaw (continuous), pitch, roll in radians, in the map frame."""
    length_m: float
    """Up to the end of the drive; the last place lies beyond it."""
    mean_speed_mps: float


def road_from(map_from_base: Trajectory) -> Road:
    """Turn a logged path into a road.

    Raises:
        InputError: the vehicle hardly moved.
    """
    kept = [0]
    positions = map_from_base.poses[:, :3, 3]
    for index in range(1, len(positions)):
        if float((positions[index] - positions[kept[-1]]).norm()) >= SPACING_M:
            kept.append(index)
    if len(kept) < 3:
        raise InputError(
            f"the logged path is shorter than {3 * SPACING_M:g} m; a drive that moves is needed to follow it"
        )
    places = np.array([_place(pose) for pose in map_from_base.poses[kept]])
    places[:, 3] = np.unwrap(places[:, 3])
    along_m = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places[:, :3], axis=0), axis=1))])
    length_m = float(along_m[-1])
    beyond = places[-1].copy()
    beyond[:3] += (places[-1, :3] - places[-2, :3]) * (BEYOND_M / (along_m[-1] - along_m[-2]))
    seconds = (map_from_base.end_ns - map_from_base.start_ns) / 1e9
    return Road(np.append(along_m, length_m + BEYOND_M), np.vstack([places, beyond]), length_m, length_m / seconds)


def place_at(road: Road, along_m: float) -> tuple[float, ...]:
    """x, y, z, yaw, pitch, roll at a distance from the start; before it, those of the start."""
    return tuple(float(np.interp(along_m, road.along_m, column)) for column in road.places.T)


def map_from_place(place: tuple[float, ...]) -> Float64[Tensor, "4 4"]:
    """A place (x, y, z, yaw, pitch, roll) as a pose."""
    rotation = torch.from_numpy(transforms3d.euler.euler2mat(*place[3:], axes="rzyx"))
    return pose_from(rotation, torch.tensor(place[:3], dtype=torch.float64))


def quaternion_from_place(place: tuple[float, ...]) -> tuple[float, float, float, float]:
    """The rotation of a place, wxyz: yaw, then pitch, then roll. Plain numbers, since each tick needs one."""
    half = [angle / 2 for angle in place[3:]]
    cy, cp, cr = (math.cos(angle) for angle in half)
    sy, sp, sr = (math.sin(angle) for angle in half)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def road_ahead(
    road: Road, map_from_base: Float64[Tensor, "4 4"], along_m: float, range_m: float
) -> Float64[np.ndarray, "k 3"]:
    """Points of the road in front of a vehicle, in its own frame, `SAMPLE_M` apart along the road.

    Args:
        road: the road.
        map_from_base: the vehicle.
        along_m: how far along the road it is.
        range_m: how far to look.
    """
    distances = along_m + np.arange(0.0, range_m, SAMPLE_M)
    points_map = np.stack([np.interp(distances, road.along_m, road.places[:, axis]) for axis in range(3)], axis=1)
    points_base: Float64[np.ndarray, "k 3"] = transform_points(
        inverse(map_from_base), torch.from_numpy(points_map)
    ).numpy()
    return points_base


def _place(pose: Float64[Tensor, "4 4"]) -> list[float]:
    yaw, pitch, roll = transforms3d.euler.mat2euler(pose[:3, :3].numpy(), axes="rzyx")
    return [*pose[:3, 3].tolist(), math.remainder(yaw, math.tau), pitch, roll]
