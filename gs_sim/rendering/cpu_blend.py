"""Front-to-back blending of each tile's splats, and its gradient.

A row of 16 pixels is one vector: no branch depends on a single pixel. A pixel that has stopped carries
its transmittance negated. The gradient walks front to back too: what lies behind a splat is what the
forward pass found in all minus what has been passed, so transmittances are recomputed exactly as they were,
never divided back.
"""

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_bin import SLACK_PX, TILE
from gs_sim.rendering.cpu_project import BLUE, DEPTH, GREEN, KA, KB, KC, LOG2_O, MIN_ALPHA, REACH_Y, RED, X, Y
from gs_sim.rendering.cpu_runtime import PARALLEL, SERIAL

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

f32 = np.float32
MAX_ALPHA = f32(0.999)
MIN_TRANSMITTANCE = f32(1e-4)
PAIR_WIDTH = 10
"""Sums over a tile's pixels per pair: e, e dx, e dy, e dx^2, e dx dy, e dy^2 (e = dLoss/d log alpha), then w times
the gradients of red, green, blue and depth."""
CHECK_EVERY = 16


@numba.njit(inline="always", **SERIAL)
def exp2(p: float) -> float:
    """2 to the power p, -126 <= p <= 0, relative error below 3e-7; vectorises, which calls into libm do not."""
    n = np.int32(p - f32(0.5))
    f = p - f32(n)
    poly = f32(0.0013333558)
    poly = poly * f + f32(0.009618129)
    poly = poly * f + f32(0.0555041087)
    poly = poly * f + f32(0.240226507)
    poly = poly * f + f32(0.693147182)
    poly = poly * f + f32(1)
    return poly * np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@numba.njit(inline="always", **SERIAL)
def pixel_rows(splat: Floats, top: int) -> tuple[int, int]:
    """First row of the tile that starts at pixel row `top` that the splat reaches, and one past the last."""
    first = np.ceil(splat[Y] - splat[REACH_Y] - SLACK_PX - f32(0.5)) - f32(top)
    last = np.floor(splat[Y] + splat[REACH_Y] + SLACK_PX - f32(0.5)) - f32(top)
    return int(max(first, f32(0))), int(min(last, f32(TILE - 1))) + 1


@numba.njit(**PARALLEL)
def blend(
    splats: Floats, pairs: Ints, tile_starts: Ints, num_x: int, colour: Floats, depth: Floats, opacity: Floats
) -> None:
    """Render every tile."""
    height, width = depth.shape
    for tile in numba.prange(tile_starts.shape[0] - 1):
        left, top = tile % num_x * TILE, tile // num_x * TILE
        state = np.zeros((TILE, 5, TILE), np.float32)
        state[:, 0, :] = 1
        alive = np.ones(TILE, np.bool_)
        num_alive = TILE
        for p in range(tile_starts[tile], tile_starts[tile + 1]):
            splat = splats[pairs[p, 0]]
            first, last = pixel_rows(splat, top)
            ka, kb = splat[KA], splat[KB]
            red, green, blue, z = splat[RED], splat[GREEN], splat[BLUE], splat[DEPTH]
            x0 = f32(left) + f32(0.5) - splat[X]
            for row in range(first, last):
                if not alive[row]:
                    continue
                dy = f32(top + row) + f32(0.5) - splat[Y]
                k0, k1 = splat[LOG2_O] + splat[KC] * dy * dy, kb * dy
                for j in range(TILE):
                    dx = x0 + f32(j)
                    alpha = min(exp2(max((ka * dx + k1) * dx + k0, f32(-30))), MAX_ALPHA)
                    alpha = alpha if alpha >= MIN_ALPHA else f32(0)
                    t = state[row, 0, j]
                    rest = t * (f32(1) - alpha)
                    goes_on = rest > MIN_TRANSMITTANCE
                    w = t * alpha if goes_on else f32(0)
                    state[row, 0, j] = rest if goes_on else -abs(t)
                    state[row, 1, j] += w * red
                    state[row, 2, j] += w * green
                    state[row, 3, j] += w * blue
                    state[row, 4, j] += w * z
            if p % CHECK_EVERY == 0:
                num_alive = 0
                for row in range(TILE):
                    alive[row] = np.max(state[row, 0]) > 0
                    num_alive += alive[row]
                if num_alive == 0:
                    break
        for row in range(min(TILE, height - top)):
            for j in range(min(TILE, width - left)):
                y, x = top + row, left + j
                covered = f32(1) - abs(state[row, 0, j])
                opacity[y, x] = covered
                depth[y, x] = state[row, 4, j] / covered if covered > 0 else f32(0)
                for channel in range(3):
                    colour[y, x, channel] = state[row, 1 + channel, j]


