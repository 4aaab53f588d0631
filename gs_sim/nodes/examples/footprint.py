"""Distances between vehicles seen from above: the judge of a closed-loop test."""

import math

import numpy as np
from jaxtyping import Float64
from torch import Tensor

Corners = Float64[np.ndarray, "4 2"]


def rectangle(map_from_box: Float64[Tensor, "4 4"], x_m: tuple[float, float], width_m: float) -> Corners:
    """The corners of a vehicle on the map, in order around it.

    Args:
        map_from_box: its pose, x forward.
        x_m: its rear and front end, from its origin.
        width_m: its width, half to each side.
    """
    rear_m, front_m = x_m
    corners = np.array([[rear_m, -1.0], [front_m, -1.0], [front_m, 1.0], [rear_m, 1.0]]) * [1.0, width_m / 2]
    pose = map_from_box.numpy()
    flat: Corners = corners @ pose[:2, :2].T + pose[:2, 3]
    return flat


def distance_m(first: Corners, second: Corners) -> float:
    """The smallest distance of two rectangles; 0 where they overlap."""
    if not (_is_apart(first, second) or _is_apart(second, first)):
        return 0.0
    return min(_nearest_m(first, second), _nearest_m(second, first))


def _is_apart(first: Corners, second: Corners) -> bool:
    """Whether a line along a side of the first has the second on its other side (separating axes)."""
    for a, b in zip(first, np.roll(first, -1, axis=0), strict=True):
        outward = np.array([b[1] - a[1], a[0] - b[0]])
        if ((second - a) @ outward).min() > 0:
            return True
    return False


def _nearest_m(points: Corners, sides: Corners) -> float:
    """From the corners of one to the sides of the other."""
    nearest = math.inf
    for a, b in zip(sides, np.roll(sides, -1, axis=0), strict=True):
        share = (((points - a) @ (b - a)) / ((b - a) @ (b - a))).clip(0, 1)
        on_side = a + share[:, None] * (b - a)
        nearest = min(nearest, float(np.linalg.norm(points - on_side, axis=1).min()))
    return nearest
