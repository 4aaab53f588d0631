"""Gaussians to splats: pinhole projection of mean and covariance (EWA, Zwicker et al. 2001), colour, extent.

Sixteen Gaussians at a time: a block's numbers are laid out by quantity in a scratch array, computed
as lanes, and the visible ones written out as splats.
"""

from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_cover import band_span, cover_lanes
from gs_sim.rendering.cpu_harmonics import store_harmonics
from gs_sim.rendering.cpu_lanes import WIDTH, bits, larger, lowest, magnitude, root, smaller
from gs_sim.rendering.cpu_lanes_memory import aligned_zeros, exp2, load, log2, put, store, take
from gs_sim.rendering.cpu_lanes_shuffle import load2, load3, load4, turn
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel
from gs_sim.rendering.cpu_splat import (
    BLUE,
    CHUNK,
    DEPTH,
    GAUSSIAN,
    GREEN,
    LOG2_255,
    LOG2_E,
    REACH_X,
    REACH_Y,
    RED,
    SPLAT_WIDTH,
    TILE,
    TILE_ROWS,
    Floats,
    Splats,
)
from gs_sim.rendering.cpu_view import (
    BLOCK,
    IN_MEAN,
    IN_QUATERNION,
    IN_SCALE,
    Cloud,
    View,
    axis_lanes,
    camera_lanes,
    directions,
    rotation_lanes,
    slopes,
    stage,
)

f32 = np.float32
NEAR_M = f32(0.01)
DILATION_PX2 = f32(0.3)
"""Added to the projected covariance, so that no splat falls between pixels (3DGS, gsplat's eps2d)."""
HUGE = f32(1e18)
LARGEST = f32(3.4028235e38)

IN_LOGIT, IN_OFFSET = 10, 11
OUT_SPLAT, OUT_BASIS, OUT_COVER = 13, 30, 46
"""Rows of the scratch array after those of `cpu_view`: the rest that is known of a Gaussian; its splat; its spherical
harmonics; its rect and number of tiles."""
LINES = 51 * BLOCK
"""Where in the scratch array 16 splats are put together, one after the other."""
SCRATCH_ROWS = 55


@numba.njit(**INLINE)
def _put(scratch: Floats, row: int, j: int, value: Any) -> None:
    store(scratch, row * BLOCK + j, value)


@numba.njit(**INLINE)
def _stage_lanes(cloud: Cloud, i: int, scratch: Floats, j: int) -> None:
    """Put 16 Gaussians from i on at the places from j on, or as many as there are."""
    n = cloud.opacity_logits.shape[0]
    if i + WIDTH > n:
        for lane in range(WIDTH):
            put(scratch, IN_LOGIT * BLOCK + j + lane, f32(-1e3))  # not drawn
            if i + lane < n:
                stage(cloud, i + lane, scratch, j + lane)
                put(scratch, IN_LOGIT * BLOCK + j + lane, take(cloud.opacity_logits, i + lane))
                if cloud.offsets.shape[0] > 0:
                    put(scratch, IN_OFFSET * BLOCK + j + lane, take(cloud.offsets, 2 * (i + lane)))
                    put(scratch, (IN_OFFSET + 1) * BLOCK + j + lane, take(cloud.offsets, 2 * (i + lane) + 1))
        return
    a, b, c = load3(cloud.means, 3 * i)
    _put(scratch, IN_MEAN, j, a)
    _put(scratch, IN_MEAN + 1, j, b)
    _put(scratch, IN_MEAN + 2, j, c)
    a, b, c = load3(cloud.log_scales, 3 * i)
    _put(scratch, IN_SCALE, j, a)
    _put(scratch, IN_SCALE + 1, j, b)
    _put(scratch, IN_SCALE + 2, j, c)
    a, b, c, d = load4(cloud.quaternions, 4 * i)
    _put(scratch, IN_QUATERNION, j, a)
    _put(scratch, IN_QUATERNION + 1, j, b)
    _put(scratch, IN_QUATERNION + 2, j, c)
    _put(scratch, IN_QUATERNION + 3, j, d)
    _put(scratch, IN_LOGIT, j, load(cloud.opacity_logits, i))
    if cloud.offsets.shape[0] > 0:
        a, b = load2(cloud.offsets, 2 * i)
        _put(scratch, IN_OFFSET, j, a)
        _put(scratch, IN_OFFSET + 1, j, b)


