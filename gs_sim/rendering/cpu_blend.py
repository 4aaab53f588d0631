"""Front-to-back blending of each tile's splats.

A row of 16 pixels is one vector (`cpu_lanes`): no branch depends on a single pixel. A pixel that has
stopped has transmittance 0. After each 16 splats the rows that have stopped as a whole are struck off.
"""

import math
from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_lanes import bits, lowest, ramp, smaller, spread, where
from gs_sim.rendering.cpu_lanes_memory import aligned_zeros, exp2, load, prefetch, store
from gs_sim.rendering.cpu_lanes_shuffle import store3
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel
from gs_sim.rendering.cpu_splat import (
    BLUE,
    DEPTH,
    GREEN,
    KA,
    KB,
    KC,
    LOG2_255,
    LOG2_O,
    REACH_X,
    REACH_Y,
    RED,
    SLACK_PX,
    SLOPE_X,
    SLOPE_Y,
    SPLAT_WIDTH,
    TALLEST,
    TILE,
    TILE_ROWS,
    Bins,
    Floats,
    Images,
    Longs,
    X,
    Y,
    row_of,
)

f32 = np.float32
MAX_ALPHA = f32(0.999)
MIN_TRANSMITTANCE = f32(1e-4)
MIN_EXPONENT = -LOG2_255
"""An alpha of 1/255."""
BATCH = 16
"""Pairs whose rows are found together, before any is blended: a loop over rows that were just computed would be entered
before its length is known, nearly always wrongly. The splats of the next batch, which lie anywhere in memory, are
fetched meanwhile."""
CHANNELS = 6
"""Per row of pixels: transmittance; the weighted sums of red, green, blue and depth; the sum of weights, which
1 - transmittance would give too coarsely where it is small."""
ROW = CHANNELS * TILE


@numba.njit(**INLINE)
def pixel_rows(splats: Floats, at: int, left: int, top: int) -> Any:
    """Bits of the rows in which a splat's ellipse alpha >= 1/255 meets the tile that starts at pixel (left, top)."""
    x0 = f32(left) + f32(0.5) - splats[at + X]
    x1 = x0 + f32(TILE - 1)
    tilt, reach_x = splats[at + REACH_Y] * splats[at + SLOPE_X], splats[at + REACH_X]
    upper_x, lower_x = min(max(-tilt, x0), x1), min(max(tilt, x0), x1)
    tallest, slope = splats[at + TALLEST], splats[at + SLOPE_Y]
    shrink = tallest / (reach_x * reach_x)
    upper = slope * upper_x - math.sqrt(max(tallest - shrink * upper_x * upper_x, f32(0)))
    lower = slope * lower_x + math.sqrt(max(tallest - shrink * lower_x * lower_x, f32(0)))
    y = splats[at + Y] - f32(top)
    first, end = np.ceil(y + upper - (SLACK_PX + f32(0.5))), np.floor(y + lower + (SLACK_PX + f32(0.5)))
    first_row, end_row = np.int64(max(first, f32(0))), np.int64(max(min(end, f32(TILE_ROWS)), f32(0)))
    return ((1 << end_row) - 1) & -(1 << min(first_row, TILE_ROWS))


@numba.njit(**INLINE)
def batch_rows(splats: Floats, bins: Bins, span: tuple[int, int], corner: tuple[int, int], rows: Longs) -> int:
    """Find the rows of the pairs from the first of a span on, up to `BATCH` and its end; how many pairs."""
    begin, end = span
    num = min(BATCH, end - begin)
    for k in range(num):
        prefetch(splats, row_of(bins.pairs[min(begin + BATCH + k, end)]) * SPLAT_WIDTH)
        rows[k] = pixel_rows(splats, row_of(bins.pairs[begin + k]) * SPLAT_WIDTH, corner[0], corner[1])
    return num


@numba.njit(**INLINE)
def rows_alive(state: Floats, stride: int) -> Any:
    """Bits of the rows that still have a pixel that goes on."""
    alive = 0
    for row in range(TILE_ROWS):
        alive |= np.int64(bits(load(state, row * stride) > f32(0)) != 0) << row
    return alive


@numba.njit(**INLINE)
def weigh(exponent: Any, t: Any) -> Any:
    """One splat over 16 pixels: its weights and the transmittances behind it, from its exponents of 2 and those before.

    Also its alpha before and after capping and skipping, and which pixels go on.
    """
    raw = exp2(exponent)
    # where the exponent is low, 2 to its power may be anything
    alpha = where(exponent >= MIN_EXPONENT, smaller(raw, MAX_ALPHA), f32(0))
    taken = t * alpha
    rest = t - taken
    goes_on = rest > MIN_TRANSMITTANCE
    return where(goes_on, taken, f32(0)), where(goes_on, rest, f32(0)), raw, alpha, goes_on