@numba.njit(**PARALLEL)
def blend_backward(
    splats: Floats, pairs: Ints, tile_starts: Ints, num_x: int, grads: Floats, pair_grads: Floats
) -> None:
    """Sum the gradient over each pair's pixels into its slot.

    `grads` [5, h, w]: gradients of the weighted sums of red, green, blue, depth and of the weights themselves,
    then the total over all splats of weight times gradient of weight.
    """
    height, width = grads.shape[1], grads.shape[2]
    for tile in numba.prange(tile_starts.shape[0] - 1):
        left, top = tile % num_x * TILE, tile // num_x * TILE
        state = np.zeros((TILE, 7, TILE), np.float32)
        sums = np.zeros((7, TILE), np.float32)
        alive = np.ones(TILE, np.bool_)
        num_alive = TILE
        for row in range(TILE):
            for j in range(TILE):
                if top + row < height and left + j < width:
                    state[row, 0, j] = 1
                    for channel in range(6):
                        state[row, 1 + channel, j] = grads[channel, top + row, left + j]
                else:
                    state[row, 0, j] = -1
        for p in range(tile_starts[tile], tile_starts[tile + 1]):
            out = pair_grads[pairs[p, 1]]
            if num_alive == 0:
                out[:] = 0
                continue
            splat = splats[pairs[p, 0]]
            first, last = pixel_rows(splat, top)
            ka, kb = splat[KA], splat[KB]
            red, green, blue, z = splat[RED], splat[GREEN], splat[BLUE], splat[DEPTH]
            x0 = f32(left) + f32(0.5) - splat[X]
            sums[:] = 0
            for row in range(first, last):
                if not alive[row]:
                    continue
                dy = f32(top + row) + f32(0.5) - splat[Y]
                k0, k1 = splat[LOG2_O] + splat[KC] * dy * dy, kb * dy
                for j in range(TILE):
                    dx = x0 + f32(j)
                    raw = exp2(max((ka * dx + k1) * dx + k0, f32(-30)))
                    alpha = min(raw, MAX_ALPHA)
                    alpha = alpha if alpha >= MIN_ALPHA else f32(0)
                    t = state[row, 0, j]
                    through = f32(1) - alpha
                    rest = t * through
                    goes_on = rest > MIN_TRANSMITTANCE
                    w = t * alpha if goes_on else f32(0)
                    state[row, 0, j] = rest if goes_on else -abs(t)
                    g0, g1, g2, g3 = state[row, 1, j], state[row, 2, j], state[row, 3, j], state[row, 4, j]
                    q = red * g0 + green * g1 + blue * g2 + z * g3 + state[row, 5, j]
                    behind = state[row, 6, j] - w * q
                    state[row, 6, j] = behind
                    e = w * q - alpha * behind / through
                    e = e if goes_on and raw < MAX_ALPHA else f32(0)
                    sums[0, j] += e
                    sums[1, j] += e * dy
                    sums[2, j] += e * dy * dy
                    sums[3, j] += w * g0
                    sums[4, j] += w * g1
                    sums[5, j] += w * g2
                    sums[6, j] += w * g3
            out[:] = 0
            for j in range(TILE):
                dx = x0 + f32(j)
                out[0] += sums[0, j]
                out[1] += sums[0, j] * dx
                out[2] += sums[1, j]
                out[3] += sums[0, j] * dx * dx
                out[4] += sums[1, j] * dx
                out[5] += sums[2, j]
                for channel in range(4):
                    out[6 + channel] += sums[3 + channel, j]
            if p % CHECK_EVERY == 0:
                num_alive = 0
                for row in range(TILE):
                    alive[row] = np.max(state[row, 0]) > 0
                    num_alive += alive[row]
