"""Which splats each tile must blend, front to back.

One stable radix sort by depth, then a counting sort into tiles: every list comes out sorted,
and in the same order whatever the number of threads.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_project import CHUNK, DEPTH, KA, LOG2_O, REACH_X, REACH_Y, SLOPE, TILT, X, Y
from gs_sim.rendering.cpu_runtime import PARALLEL, SERIAL

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

TILE = 16
"""Pixels along each side of a tile; one row is one vector of 16 floats."""
SLACK_PX = np.float32(1e-2)
"""Extents are widened by this much, so that rounding never loses a pixel at the edge."""
RADIX_BITS = 11
LOG2_255 = np.float32(7.994353436858858)


@numba.njit(**SERIAL)
def depth_order(splats: Floats, counts: Ints) -> Ints:
    """Rows of the splats from near to far; equal depths keep the order of the Gaussians."""
    m = counts.sum()
    rows, keys = np.empty(m, np.int32), np.empty(m, np.uint32)
    j = 0
    for chunk in range(counts.shape[0]):
        for row in range(chunk * CHUNK, chunk * CHUNK + counts[chunk]):
            rows[j] = row
            keys[j] = splats[row, DEPTH : DEPTH + 1].view(np.uint32)[0]
            j += 1
    other_rows, other_keys = np.empty(m, np.int32), np.empty(m, np.uint32)
    for shift in (0, 11, 22):
        starts = np.zeros((1 << RADIX_BITS) + 1, np.int64)
        for j in range(m):
            starts[((keys[j] >> np.uint32(shift)) & np.uint32(2047)) + 1] += 1
        for b in range(1 << RADIX_BITS):
            starts[b + 1] += starts[b]
        for j in range(m):
            b = (keys[j] >> np.uint32(shift)) & np.uint32(2047)
            other_rows[starts[b]] = rows[j]
            other_keys[starts[b]] = keys[j]
            starts[b] += 1
        rows, other_rows, keys, other_keys = other_rows, rows, other_keys, keys
    return rows


@numba.njit(inline="always", **SERIAL)
def tile_span(low: float, high: float, num: int) -> tuple[int, int]:
    """First tile and one past the last whose pixel centres may lie within [low, high]."""
    first = math.ceil(max(low, np.float32(-1)) - np.float32(0.5))
    last = math.floor(min(high, np.float32(num * TILE + 1)) - np.float32(0.5))
    return max(first, 0) // TILE, min((last + TILE) // TILE, num)


@numba.njit(inline="always", **SERIAL)
def band_span(splat: Floats, band: int, num_x: int) -> tuple[int, int]:
    """First tile and one past the last of one row of tiles that the ellipse alpha >= 1/255 touches."""
    half = np.float32(0.5)
    top = np.float32(band * TILE) + half - splat[Y]
    bottom = top + np.float32(TILE - 1)
    budget = (splat[LOG2_O] + LOG2_255) / -splat[KA]
    ratio = budget / (splat[REACH_Y] * splat[REACH_Y])
    right_y = min(max(splat[TILT], top), bottom)
    left_y = min(max(-splat[TILT], top), bottom)
    right = splat[SLOPE] * right_y + math.sqrt(max(budget - ratio * right_y * right_y, np.float32(0)))
    left = splat[SLOPE] * left_y - math.sqrt(max(budget - ratio * left_y * left_y, np.float32(0)))
    return tile_span(splat[X] + left - SLACK_PX, splat[X] + right + SLACK_PX, num_x)


@numba.njit(inline="always", **SERIAL)
def bands(splat: Floats, num_y: int) -> tuple[int, int]:
    """First row of tiles a splat touches and one past the last."""
    return tile_span(splat[Y] - splat[REACH_Y] - SLACK_PX, splat[Y] + splat[REACH_Y] + SLACK_PX, num_y)


@numba.njit(**PARALLEL)
def count_pairs(splats: Floats, order: Ints, num_x: int, num_y: int, per_tile: Ints, per_splat: Ints) -> None:
    """Count splats per (part of the order, tile) and tiles per splat."""
    parts = per_tile.shape[0]
    size = (order.shape[0] + parts - 1) // parts
    for part in numba.prange(parts):
        tiles = per_tile[part]
        tiles[:] = 0
        for j in range(part * size, min(order.shape[0], (part + 1) * size)):
            splat = splats[order[j]]
            first_y, last_y = bands(splat, num_y)
            total = 0
            for band in range(first_y, last_y):
                first, last = band_span(splat, band, num_x)
                for tile in range(band * num_x + first, band * num_x + last):
                    tiles[tile] += 1
                total += max(last - first, 0)
            per_splat[order[j]] = total


@numba.njit(**SERIAL)
def running_starts(per_tile: Ints, tile_starts: Ints) -> None:
    """Turn counts per (part, tile) into where each part writes, and note where each tile's list starts."""
    total = 0
    for tile in range(per_tile.shape[1]):
        tile_starts[tile] = total
        for part in range(per_tile.shape[0]):
            count = per_tile[part, tile]
            per_tile[part, tile] = total
            total += count
    tile_starts[per_tile.shape[1]] = total


@numba.njit(**SERIAL)
def running_slots(per_splat: Ints, counts: Ints, slots: Ints) -> None:
    """First pair slot of each splat, in the order of the splats' rows; one more entry at the end of each chunk."""
    total = 0
    for chunk in range(counts.shape[0]):
        base = chunk * CHUNK
        for row in range(base, base + counts[chunk]):
            slots[row] = total
            total += per_splat[row]


@numba.njit(**PARALLEL)
def fill_pairs(splats: Floats, order: Ints, num_x: int, num_y: int, per_tile: Ints, slots: Ints, pairs: Ints) -> None:
    """Write (row of the splat, pair slot) into the tiles' lists."""
    parts = per_tile.shape[0]
    size = (order.shape[0] + parts - 1) // parts
    for part in numba.prange(parts):
        at = per_tile[part]
        for j in range(part * size, min(order.shape[0], (part + 1) * size)):
            row = order[j]
            splat = splats[row]
            slot = slots[row]
            first_y, last_y = bands(splat, num_y)
            for band in range(first_y, last_y):
                first, last = band_span(splat, band, num_x)
                for tile in range(band * num_x + first, band * num_x + last):
                    pairs[at[tile], 0] = row
                    pairs[at[tile], 1] = slot
                    at[tile] += 1
                    slot += 1
