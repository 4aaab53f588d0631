"""Gradient of blending, per pair of tile and splat.

It walks front to back, as blending does: what lies behind a splat is what blending found in all
minus what has been passed. So transmittances are recomputed exactly as they were, never divided back from
the last one, and a pixel stops at the same splat. Since the image is linear in the weights,
colour, depth and opacity collapse to one number per splat and pixel: its dot product with their gradients.
"""

from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_blend import (
    BATCH,
    MAX_ALPHA,
    batch_rows,
    exponent_lanes,
    rows_alive,
    weigh,
)
from gs_sim.rendering.cpu_lanes import lowest, spread, where
from gs_sim.rendering.cpu_lanes_memory import aligned_zeros, load, store
from gs_sim.rendering.cpu_lanes_shuffle import load3, totals
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel
from gs_sim.rendering.cpu_splat import (
    BLUE,
    DEPTH,
    GREEN,
    KC,
    RED,
    SPLAT_WIDTH,
    TILE,
    TILE_ROWS,
    Bins,
    Floats,
    Images,
    Y,
    row_of,
    slot_of,
)

f32 = np.float32
PAIR_WIDTH = 16
"""Numbers per pair, of which 10 are used: one vector. Sums over a tile's pixels per pair: e, e dx, e dy, e dx^2, e dx dy, e dy^2 (e = dLoss/d log alpha), then weight
times the gradients of red, green, blue and depth."""
CHANNELS = 8
"""Per row of pixels: transmittance; what is still to come of sum(w q); the gradients of red, green, blue, of the
weighted sum of depths and of opacity; depth. A splat's depth counts by its difference from the pixel's:
the two parts of it would cancel to noise where opacity is low."""
ROW = CHANNELS * TILE


@numba.njit(**INLINE)
def _read_whole(images: Images, grads: Images, corner: tuple[int, int], state: Floats) -> None:
    """Lay out a tile's gradients. Depth is sum(w z) / sum(w), so a weight moves it by (z - depth) / sum(w)."""
    left, top = corner
    height, width = images.depth.shape
    colour, d_colour = images.colour.reshape(-1), grads.colour.reshape(-1)
    opacity, d_opacity = images.opacity.reshape(-1), grads.opacity.reshape(-1)
    depth, d_depth = images.depth.reshape(-1), grads.depth.reshape(-1)
    for row in range(min(TILE_ROWS, height - top)):
        i, pixel = row * ROW, (top + row) * width + left
        covered, d_covered = load(opacity, pixel), load(d_opacity, pixel)
        is_covered = covered > f32(0)
        red, green, blue = load3(colour, 3 * pixel)
        g0, g1, g2 = load3(d_colour, 3 * pixel)
        store(state, i, spread(f32(1)))
        store(state, i + TILE, covered * d_covered + red * g0 + green * g1 + blue * g2)
        store(state, i + 2 * TILE, g0)
        store(state, i + 3 * TILE, g1)
        store(state, i + 4 * TILE, g2)
        share = load(d_depth, pixel) / where(is_covered, covered, f32(1))
        store(state, i + 5 * TILE, where(is_covered, share, f32(0)))
        store(state, i + 6 * TILE, d_covered)
        store(state, i + 7 * TILE, load(depth, pixel))


@numba.njit(**INLINE)
def _read_part(images: Images, grads: Images, corner: tuple[int, int], state: Floats) -> None:
    """As `_read_whole`, for a tile that reaches over the right edge."""
    left, top = corner
    height, width = images.depth.shape
    for row in range(min(TILE_ROWS, height - top)):
        for j in range(min(TILE, width - left)):
            y, x, i = top + row, left + j, row * ROW + j
            covered = images.opacity[y, x]
            behind = covered * grads.opacity[y, x]
            for channel in range(3):
                state[i + (2 + channel) * TILE] = grads.colour[y, x, channel]
                behind += images.colour[y, x, channel] * grads.colour[y, x, channel]
            state[i] = f32(1)
            state[i + TILE] = behind
            state[i + 5 * TILE] = grads.depth[y, x] / covered if covered > 0 else f32(0)
            state[i + 6 * TILE] = grads.opacity[y, x]
            state[i + 7 * TILE] = images.depth[y, x]


