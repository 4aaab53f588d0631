"""Which splats each tile must blend, front to back.

One stable radix sort by depth, then a counting sort into tiles: every list comes out sorted,
and in the same order whatever the number of threads.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_runtime import INLINE, PARALLEL, SERIAL
from gs_sim.rendering.cpu_splat import (
    CHUNK,
    DEPTH,
    KA,
    LOG2_255,
    LOG2_O,
    REACH_Y,
    SLOPE,
    SPLAT_WIDTH,
    TILE,
    TILT,
    Bins,
    Floats,
    Ints,
    Rects,
    Splats,
    X,
    Y,
    tile_span,
)

Keys = npt.NDArray[np.uint32]

f32 = np.float32
RADIX = 2048
PASSES = 3
"""11 bits each; the bits of positive floats sort as the floats do."""


class Order(NamedTuple):
    """Splats from near to far."""

    rows: Ints
    rects: Rects
    """In the same order; the tiles they touch."""


def bin_splats(splats: Splats, size_hw: tuple[int, int]) -> Bins:
    """Sort the splats of a view into its tiles."""
    num_x, num_y = -(-size_hw[1] // TILE), -(-size_hw[0] // TILE)
    order = Order(*depth_order(splats))
    num_rows, num_tiles = len(splats.rects), num_x * num_y
    starts, slots, per_splat = (np.empty(num, np.int32) for num in (num_tiles + 1, num_rows, num_rows))
    bins = Bins(np.empty((0, 2), np.int32), starts, slots, per_splat, num_x)
    per_tile = np.empty((2 * numba.get_num_threads(), num_tiles), np.int32)
    count_pairs(splats.rows, order, bins, per_tile)
    running_starts(per_tile, starts)
    running_slots(per_splat, splats.counts, slots)
    bins = bins._replace(pairs=np.empty((starts[-1], 2), np.int32))
    fill_pairs(splats.rows, order, bins, per_tile)
    return bins


@numba.njit(**INLINE)
def _radix_pass(keys: Keys, rows: Ints, starts: npt.NDArray[np.int64], shift: int, out: tuple[Keys, Ints]) -> None:
    out_keys, out_rows = out
    for j in range(keys.shape[0]):
        digit = np.int64((keys[j] >> np.uint32(shift)) & np.uint32(RADIX - 1))
        at = starts[digit]
        starts[digit] = at + 1
        out_keys[at] = keys[j]
        out_rows[at] = rows[j]


@numba.njit(**SERIAL)
def depth_order(splats: Splats) -> tuple[Ints, Rects]:
    """Rows and tile rectangles of the splats from near to far; equal depths keep the order of the Gaussians."""
    m = splats.counts.sum()
    rows, keys = np.empty(m, np.int32), np.empty(m, np.uint32)
    starts = np.zeros((PASSES, RADIX), np.int64)
    bits = splats.rows.view(np.uint32)
    j = 0
    for chunk in range(splats.counts.shape[0]):
        for row in range(chunk * CHUNK, chunk * CHUNK + splats.counts[chunk]):
            key = bits[row * SPLAT_WIDTH + DEPTH]
            rows[j], keys[j] = row, key
            for k in range(PASSES):
                starts[k, np.int64((key >> np.uint32(11 * k)) & np.uint32(RADIX - 1))] += 1
            j += 1
    for k in range(PASSES):
        before = 0
        for digit in range(RADIX):
            count = starts[k, digit]
            starts[k, digit] = before
            before += count
    other_rows, other_keys = np.empty(m, np.int32), np.empty(m, np.uint32)
    for k in range(PASSES):
        _radix_pass(keys, rows, starts[k], 11 * k, (other_keys, other_rows))
        rows, other_rows, keys, other_keys = other_rows, rows, other_keys, keys
    rects = np.empty((m, 4), np.int16)
    for j in range(m):
        for side in range(4):
            rects[j, side] = splats.rects[rows[j], side]
    return rows, rects


@numba.njit(**INLINE)
def _band_span(splats: Floats, at: int, band: int, num_x: int) -> tuple[int, int]:
    """First tile and one past the last, in one row of tiles, that the ellipse alpha >= 1/255 touches."""
    x, y = splats[at + X], splats[at + Y]
    top = f32(band * TILE) + f32(0.5) - y
    bottom = top + f32(TILE - 1)
    widest = (splats[at + LOG2_O] + LOG2_255) / -splats[at + KA]
    shrink = widest / (splats[at + REACH_Y] * splats[at + REACH_Y])
    right_y = min(max(splats[at + TILT], top), bottom)
    left_y = min(max(-splats[at + TILT], top), bottom)
    right = splats[at + SLOPE] * right_y + math.sqrt(max(widest - shrink * right_y * right_y, f32(0)))
    left = splats[at + SLOPE] * left_y - math.sqrt(max(widest - shrink * left_y * left_y, f32(0)))
    return tile_span(x + left, x + right, num_x)


@numba.njit(**INLINE)
def _span(splats: Floats, order: Order, j: int, band: int, num_x: int) -> tuple[int, int]:
    """Tiles that splat j of the order touches in one row of tiles: exact only where it can cut some off."""
    rects = order.rects
    first, last = np.int64(rects[j, 0]), np.int64(rects[j, 2])
    if last - first < 2 or rects[j, 3] - rects[j, 1] < 2:
        return first, last
    exact_first, exact_last = _band_span(splats, np.int64(order.rows[j]) * SPLAT_WIDTH, band, num_x)
    return max(first, exact_first), min(last, exact_last)


@numba.njit(**INLINE)
def _share(num: int, part: int, parts: int) -> tuple[int, int]:
    """Begin and end of one part of `num` things."""
    size = (num + parts - 1) // parts
    return part * size, min(num, (part + 1) * size)


@numba.njit(**INLINE)
def _count_part(splats: Floats, order: Order, bins: Bins, part: int, per_tile: Ints) -> None:
    tiles, num_x = per_tile[part], bins.num_x
    tiles[:] = 0
    begin, end = _share(order.rows.shape[0], part, per_tile.shape[0])
    for j in range(begin, end):
        total = 0
        for band in range(order.rects[j, 1], order.rects[j, 3]):
            first, last = _span(splats, order, j, band, num_x)
            for tile in range(band * num_x + first, band * num_x + last):
                tiles[tile] += 1
            total += max(last - first, 0)
        bins.per_splat[order.rows[j]] = total


@numba.njit(**PARALLEL)
def count_pairs(splats: Floats, order: Order, bins: Bins, per_tile: Ints) -> None:
    """Count splats per (part of the order, tile), and tiles per splat."""
    for part in numba.prange(per_tile.shape[0]):
        _count_part(splats, order, bins, part, per_tile)


@numba.njit(**SERIAL)
def running_starts(per_tile: Ints, tile_starts: Ints) -> None:
    """Turn counts per (part, tile) into where each part writes, and note where each tile's list starts."""
    before = 0
    for tile in range(per_tile.shape[1]):
        tile_starts[tile] = before
        for part in range(per_tile.shape[0]):
            count = per_tile[part, tile]
            per_tile[part, tile] = before
            before += count
    tile_starts[per_tile.shape[1]] = before


