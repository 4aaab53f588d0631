"""Gradient of blending, per pair of tile and splat.

It walks front to back, as blending does: what lies behind a splat is what blending found in all
minus what has been passed. So transmittances are recomputed exactly as they were, never divided back from
the last one, and a pixel stops at the same splat. Since the image is linear in the weights,
colour, depth and opacity collapse to one number per splat and pixel: its dot product with their gradients.
"""

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_blend import (
    AHEAD,
    CHECK_EVERY,
    MAX_ALPHA,
    exponent_lanes,
    pixel_rows,
    strike_rows,
    weigh,
)
from gs_sim.rendering.cpu_lanes import spread, total, where
from gs_sim.rendering.cpu_lanes_memory import load, prefetch, store
from gs_sim.rendering.cpu_runtime import INLINE, PARALLEL
from gs_sim.rendering.cpu_splat import (
    BLUE,
    DEPTH,
    GREEN,
    KC,
    RED,
    SPLAT_WIDTH,
    TILE,
    Bins,
    Floats,
    Images,
    Y,
    row_of,
    slot_of,
)

f32 = np.float32
PAIR_WIDTH = 10
"""Sums over a tile's pixels per pair: e, e dx, e dy, e dx^2, e dx dy, e dy^2 (e = dLoss/d log alpha), then weight
times the gradients of red, green, blue and depth."""
CHANNELS = 7
"""Per row of pixels: transmittance, what is still to come of sum(w q), and the gradients of the weighted sums
of red, green, blue and depth and of the sum of weights."""
ROW = CHANNELS * TILE


@numba.njit(**INLINE)
def _read(images: Images, grads: Images, corner: tuple[int, int], state: Floats) -> None:
    """Gradients of the weighted sums from those of the images: depth is sum(w z) / sum(w)."""
    left, top = corner
    height, width = images.depth.shape
    state[:] = 0
    for row in range(TILE):
        store(state, row * ROW, spread(f32(-1)))
    for row in range(min(TILE, height - top)):
        for j in range(min(TILE, width - left)):
            y, x, i = top + row, left + j, row * ROW + j
            covered = images.opacity[y, x]
            state[i] = f32(1)
            if covered > 0:
                d_depth = grads.depth[y, x] / covered
                behind = covered * grads.opacity[y, x]
                for channel in range(3):
                    state[i + (2 + channel) * TILE] = grads.colour[y, x, channel]
                    behind += images.colour[y, x, channel] * grads.colour[y, x, channel]
                state[i + TILE] = behind
                state[i + 5 * TILE] = d_depth
                state[i + 6 * TILE] = grads.opacity[y, x] - d_depth * images.depth[y, x]


@numba.njit(**INLINE)
def _splat_gradient(
    splats: Floats, at: int, corner: tuple[int, int], state: Floats, alive: npt.NDArray[np.uint8]
) -> tuple[float, float, float, float, float, float, float, float, float, float]:
    left, top = corner
    first, last = pixel_rows(splats, at, top)
    dx, across, along = exponent_lanes(splats, at, left)
    kc, z = splats[at + KC], splats[at + DEPTH]
    red, green, blue = splats[at + RED], splats[at + GREEN], splats[at + BLUE]
    e0 = e1 = e2 = s0 = s1 = s2 = s3 = spread(f32(0))
    for row in range(first, last):
        if alive[row] == 0:
            continue
        dy = f32(top + row) + f32(0.5) - splats[at + Y]
        i = row * ROW
        w, t, raw, alpha, goes_on = weigh((across + kc * dy) * dy + along, load(state, i))
        store(state, i, t)
        g0, g1, g2 = load(state, i + 2 * TILE), load(state, i + 3 * TILE), load(state, i + 4 * TILE)
        g3 = load(state, i + 5 * TILE)
        passed = w * (g0 * red + g1 * green + g2 * blue + g3 * z + load(state, i + 6 * TILE))
        behind = load(state, i + TILE) - passed
        store(state, i + TILE, behind)
        e = where(goes_on & (raw < MAX_ALPHA), passed - alpha * behind / (f32(1) - alpha), f32(0))
        e_dy = e * dy
        e0, e1, e2 = e0 + e, e1 + e_dy, e2 + e_dy * dy
        s0, s1, s2, s3 = s0 + w * g0, s1 + w * g1, s2 + w * g2, s3 + w * g3
    e_dx = e0 * dx
    moments = (total(e0), total(e_dx), total(e1), total(e_dx * dx), total(e1 * dx), total(e2))
    return (*moments, total(s0), total(s1), total(s2), total(s3))


@numba.njit(**INLINE)
def _tile_gradient(splats: Floats, bins: Bins, images: tuple[Images, Images], pair_grads: Floats, tile: int) -> None:
    corner = (tile % bins.num_x * TILE, tile // bins.num_x * TILE)
    state = np.empty(TILE * ROW, np.float32)
    _read(images[0], images[1], corner, state)
    alive = np.ones(TILE, np.uint8)
    num_alive = TILE
    end = bins.tile_starts[tile + 1]
    for p in range(bins.tile_starts[tile], end):
        out = pair_grads[slot_of(bins.pairs[p])]
        if num_alive == 0:
            out[:] = 0
            continue
        prefetch(splats, row_of(bins.pairs[min(p + AHEAD, end - 1)]) * SPLAT_WIDTH)
        sums = _splat_gradient(splats, row_of(bins.pairs[p]) * SPLAT_WIDTH, corner, state, alive)
        out[0], out[1], out[2], out[3], out[4] = sums[0], sums[1], sums[2], sums[3], sums[4]
        out[5], out[6], out[7], out[8], out[9] = sums[5], sums[6], sums[7], sums[8], sums[9]
        if p % CHECK_EVERY == 0:
            num_alive = strike_rows(state, ROW, alive)


@numba.njit(**PARALLEL)
def blend_backward(splats: Floats, bins: Bins, images: Images, grads: Images, pair_grads: Floats) -> None:
    """Write each pair's sums into its slot, whatever the order in which tiles are done."""
    for tile in numba.prange(bins.tile_starts.shape[0] - 1):
        _tile_gradient(splats, bins, (images, grads), pair_grads, tile)