@numba.njit(**INLINE)
def _splat_gradient(splats: Floats, at: int, corner: tuple[int, int], state: Floats, rows: int) -> Any:
    left, top = corner
    dx, across, along = exponent_lanes(splats, at, left)
    kc, z = spread(splats[at + KC]), splats[at + DEPTH]
    red, green, blue = splats[at + RED], splats[at + GREEN], splats[at + BLUE]
    y0 = f32(top) + f32(0.5) - splats[at + Y]
    e0 = e1 = e2 = s0 = s1 = s2 = s3 = spread(f32(0))
    while rows != 0:
        row = lowest(rows)
        rows &= rows - 1
        dy = spread(f32(row) + y0)
        i = row * ROW
        w, t, raw, alpha, goes_on = weigh((kc * dy + across) * dy + along, load(state, i))
        store(state, i, t)
        g0, g1, g2 = load(state, i + 2 * TILE), load(state, i + 3 * TILE), load(state, i + 4 * TILE)
        g3 = load(state, i + 5 * TILE)
        depth_part = (z - load(state, i + 7 * TILE)) * g3 + load(state, i + 6 * TILE)
        passed = w * (g0 * red + g1 * green + g2 * blue + depth_part)
        behind = load(state, i + TILE) - passed
        store(state, i + TILE, behind)
        e = where(goes_on & (raw < MAX_ALPHA), passed - alpha * behind / (f32(1) - alpha), f32(0))
        e_dy = e * dy
        e0, e1, e2 = e0 + e, e1 + e_dy, e2 + e_dy * dy
        s0, s1, s2, s3 = s0 + w * g0, s1 + w * g1, s2 + w * g2, s3 + w * g3
    e_dx = e0 * dx
    return totals((e0, e_dx, e1, e_dx * dx, e1 * dx, e2, s0, s1, s2, s3))


@numba.njit(**INLINE)
def _tile_gradient(splats: Floats, bins: Bins, images: tuple[Images, Images], pair_grads: Floats, tile: int) -> None:
    corner = (tile % bins.num_x * TILE, tile // bins.num_x * TILE_ROWS)
    state = aligned_zeros(TILE_ROWS * ROW)  # pixels beyond the image have stopped already
    if corner[0] + TILE <= images[0].depth.shape[1]:
        _read_whole(images[0], images[1], corner, state)
    else:
        _read_part(images[0], images[1], corner, state)
    alive, end = np.int64((1 << TILE_ROWS) - 1), bins.tile_starts[tile + 1]
    rows = np.empty(BATCH, np.int64)
    for begin in range(bins.tile_starts[tile], end, BATCH):
        for k in range(batch_rows(splats, bins, (begin, end), corner, rows)):
            at = row_of(bins.pairs[begin + k]) * SPLAT_WIDTH
            sums = _splat_gradient(splats, at, corner, state, rows[k] & alive)
            store(pair_grads, slot_of(bins.pairs[begin + k]) * PAIR_WIDTH, sums)
        alive = rows_alive(state, ROW)
        if alive == 0:
            for p in range(begin + BATCH, end):
                store(pair_grads, slot_of(bins.pairs[p]) * PAIR_WIDTH, spread(f32(0)))
            break


@parallel_kernel
def blend_backward(splats: Floats, bins: Bins, images: Images, grads: Images, pair_grads: Floats) -> None:
    """Write each pair's sums into its slot, whatever the order in which tiles are done."""
    for tile in numba.prange(bins.tile_starts.shape[0] - 1):
        _tile_gradient(splats, bins, (images, grads), pair_grads, tile)
