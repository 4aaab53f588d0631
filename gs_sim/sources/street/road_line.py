"""The centre line of the road: a curve in plan and height, and the map from world positions to it.

Everything on the street is placed by distance along the line (s) and to its left (d). The
inverse map is sampled on a grid, which makes it one table look-up per hit.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from gs_sim.sources.street.randomness import chance, uniform

STEP_M = 0.5
CELL_M = 2.0


@dataclass(frozen=True)
class RoadLine:
    """Samples of the centre line every STEP_M metres, in the world frame."""

    start_s_m: float
    points: Float64[Tensor, "m 3"]
    headings_rad: Float64[Tensor, "m"]
    """Counter-clockwise from east."""
    slopes: Float64[Tensor, "m"]
    """Rise per metre along the line."""

    @property
    def end_s_m(self) -> float:
        """Where the line ends."""
        return self.start_s_m + STEP_M * (len(self.points) - 1)


def draw_road_line(generator: torch.Generator, start_s_m: float, end_s_m: float) -> RoadLine:
    """Draw a line of clothoids (curvature linear between knots) and a smooth height; s = 0 is the world's origin."""
    num = round((end_s_m - start_s_m) / STEP_M) + 1
    s = start_s_m + STEP_M * torch.arange(num, dtype=torch.float64)
    bendiness = 0.0 if chance(generator, 0.25) else uniform(generator, 0.002, 0.011)
    hilliness = 0.0 if chance(generator, 0.25) else uniform(generator, 0.01, 0.055)
    curvatures = _linear_knots(generator, s, uniform(generator, 35.0, 70.0), bendiness)
    slopes = _smooth(_linear_knots(generator, s, uniform(generator, 45.0, 90.0), hilliness), round(25.0 / STEP_M))
    headings_rad = _sum_along(curvatures)
    zero = round(-start_s_m / STEP_M)
    headings_rad = headings_rad - headings_rad[zero] + uniform(generator, -math.pi, math.pi)
    steps = torch.stack([headings_rad.cos(), headings_rad.sin(), slopes], dim=1)
    points = torch.stack([_sum_along(column) for column in steps.unbind(1)], dim=1)
    return RoadLine(start_s_m, points - points[zero], headings_rad, slopes)


def _linear_knots(
    generator: torch.Generator, s: Float64[Tensor, "m"], spacing_m: float, bound: float
) -> Float64[Tensor, "m"]:
    length_m = float(s[-1] - s[0])
    num = math.ceil(length_m / spacing_m) + 2
    values = torch.tensor([uniform(generator, -bound, bound) for _ in range(num)], dtype=torch.float64)
    place = (s - s[0]) / spacing_m
    before = place.long()
    return torch.lerp(values[before], values[before + 1], place - before)


def _smooth(values: Float64[Tensor, "m"], width: int) -> Float64[Tensor, "m"]:
    padded = torch.nn.functional.pad(values[None, None], (width, width), mode="replicate")
    return torch.nn.functional.avg_pool1d(padded, 2 * width + 1, 1)[0, 0]


def _sum_along(values: Float64[Tensor, "m"]) -> Float64[Tensor, "m"]:
    """Integrate by trapezoids, zero at the first sample."""
    means = (values[1:] + values[:-1]) * (STEP_M / 2)
    return torch.cat([values.new_zeros(1), means.cumsum(0)])


def line_at(line: RoadLine, s_m: Float64[Tensor, "n"]) -> Float64[Tensor, "n 5"]:
    """Position (x, y, z), heading (rad) and slope at distances along the line; beyond its ends the end is held."""
    place = ((s_m - line.start_s_m) / STEP_M).clamp(0, len(line.points) - 1.001)
    before = place.long()
    samples = torch.cat([line.points, line.headings_rad[:, None], line.slopes[:, None]], dim=1)
    return torch.lerp(samples[before], samples[before + 1], (place - before)[:, None])


def poses_on_road(
    line: RoadLine,
    s_m: Float64[Tensor, "n"],
    d_m: Float64[Tensor, "n"],
    yaw_rad: Float64[Tensor, "n"],
) -> Float64[Tensor, "n 4 4"]:
    """`world_from_object` for things that stand on the road: x along the road turned by yaw, z normal to the slope."""
    x, y, z, heading, slope = line_at(line, s_m).unbind(1)
    yaw = heading + yaw_rad
    pitch = -torch.atan(slope * yaw_rad.cos())
    roll = torch.atan(slope * yaw_rad.sin())
    position = torch.stack([x - d_m * heading.sin(), y + d_m * heading.cos(), z], dim=1)
    poses = torch.eye(4, dtype=torch.float64).repeat(len(s_m), 1, 1)
    poses[:, :3, :3] = rotation_from_angles(yaw, pitch, roll)
    poses[:, :3, 3] = position
    return poses


