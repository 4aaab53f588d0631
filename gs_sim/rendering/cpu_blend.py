"""Front-to-back blending of each tile's splats.

A row of 16 pixels is one vector (`cpu_lanes`): no branch depends on a single pixel. A pixel that has
stopped carries its transmittance negated. Every 16 splats a row that has stopped as a whole is struck off.
"""

from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_lanes import bits, larger, lowest, ramp, smaller, spread, where
from gs_sim.rendering.cpu_lanes_memory import exp2, load, negative, prefetch, store, store3
from gs_sim.rendering.cpu_runtime import INLINE, PARALLEL
from gs_sim.rendering.cpu_splat import (
    BLUE,
    DEPTH,
    GREEN,
    KA,
    KB,
    KC,
    LOG2_O,
    MIN_ALPHA,
    REACH_Y,
    RED,
    SLACK_PX,
    SPLAT_WIDTH,
    TILE,
    Bins,
    Floats,
    Images,
    X,
    Y,
    row_of,
)

f32 = np.float32
MAX_ALPHA = f32(0.999)
MIN_TRANSMITTANCE = f32(1e-4)
MIN_EXPONENT = f32(-30)
CHECK_EVERY = 16
AHEAD = 6
"""Splats of a tile lie anywhere in memory: fetch this many pairs ahead."""
CHANNELS = 6
"""Per row of pixels: transmittance; the weighted sums of red, green, blue and depth; the sum of weights, which
1 - transmittance would give too coarsely where it is small."""
ROW = CHANNELS * TILE


@numba.njit(**INLINE)
def pixel_rows(splats: Floats, at: int, top: int) -> Any:
    """Bits of the rows that a splat reaches of the tile that starts at pixel row `top`."""
    reach = splats[at + REACH_Y] + SLACK_PX
    first = np.ceil(splats[at + Y] - reach - f32(0.5)) - f32(top)
    end = np.floor(splats[at + Y] + reach + f32(0.5)) - f32(top)
    first_row, end_row = np.int64(max(first, f32(0))), np.int64(max(min(end, f32(TILE)), f32(0)))
    return ((1 << end_row) - 1) & -(1 << first_row)


@numba.njit(**INLINE)
def rows_alive(state: Floats, stride: int) -> Any:
    """Bits of the rows that still have a pixel that goes on."""
    alive = 0
    for row in range(TILE):
        alive |= np.int64(bits(load(state, row * stride) > f32(0)) != 0) << row
    return alive


@numba.njit(**INLINE)
def weigh(exponent: Any, t: Any) -> Any:
    """One splat over 16 pixels: its weights and the transmittances behind it, from its exponents of 2 and those before.

    Also its alpha before and after capping and skipping, and which pixels go on.
    """
    raw = exp2(larger(exponent, MIN_EXPONENT))
    alpha = smaller(raw, MAX_ALPHA)
    alpha = where(alpha >= MIN_ALPHA, alpha, f32(0))
    taken = t * alpha
    rest = t - taken
    goes_on = rest > MIN_TRANSMITTANCE
    return where(goes_on, taken, f32(0)), where(goes_on, rest, negative(t)), raw, alpha, goes_on


@numba.njit(**INLINE)
def exponent_lanes(splats: Floats, at: int, left: int) -> Any:
    """Per pixel of a row from `left` on: dx, and what does not depend on the row of the exponent of 2,
    (across + KC dy) dy + along.
    """
    dx = ramp() + (f32(left) + f32(0.5) - splats[at + X])
    return dx, dx * splats[at + KB], dx * dx * splats[at + KA] + splats[at + LOG2_O]


@numba.njit(**INLINE)
def _blend_splat(splats: Floats, at: int, corner: tuple[int, int], state: Floats, alive: int) -> int:
    """Blend one splat into a tile; how many rows it was evaluated on."""
    left, top = corner
    rows = pixel_rows(splats, at, top) & alive
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
    for row in range(min(TILE, height - top)):
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
    for row in range(min(TILE, height - top)):
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
    corner = (tile % bins.num_x * TILE, tile // bins.num_x * TILE)
    state = np.zeros(TILE * ROW, np.float32)
    for row in range(TILE):
        store(state, row * ROW, spread(f32(1)))
    num_rows, end, alive = 0, bins.tile_starts[tile + 1], np.int64((1 << TILE) - 1)
    for p in range(bins.tile_starts[tile], end):
        prefetch(splats, row_of(bins.pairs[min(p + AHEAD, end - 1)]) * SPLAT_WIDTH)
        num_rows += _blend_splat(splats, row_of(bins.pairs[p]) * SPLAT_WIDTH, corner, state, alive)
        if p % CHECK_EVERY == 0:
            alive = rows_alive(state, ROW)
            if alive == 0:
                break
    if corner[0] + TILE <= images.depth.shape[1]:
        _write_whole(state, corner, images)
    else:
        _write_part(state, corner, images)
    return num_rows


@numba.njit(**PARALLEL)
def blend(splats: Floats, bins: Bins, images: Images) -> None:
    """Render every tile."""
    for tile in numba.prange(bins.tile_starts.shape[0] - 1):
        blend_tile(splats, bins, images, tile)
