"""Front-to-back blending of each tile's splats.

A row of 16 pixels is one vector (`cpu_lanes`): no branch depends on a single pixel. A pixel that has
stopped carries its transmittance negated. Every 16 splats a row that has stopped as a whole is struck off.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_lanes import bits, larger, ramp, smaller, spread, where
from gs_sim.rendering.cpu_lanes_memory import exp2, load, negative, prefetch, store
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
CHANNELS = 5
"""Per row of pixels: transmittance, then the weighted sums of red, green, blue and depth."""
ROW = CHANNELS * TILE


@numba.njit(**INLINE)
def pixel_rows(splats: Floats, at: int, top: int) -> tuple[int, int]:
    """First row of the tile starting at pixel row `top` that a splat reaches, and one past the last."""
    reach = splats[at + REACH_Y] + SLACK_PX
    first = np.ceil(splats[at + Y] - reach - f32(0.5)) - f32(top)
    last = np.floor(splats[at + Y] + reach - f32(0.5)) - f32(top)
    return int(max(first, f32(0))), int(min(last, f32(TILE - 1))) + 1


@numba.njit(**INLINE)
def strike_rows(state: Floats, stride: int, alive: npt.NDArray[np.uint8]) -> int:
    """Note which rows still have a pixel that goes on, and count them."""
    count = 0
    for row in range(TILE):
        goes_on = bits(load(state, row * stride) > f32(0)) != 0
        alive[row] = goes_on
        count += goes_on
    return count


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
def _blend_splat(splats: Floats, at: int, corner: tuple[int, int], state: Floats, alive: npt.NDArray[np.uint8]) -> int:
    """Blend one splat into a tile; how many rows it was evaluated on."""
    left, top = corner
    first, last = pixel_rows(splats, at, top)
    _, across, along = exponent_lanes(splats, at, left)
    kc, z = splats[at + KC], splats[at + DEPTH]
    red, green, blue = splats[at + RED], splats[at + GREEN], splats[at + BLUE]
    num_rows = 0
    for row in range(first, last):
        if alive[row] == 0:
            continue
        dy = f32(top + row) + f32(0.5) - splats[at + Y]
        i = row * ROW
        w, t, _, _, _ = weigh((across + kc * dy) * dy + along, load(state, i))
        store(state, i, t)
        store(state, i + TILE, load(state, i + TILE) + w * red)
        store(state, i + 2 * TILE, load(state, i + 2 * TILE) + w * green)
        store(state, i + 3 * TILE, load(state, i + 3 * TILE) + w * blue)
        store(state, i + 4 * TILE, load(state, i + 4 * TILE) + w * z)
        num_rows += 1
    return num_rows


@numba.njit(**INLINE)
def _write(state: Floats, corner: tuple[int, int], images: Images) -> None:
    left, top = corner
    height, width = images.depth.shape
    for row in range(min(TILE, height - top)):
        for j in range(min(TILE, width - left)):
            y, x, i = top + row, left + j, row * ROW + j
            covered = f32(1) - abs(state[i])
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
    alive = np.ones(TILE, np.uint8)
    num_rows, end = 0, bins.tile_starts[tile + 1]
    for p in range(bins.tile_starts[tile], end):
        prefetch(splats, row_of(bins.pairs[min(p + AHEAD, end - 1)]) * SPLAT_WIDTH)
        num_rows += _blend_splat(splats, row_of(bins.pairs[p]) * SPLAT_WIDTH, corner, state, alive)
        if p % CHECK_EVERY == 0 and strike_rows(state, ROW, alive) == 0:
            break
    _write(state, corner, images)
    return num_rows


@numba.njit(**PARALLEL)
def blend(splats: Floats, bins: Bins, images: Images) -> None:
    """Render every tile."""
    for tile in numba.prange(bins.tile_starts.shape[0] - 1):
        blend_tile(splats, bins, images, tile)
