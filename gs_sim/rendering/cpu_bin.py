"""Which splats each tile must blend, front to back.

One stable radix sort by depth, then a counting sort into tiles: every list comes out sorted,
and in the same order whatever the number of threads. Nearly all splats span at most 2x2 tiles;
those take no branch, since where a branch goes could not be foreseen.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.errors import InputError
from gs_sim.rendering.cpu_cover import band_span
from gs_sim.rendering.cpu_runtime import INLINE, kernel, parallel_kernel
from gs_sim.rendering.cpu_splat import (
    CHUNK,
    SPLAT_WIDTH,
    TILE,
    TILE_ROWS,
    Bins,
    Floats,
    Ints,
    Keys,
    Rects,
    Splats,
)

RADIX = 2048
MAX_PAIRS = 2**31 - 2
PASSES = 3
"""11 bits each."""


class Order(NamedTuple):
    """Splats from near to far."""

    rows: Ints
    rects: Rects
    """In the same order; see `Splats.rects`."""


def bin_splats(splats: Splats, size_hw: tuple[int, int]) -> Bins:
    """Sort the splats of a view into its tiles.

    Raises:
        InputError: there are more (splat, tile) pairs than can be counted.
    """
    num_x, num_y = -(-size_hw[1] // TILE), -(-size_hw[0] // TILE_ROWS)
    order = Order(*depth_order(splats))
    starts, slots = np.empty(num_x * num_y + 1, np.int32), np.empty(len(splats.keys), np.int32)
    # one bucket more, where splats put what they have no second, third or fourth tile for
    per_tile = np.empty((2 * numba.get_num_threads(), num_x * num_y + 1), np.int32)
    bins = Bins(np.empty(0, np.int64), starts, slots, num_x)
    count_pairs(splats.rows, order, bins, per_tile)
    running_starts(per_tile, starts)
    num_pairs = running_slots(splats, slots)
    if num_pairs > MAX_PAIRS:
        raise InputError(
            f"{splats.counts.sum()} Gaussians touch {num_pairs} tiles of one image, and {MAX_PAIRS} are the most that can "
            "be listed: they are far too large for the view, or the camera stands inside them; check their scales"
        )
    bins = bins._replace(pairs=np.empty(starts[-1] + 1, np.int64))
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


@kernel
def depth_order(splats: Splats) -> tuple[Ints, Rects]:
    """Rows and tile rectangles of the splats from near to far; equal depths keep the order of the Gaussians."""
    m = splats.counts.sum()
    rows, keys = np.empty(m, np.int32), np.empty(m, np.uint32)
    starts = np.zeros((PASSES, RADIX), np.int64)
    j = 0
    for chunk in range(splats.counts.shape[0]):
        for row in range(chunk * CHUNK, chunk * CHUNK + splats.counts[chunk]):
            key = splats.keys[row]
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
    rects_as_one, source = rects.view(np.int64), splats.rects.view(np.int64)
    for j in range(m):
        rects_as_one[j, 0] = source[rows[j], 0]
    return rows, rects


@numba.njit(**INLINE)
def _span(splats: Floats, order: Order, j: int, band: int, num_x: int) -> tuple[int, int]:
    """Tiles that splat j of the order, a large one, touches in one row of tiles."""
    first, last = band_span(splats, np.int64(order.rows[j]) * SPLAT_WIDTH, band, num_x)
    return max(first, np.int64(order.rects[j, 0])), min(last, np.int64(order.rects[j, 2]))


@numba.njit(**INLINE)
def _share(num: int, part: int, parts: int) -> tuple[int, int]:
    """Begin and end of one part of `num` things."""
    size = (num + parts - 1) // parts
    return part * size, min(num, (part + 1) * size)


@numba.njit(**INLINE)
def _four_tiles(rects: Rects, j: int, num_x: int, nowhere: int) -> tuple[int, int, int, int]:
    """The up to 2x2 tiles of a small splat; `nowhere` for those it does not touch."""
    first, mask = np.int64(rects[j, 1]) * num_x + np.int64(rects[j, 0]), np.int64(rects[j, 2])
    return (
        first if mask & 1 else nowhere,
        first + 1 if mask & 2 else nowhere,
        first + num_x if mask & 4 else nowhere,
        first + num_x + 1 if mask & 8 else nowhere,
    )


@numba.njit(**INLINE)
def _count_part(splats: Floats, order: Order, bins: Bins, part: int, per_tile: Ints) -> None:
    tiles, num_x, nowhere = per_tile[part], bins.num_x, per_tile.shape[1] - 1
    tiles[:] = 0
    begin, end = _share(order.rows.shape[0], part, per_tile.shape[0])
    for j in range(begin, end):
        if order.rects[j, 3] < 0:
            for tile in _four_tiles(order.rects, j, num_x, nowhere):
                tiles[tile] += 1
        else:
            for band in range(order.rects[j, 1], order.rects[j, 3]):
                first, last = _span(splats, order, j, band, num_x)
                for tile in range(band * num_x + first, band * num_x + last):
                    tiles[tile] += 1


@parallel_kernel
def count_pairs(splats: Floats, order: Order, bins: Bins, per_tile: Ints) -> None:
    """Count splats per (part of the order, tile)."""
    for part in numba.prange(per_tile.shape[0]):
        _count_part(splats, order, bins, part, per_tile)


@kernel
def running_starts(per_tile: Ints, tile_starts: Ints) -> None:
    """Turn counts per (part, tile) into where each part writes, and note where each tile's list starts."""
    before, num_tiles = 0, per_tile.shape[1] - 1
    for tile in range(num_tiles):
        tile_starts[tile] = before
        for part in range(per_tile.shape[0]):
            count = per_tile[part, tile]
            per_tile[part, tile] = before
            before += count
    tile_starts[num_tiles] = before
    per_tile[:, num_tiles] = before


@kernel
def running_slots(splats: Splats, slots: Ints) -> Any:
    """First pair slot of each splat, in the order of rows; how many slots in all."""
    before = np.int64(0)
    for chunk in range(splats.counts.shape[0]):
        for row in range(chunk * CHUNK, chunk * CHUNK + splats.counts[chunk]):
            slots[row] = before
            before += splats.num_tiles[row]
    return before


@numba.njit(**INLINE)
def _fill_part(splats: Floats, order: Order, bins: Bins, part: int, per_tile: Ints) -> None:
    at, num_x, nowhere = per_tile[part], bins.num_x, per_tile.shape[1] - 1
    begin, end = _share(order.rows.shape[0], part, per_tile.shape[0])
    for j in range(begin, end):
        row = np.int64(order.rows[j])
        pair = (np.int64(bins.slots[row]) << 32) | row
        if order.rects[j, 3] < 0:
            for tile in _four_tiles(order.rects, j, num_x, nowhere):
                bins.pairs[at[tile]] = pair
                is_touched = np.int64(tile != nowhere)
                at[tile] += is_touched
                pair += is_touched << 32
        else:
            for band in range(order.rects[j, 1], order.rects[j, 3]):
                first, last = _span(splats, order, j, band, num_x)
                for tile in range(band * num_x + first, band * num_x + last):
                    bins.pairs[at[tile]] = pair
                    at[tile] += 1
                    pair += 1 << 32


@parallel_kernel
def fill_pairs(splats: Floats, order: Order, bins: Bins, per_tile: Ints) -> None:
    """Write every pair into its tile's list."""
    for part in numba.prange(per_tile.shape[0]):
        _fill_part(splats, order, bins, part, per_tile)