@numba.njit(**INLINE)
def _project_lanes(scratch: Floats, j: int, view: View) -> Any:
    """Compute the splats of 16 places; the bits of those to draw."""
    camera = view.camera
    x, y, z = camera_lanes(scratch, j, camera)
    inverse_z = f32(1) / z
    tx, ty = slopes(x, y, inverse_z, camera)
    jacobian = (inverse_z * camera[15], inverse_z * camera[16], tx, ty)
    u = x * jacobian[0] + camera[17] + load(scratch, IN_OFFSET * BLOCK + j)
    v = y * jacobian[1] + camera[18] + load(scratch, (IN_OFFSET + 1) * BLOCK + j)
    _, _, _, p, q = axis_lanes(scratch, j, camera, jacobian, rotation_lanes(scratch, j))
    pp, qq = p[0] * p[0] + p[1] * p[1] + p[2] * p[2], q[0] * q[0] + q[1] * q[1] + q[2] * q[2]
    xx, yy, xy = pp + DILATION_PX2, qq + DILATION_PX2, p[0] * q[0] + p[1] * q[1] + p[2] * q[2]
    # Lagrange's identity: for a thin splat xx yy - xy^2 would cancel to nothing
    c0, c1, c2 = p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]
    det = c0 * c0 + c1 * c1 + c2 * c2 + (pp + yy) * DILATION_PX2
    logit = load(scratch, IN_LOGIT * BLOCK + j)
    odds = exp2(smaller(larger(logit * -LOG2_E, f32(-120)), f32(120)))
    log2_opacity = f32(0) - log2(odds + f32(1))
    reach2 = (log2_opacity + LOG2_255) * (f32(2) / LOG2_E)
    reach_x, reach_y = root(reach2 * xx), root(reach2 * yy)
    inverse = f32(1) / det
    _put(scratch, OUT_SPLAT, j, u)
    _put(scratch, OUT_SPLAT + 1, j, v)
    _put(scratch, OUT_SPLAT + 2, j, yy * inverse * (f32(-0.5) * LOG2_E))
    _put(scratch, OUT_SPLAT + 3, j, xy * inverse * LOG2_E)
    _put(scratch, OUT_SPLAT + 4, j, xx * inverse * (f32(-0.5) * LOG2_E))
    _put(scratch, OUT_SPLAT + 5, j, log2_opacity)
    _put(scratch, OUT_SPLAT + 9, j, z)
    _put(scratch, OUT_SPLAT + 10, j, reach_x)
    _put(scratch, OUT_SPLAT + 11, j, reach_y)
    widest = reach2 * det / yy
    slope_x, slope_y = xy / yy, xy / xx
    ellipse = (u, v, widest, widest / (reach_y * reach_y), reach_x * slope_y, slope_x)
    num_x, num_y = f32((view.width + TILE - 1) // TILE), f32((view.height + TILE_ROWS - 1) // TILE_ROWS)
    x0, y0, mask_or_x1, kind_or_y1, count = cover_lanes(ellipse, reach_x, reach_y, num_x, num_y)
    _put(scratch, OUT_SPLAT + 12, j, slope_x)
    _put(scratch, OUT_SPLAT + 13, j, slope_y)
    _put(scratch, OUT_SPLAT + 14, j, reach2 * det / xx)
    _put(scratch, OUT_COVER, j, x0)
    _put(scratch, OUT_COVER + 1, j, y0)
    _put(scratch, OUT_COVER + 2, j, mask_or_x1)
    _put(scratch, OUT_COVER + 3, j, kind_or_y1)
    _put(scratch, OUT_COVER + 4, j, count)
    is_finite = magnitude(logit) <= LARGEST
    for c in range(3):
        is_finite = is_finite & (magnitude(load(scratch, (IN_SCALE + c) * BLOCK + j)) <= LARGEST)
    is_drawn = is_finite & (z >= NEAR_M) & (z < HUGE) & (det < HUGE) & (xx < HUGE) & (yy < HUGE) & (reach2 >= f32(0))
    is_drawn = is_drawn & (u + reach_x > f32(0)) & (u - reach_x < f32(view.width))
    return bits(is_drawn & (v + reach_y > f32(0)) & (v - reach_y < f32(view.height)))


@numba.njit(**INLINE)
def _colour(cloud: Cloud, i: int, scratch: Floats, j: int) -> tuple[float, float, float]:
    k = cloud.sh.shape[0] // cloud.opacity_logits.shape[0] // 3
    red = green = blue = f32(0.5)
    for b in range(k):
        basis, at = take(scratch, (OUT_BASIS + b) * BLOCK + j), 3 * (i * k + b)
        red += basis * take(cloud.sh, at)
        green += basis * take(cloud.sh, at + 1)
        blue += basis * take(cloud.sh, at + 2)
    return red, green, blue


@numba.njit(**INLINE)
def _write_splat(cloud: Cloud, num_x: int, scratch: Floats, splats: Splats, place: tuple[int, int, int]) -> int:
    """Write Gaussian i at place j of the block to a row of splats; how many were written."""
    i, j, row = place
    red, green, blue = _colour(cloud, i, scratch, j)
    if not abs(red) + abs(green) + abs(blue) < HUGE:
        return 0
    at = row * SPLAT_WIDTH
    store(splats.rows, at, load(scratch, LINES + j % WIDTH * SPLAT_WIDTH))
    put(splats.rows, at + RED, max(red, f32(0)))
    put(splats.rows, at + GREEN, max(green, f32(0)))
    put(splats.rows, at + BLUE, max(blue, f32(0)))
    put(splats.rows.view(np.int32), at + GAUSSIAN, i)
    put(splats.keys, row, take(splats.rows.view(np.uint32), at + DEPTH))
    cover = OUT_COVER * BLOCK + j
    x0, y0 = np.int64(take(scratch, cover)), np.int64(take(scratch, cover + BLOCK))
    x1, y1 = np.int64(take(scratch, cover + 2 * BLOCK)), np.int64(take(scratch, cover + 3 * BLOCK))
    num_tiles = np.int64(take(scratch, cover + 4 * BLOCK))
    rect = splats.rects[row]
    rect[0], rect[1], rect[2], rect[3] = x0, y0, x1, y1
    for band in range(y0, y1):  # none for a small one, whose y1 is -1
        first, last = band_span(splats.rows, at, band, num_x)
        num_tiles += max(min(last, x1) - max(first, x0), 0)
    put(splats.num_tiles, row, num_tiles)
    put(splats.radii, i, np.ceil(max(take(splats.rows, at + REACH_X), take(splats.rows, at + REACH_Y))))
    return 1


@numba.njit(**INLINE)
def _project_block(cloud: Cloud, view: View, start: int, splats: Splats, scratch: Floats) -> None:
    """Project the Gaussians from `start` on and append their splats to those of the chunk."""
    n, chunk = cloud.opacity_logits.shape[0], start // CHUNK
    k, num_x = cloud.sh.shape[0] // n // 3, (view.width + TILE - 1) // TILE
    splats.radii[start : min(start + BLOCK, n)] = 0
    for j0 in range(0, BLOCK, WIDTH):
        _stage_lanes(cloud, start + j0, scratch, j0)
    for j0 in range(0, BLOCK, WIDTH):
        drawn = _project_lanes(scratch, j0, view)
        if drawn == 0:
            continue
        direction, _ = directions(scratch, j0, view.camera)
        store_harmonics(scratch, OUT_BASIS * BLOCK + j0, BLOCK, k, direction)
        turn(scratch, (OUT_SPLAT * BLOCK + j0, BLOCK), scratch, (LINES, SPLAT_WIDTH))
        row = chunk * CHUNK + splats.counts[chunk]
        while drawn != 0:
            j = j0 + lowest(drawn)
            drawn &= drawn - 1
            row += _write_splat(cloud, num_x, scratch, splats, (start + j, j, row))
        splats.counts[chunk] = row - chunk * CHUNK


@numba.njit(**INLINE)
def _project_chunk(cloud: Cloud, view: View, splats: Splats, chunk: int) -> None:
    scratch = aligned_zeros(SCRATCH_ROWS * BLOCK)
    end = min(cloud.opacity_logits.shape[0], (chunk + 1) * CHUNK)
    for start in range(chunk * CHUNK, end, BLOCK):
        _project_block(cloud, view, start, splats, scratch)


@parallel_kernel
def project(cloud: Cloud, view: View, splats: Splats) -> None:
    """Fill the splats of one view; their counts must be zero."""
    for chunk in numba.prange(splats.counts.shape[0]):
        _project_chunk(cloud, view, splats, chunk)