@numba.njit(**SERIAL)
def running_slots(per_splat: Ints, counts: Ints, slots: Ints) -> None:
    """First pair slot of each splat, in the order of rows."""
    before = 0
    for chunk in range(counts.shape[0]):
        for row in range(chunk * CHUNK, chunk * CHUNK + counts[chunk]):
            slots[row] = before
            before += per_splat[row]


@numba.njit(**INLINE)
def _fill_part(splats: Floats, order: Order, bins: Bins, part: int, per_tile: Ints) -> None:
    at, num_x = per_tile[part], bins.num_x
    begin, end = _share(order.rows.shape[0], part, per_tile.shape[0])
    for j in range(begin, end):
        row = order.rows[j]
        slot = bins.slots[row]
        for band in range(order.rects[j, 1], order.rects[j, 3]):
            first, last = _span(splats, order, j, band, num_x)
            for tile in range(band * num_x + first, band * num_x + last):
                bins.pairs[at[tile], 0] = row
                bins.pairs[at[tile], 1] = slot
                at[tile] += 1
                slot += 1


@numba.njit(**PARALLEL)
def fill_pairs(splats: Floats, order: Order, bins: Bins, per_tile: Ints) -> None:
    """Write every pair into its tile's list."""
    for part in numba.prange(per_tile.shape[0]):
        _fill_part(splats, order, bins, part, per_tile)