def rotation_from_angles(
    yaw_rad: Float64[Tensor, "n"], pitch_rad: Float64[Tensor, "n"], roll_rad: Float64[Tensor, "n"]
) -> Float64[Tensor, "n 3 3"]:
    """Rotations about z, then the new y, then the new x (positive pitch lowers the nose)."""
    cy, sy, cp, sp, cr, sr = (
        yaw_rad.cos(), yaw_rad.sin(), pitch_rad.cos(), pitch_rad.sin(), roll_rad.cos(), roll_rad.sin(),
    )  # fmt: skip
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


@dataclass(frozen=True)
class RoadMap:
    """The line seen from world positions: a grid over the plan, bilinear within each cell."""

    origin_m: tuple[float, float]
    """Plan position of the first node."""
    size_xy: tuple[int, int]
    """Cells along x and y."""
    corners: Float[Tensor, "cells 12"]
    """Per cell and corner (x fastest): ground height, s, d; metres."""
    heights: Float[Tensor, "cells 4"]
    """Of the corners alone, for the many look-ups that need no more."""
    tangents: Float[Tensor, "cells 2"]
    """Per cell: unit vector along the road."""
    steepest: float
    """No slope in any direction is greater."""


def map_road(line: RoadLine, margin_m: float, device: str) -> RoadMap:
    """Sample height, s and d around the line, `margin_m` to all sides."""
    low = line.points[:, :2].amin(0) - margin_m
    high = line.points[:, :2].amax(0) + margin_m
    nx, ny = (int(n) for n in ((high - low) / CELL_M).ceil() + 1)
    x = low[0] + CELL_M * torch.arange(nx, dtype=torch.float64)
    y = low[1] + CELL_M * torch.arange(ny, dtype=torch.float64)
    nodes = torch.stack([x[None, :].expand(ny, nx), y[:, None].expand(ny, nx)], dim=-1).reshape(-1, 2)
    nearest = torch.cat([_nearest(line, part) for part in nodes.split(4096)])
    offset = nodes - line.points[nearest, :2]
    heading = line.headings_rad[nearest]
    along = offset[:, 0] * heading.cos() + offset[:, 1] * heading.sin()
    d = offset[:, 1] * heading.cos() - offset[:, 0] * heading.sin()
    inside = along.clamp(-STEP_M, STEP_M)
    height = line.points[nearest, 2] + inside * line.slopes[nearest]
    s = line.start_s_m + STEP_M * nearest + along
    values = torch.stack([height, s, d], dim=1).float().reshape(ny, nx, 3)
    corners = [values[:-1, :-1], values[:-1, 1:], values[1:, :-1], values[1:, 1:]]
    table = torch.cat(corners, dim=-1).reshape(-1, 12)
    tangents = torch.stack([heading.cos(), heading.sin()], dim=1).float().reshape(ny, nx, 2)[:-1, :-1].reshape(-1, 2)
    steepest = 1.3 * float(line.slopes.abs().max())
    origin_m = (float(low[0]), float(low[1]))
    heights = table[:, ::3].contiguous()
    return RoadMap(origin_m, (nx - 1, ny - 1), table.to(device), heights.to(device), tangents.to(device), steepest)


def _nearest(line: RoadLine, nodes: Float64[Tensor, "n 2"]) -> Tensor:
    coarse = 4
    distance = torch.cdist(nodes.float(), line.points[::coarse, :2].float())
    guess = distance.argmin(1) * coarse
    around = (guess[:, None] + torch.arange(-coarse, coarse + 1)).clamp(0, len(line.points) - 1)
    squares = (nodes[:, None] - line.points[around, :2]).square().sum(-1)
    return around.gather(1, squares.argmin(1, keepdim=True))[:, 0]


def road_at(
    road_map: RoadMap, x: Float[Tensor, "n"], y: Float[Tensor, "n"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Ground height, s and d (metres) below world positions; beyond the grid its border is continued."""
    u, v, cell = _cells(road_map, x, y)
    right, down = u.frac()[:, None], v.frac()[:, None]
    corners = road_map.corners.index_select(0, cell)
    near = torch.lerp(corners[:, :3], corners[:, 3:6], right)
    far = torch.lerp(corners[:, 6:9], corners[:, 9:], right)
    height, s, d = torch.lerp(near, far, down).unbind(1)
    return height, s, d


def height_at(road_map: RoadMap, x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Ground height only; see `road_at`."""
    u, v, cell = _cells(road_map, x, y)
    corners = road_map.heights.index_select(0, cell)
    near, far = torch.lerp(corners[:, ::2], corners[:, 1::2], u.frac()[:, None]).unbind(1)
    return torch.lerp(near, far, v.frac())


def tangent_at(road_map: RoadMap, x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> Float[Tensor, "n 2"]:
    """Unit vector along the road in the plan, of the cell that holds the position."""
    return road_map.tangents.index_select(0, _cells(road_map, x, y)[2])


def _cells(road_map: RoadMap, x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> tuple[Tensor, Tensor, Tensor]:
    nx, ny = road_map.size_xy
    u = ((x - road_map.origin_m[0]) * (1.0 / CELL_M)).clamp(0.0, nx - 0.001)
    v = ((y - road_map.origin_m[1]) * (1.0 / CELL_M)).clamp(0.0, ny - 0.001)
    return u, v, (v.floor() * nx + u.floor()).int()