@numba.njit(**INLINE)
def exponent_lanes(splats: Floats, at: int, left: int) -> Any:
    """Per pixel of a row from `left` on: dx, and what does not depend on the row of the exponent of 2,
    (across + KC dy) dy + along.
    """
    dx = ramp() + (f32(left) + f32(0.5) - splats[at + X])
    return dx, dx * splats[at + KB], dx * dx * splats[at + KA] + splats[at + LOG2_O]


@numba.njit(**INLINE)
def _blend_splat(splats: Floats, at: int, corner: tuple[int, int], state: Floats, rows: int) -> int:
    """Blend one splat into a tile; how many rows it was evaluated on."""
    left, top = corner
    _, across, along = exponent_lanes(splats, at, left)
    kc, z = spread(splats[at + KC]), splats[at + DEPTH]
    red, green, blue = splats[at + RED], splats[at + GREEN], splats[at + BLUE]
    y0 = f32(top) + f32(0.5) - splats[at + Y]
    num_rows = 0
    while rows != 0:
        row = lowest(rows)
        rows &= rows - 1
        dy = spread(f32(row) + y0)
        i = row * ROW
        w, t, _, _, _ = weigh((kc * dy + across) * dy + along, load(state, i))
        store(state, i, t)
        store(state, i + TILE, load(state, i + TILE) + w * red)
        store(state, i + 2 * TILE, load(state, i + 2 * TILE) + w * green)
        store(state, i + 3 * TILE, load(state, i + 3 * TILE) + w * blue)
        store(state, i + 4 * TILE, load(state, i + 4 * TILE) + w * z)
        store(state, i + 5 * TILE, load(state, i + 5 * TILE) + w)
        num_rows += 1
    return num_rows


@numba.njit(**INLINE)
def _write_whole(state: Floats, corner: tuple[int, int], images: Images) -> None:
    left, top = corner
    height, width = images.depth.shape
    colour, depth, opacity = images.colour.reshape(-1), images.depth.reshape(-1), images.opacity.reshape(-1)
    for row in range(min(TILE_ROWS, height - top)):
        i, pixel = row * ROW, (top + row) * width + left
        covered = load(state, i + 5 * TILE)
        is_covered = covered > f32(0)
        store(opacity, pixel, covered)
        store(depth, pixel, where(is_covered, load(state, i + 4 * TILE) / where(is_covered, covered, f32(1)), f32(0)))
        red, green, blue = load(state, i + TILE), load(state, i + 2 * TILE), load(state, i + 3 * TILE)
        store3(colour, 3 * pixel, (red, green, blue))


@numba.njit(**INLINE)
def _write_part(state: Floats, corner: tuple[int, int], images: Images) -> None:
    """As `_write_whole`, for a tile that reaches over the right edge."""
    left, top = corner
    height, width = images.depth.shape
    for row in range(min(TILE_ROWS, height - top)):
        for j in range(min(TILE, width - left)):
            y, x, i = top + row, left + j, row * ROW + j
            covered = state[i + 5 * TILE]
            images.opacity[y, x] = covered
            images.depth[y, x] = state[i + 4 * TILE] / covered if covered > 0 else f32(0)
            for channel in range(3):
                images.colour[y, x, channel] = state[i + (1 + channel) * TILE]


@numba.njit(**INLINE)
def blend_tile(splats: Floats, bins: Bins, images: Images, tile: int) -> int:
    """Render one tile; how many (row of pixels, splat) pairs it took."""
    corner = (tile % bins.num_x * TILE, tile // bins.num_x * TILE_ROWS)
    state = aligned_zeros(TILE_ROWS * ROW)
    for row in range(TILE_ROWS):
        store(state, row * ROW, spread(f32(1)))
    num_rows, end, alive = 0, bins.tile_starts[tile + 1], np.int64((1 << TILE_ROWS) - 1)
    rows = np.empty(BATCH, np.int64)
    for begin in range(bins.tile_starts[tile], end, BATCH):
        for k in range(batch_rows(splats, bins, (begin, end), corner, rows)):
            at = row_of(bins.pairs[begin + k]) * SPLAT_WIDTH
            num_rows += _blend_splat(splats, at, corner, state, rows[k] & alive)
        alive = rows_alive(state, ROW)
        if alive == 0:
            break
    if corner[0] + TILE <= images.depth.shape[1]:
        _write_whole(state, corner, images)
    else:
        _write_part(state, corner, images)
    return num_rows


@parallel_kernel
def blend(splats: Floats, bins: Bins, images: Images) -> None:
    """Render every tile."""
    for tile in numba.prange(bins.tile_starts.shape[0] - 1):
        blend_tile(splats, bins, images, tile)
