"""Gaussians to splats: pinhole projection of mean and covariance (EWA, Zwicker et al. 2001), colour, extent.

Sixteen Gaussians at a time: a block's numbers are laid out by quantity in a scratch array, computed
as lanes, and the visible ones written out as splats.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from gs_sim.rendering.cpu_cover import band_span, cover_lanes
from gs_sim.rendering.cpu_harmonics import store_harmonics
from gs_sim.rendering.cpu_lanes import WIDTH, bits, larger, magnitude, root, smaller
from gs_sim.rendering.cpu_lanes_memory import exp2, load, log2, store
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

f32 = np.float32
NEAR_M = f32(0.01)
DILATION_PX2 = f32(0.3)
"""Added to the projected covariance, so that no splat falls between pixels (3DGS, gsplat's eps2d)."""
FOV_MARGIN = 0.3
"""The Jacobian is taken no further out than this much beyond each edge of the view, in half images (gsplat)."""
HUGE = f32(1e18)
LARGEST = f32(3.4028235e38)

BLOCK = 64
IN_MEAN, IN_SCALE, IN_QUATERNION, IN_LOGIT, IN_OFFSET = 0, 3, 6, 10, 11
OUT_SPLAT, OUT_BASIS, OUT_COVER = 13, 30, 46
"""Rows of the scratch array, BLOCK numbers each: what is known of a Gaussian; the first 15 columns of its splat;
its spherical harmonics; its rect and number of tiles."""
SCRATCH_ROWS = 51


class Cloud(NamedTuple):
    """Gaussians as flat arrays."""

    means: Floats
    log_scales: Floats
    quaternions: Floats
    opacity_logits: Floats
    sh: Floats
    """k * 3 numbers per Gaussian."""
    offsets: Floats
    """Screen offsets in pixels, or empty."""


class View(NamedTuple):
    """One pinhole view."""

    camera: Floats
    """R (9), t (3), centre in the world (3), fx, fy, cx, cy, then the limits of x/z and of y/z in the Jacobian."""
    width: int
    height: int


def view_of(camera_from_world: Floats, centre_world: Floats, intrinsics: Floats, size_hw: tuple[int, int]) -> View:
    """All that projection needs of one view."""
    height, width = size_hw
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    margin_x, margin_y = FOV_MARGIN * 0.5 * width / fx, FOV_MARGIN * 0.5 * height / fy
    low_high_x = [-(cx / fx + margin_x), (width - cx) / fx + margin_x]
    low_high_y = [-(cy / fy + margin_y), (height - cy) / fy + margin_y]
    pose = [*camera_from_world[:3, :3].ravel(), *camera_from_world[:3, 3], *centre_world]
    return View(np.array([*pose, fx, fy, cx, cy, *low_high_x, *low_high_y], np.float32), width, height)


@numba.njit(**INLINE)
def stage(cloud: Cloud, i: int, scratch: Floats, j: int) -> None:
    """Put Gaussian i at place j of a block."""
    for c in range(3):
        scratch[(IN_MEAN + c) * BLOCK + j] = cloud.means[3 * i + c]
        scratch[(IN_SCALE + c) * BLOCK + j] = cloud.log_scales[3 * i + c]
    for c in range(4):
        scratch[(IN_QUATERNION + c) * BLOCK + j] = cloud.quaternions[4 * i + c]


@numba.njit(**INLINE)
def rotation_lanes(scratch: Floats, j: int) -> Any:
    """Rotation matrices of the quaternions at place j, row by row; then the unit quaternions and 1 / their norm."""
    at = IN_QUATERNION * BLOCK + j
    w, x, y, z = (
        load(scratch, at),
        load(scratch, at + BLOCK),
        load(scratch, at + 2 * BLOCK),
        load(scratch, at + 3 * BLOCK),
    )
    inverse = f32(1) / root(w * w + x * x + y * y + z * z)
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    one, two = f32(1), f32(2)
    return (
        (one - (y * y + z * z) * two, (x * y - w * z) * two, (x * z + w * y) * two),
        ((x * y + w * z) * two, one - (x * x + z * z) * two, (y * z - w * x) * two),
        ((x * z - w * y) * two, (y * z + w * x) * two, one - (x * x + y * y) * two),
        (w, x, y, z, inverse),
    )


@numba.njit(**INLINE)
def camera_lanes(scratch: Floats, j: int, camera: Floats) -> Any:
    """Means at place j in the camera frame."""
    mx, my, mz = load(scratch, j), load(scratch, BLOCK + j), load(scratch, 2 * BLOCK + j)
    return (
        mx * camera[0] + my * camera[1] + mz * camera[2] + camera[9],
        mx * camera[3] + my * camera[4] + mz * camera[5] + camera[10],
        mx * camera[6] + my * camera[7] + mz * camera[8] + camera[11],
    )


@numba.njit(**INLINE)
def slopes(x: Any, y: Any, inverse_z: Any, camera: Floats) -> Any:
    """x/z and y/z, kept within the limits for the Jacobian."""
    return (
        smaller(larger(x * inverse_z, camera[19]), camera[20]),
        smaller(larger(y * inverse_z, camera[21]), camera[22]),
    )


@numba.njit(**INLINE)
def axis_lanes(scratch: Floats, j: int, camera: Floats, jacobian: Any, r: Any) -> Any:
    """Both rows of J R_view, and both rows of J R_view R S: the splat's covariance is their product, dilated."""
    jx, jy, tx, ty = jacobian
    ax, ay, az = jx * (camera[0] - tx * camera[6]), jx * (camera[1] - tx * camera[7]), jx * (camera[2] - tx * camera[8])
    bx, by, bz = jy * (camera[3] - ty * camera[6]), jy * (camera[4] - ty * camera[7]), jy * (camera[5] - ty * camera[8])
    at = IN_SCALE * BLOCK + j
    sx = exp2(smaller(larger(load(scratch, at) * LOG2_E, f32(-120)), f32(120)))
    sy = exp2(smaller(larger(load(scratch, at + BLOCK) * LOG2_E, f32(-120)), f32(120)))
    sz = exp2(smaller(larger(load(scratch, at + 2 * BLOCK) * LOG2_E, f32(-120)), f32(120)))
    r0, r1, r2, _ = r
    p = (
        sx * (ax * r0[0] + ay * r1[0] + az * r2[0]),
        sy * (ax * r0[1] + ay * r1[1] + az * r2[1]),
        sz * (ax * r0[2] + ay * r1[2] + az * r2[2]),
    )
    q = (
        sx * (bx * r0[0] + by * r1[0] + bz * r2[0]),
        sy * (bx * r0[1] + by * r1[1] + bz * r2[1]),
        sz * (bx * r0[2] + by * r1[2] + bz * r2[2]),
    )
    return (ax, ay, az), (bx, by, bz), (sx, sy, sz), p, q


@numba.njit(**INLINE)
def _put(scratch: Floats, row: int, j: int, value: Any) -> None:
    store(scratch, row * BLOCK + j, value)


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
def directions(scratch: Floats, j: int, camera: Floats) -> Any:
    """Unit directions from the camera to 16 places, and 1 / distance."""
    dx = load(scratch, j) - camera[12]
    dy, dz = load(scratch, BLOCK + j) - camera[13], load(scratch, 2 * BLOCK + j) - camera[14]
    inverse = f32(1) / root(dx * dx + dy * dy + dz * dz)
    return (dx * inverse, dy * inverse, dz * inverse), inverse


@numba.njit(**INLINE)
def _write_splat(cloud: Cloud, view: View, scratch: Floats, splats: Splats, place: tuple[int, int, int]) -> int:
    """Write Gaussian i at place j of the block to a row of splats; how many were written."""
    i, j, row = place
    k = cloud.sh.shape[0] // cloud.opacity_logits.shape[0] // 3
    red = green = blue = f32(0.5)
    for b in range(k):
        basis, at = scratch[(OUT_BASIS + b) * BLOCK + j], 3 * (i * k + b)
        red += basis * cloud.sh[at]
        green += basis * cloud.sh[at + 1]
        blue += basis * cloud.sh[at + 2]
    if not abs(red) + abs(green) + abs(blue) < HUGE:
        return 0
    at = row * SPLAT_WIDTH
    for column in range(15):
        splats.rows[at + column] = scratch[(OUT_SPLAT + column) * BLOCK + j]
    splats.rows[at + RED] = max(red, f32(0))
    splats.rows[at + GREEN] = max(green, f32(0))
    splats.rows[at + BLUE] = max(blue, f32(0))
    splats.rows.view(np.int32)[at + GAUSSIAN] = i
    splats.keys[row] = splats.rows.view(np.uint32)[at + DEPTH]
    rect, num_tiles = splats.rects[row], np.int64(scratch[(OUT_COVER + 4) * BLOCK + j])
    for side in range(4):
        rect[side] = np.int16(scratch[(OUT_COVER + side) * BLOCK + j])
    for band in range(rect[1], rect[3]):  # none for a small one, whose rect[3] is -1
        first, last = band_span(splats.rows, at, band, (view.width + TILE - 1) // TILE)
        num_tiles += max(min(last, np.int64(rect[2])) - max(first, np.int64(rect[0])), 0)
    splats.num_tiles[row] = num_tiles
    splats.radii[i] = np.ceil(max(splats.rows[at + REACH_X], splats.rows[at + REACH_Y]))
    return 1


@numba.njit(**INLINE)
def _project_block(cloud: Cloud, view: View, start: int, splats: Splats, scratch: Floats) -> None:
    """Project the Gaussians from `start` on and append their splats to those of the chunk."""
    n, chunk = cloud.opacity_logits.shape[0], start // CHUNK
    k = cloud.sh.shape[0] // n // 3
    for j in range(BLOCK):
        i = start + j
        if i >= n:
            scratch[IN_LOGIT * BLOCK + j] = f32(-1e3)
            continue
        stage(cloud, i, scratch, j)
        scratch[IN_LOGIT * BLOCK + j] = cloud.opacity_logits[i]
        splats.radii[i] = 0
        if cloud.offsets.shape[0] > 0:
            scratch[IN_OFFSET * BLOCK + j] = cloud.offsets[2 * i]
            scratch[(IN_OFFSET + 1) * BLOCK + j] = cloud.offsets[2 * i + 1]
    for j0 in range(0, BLOCK, WIDTH):
        drawn = _project_lanes(scratch, j0, view)
        if drawn == 0:
            continue
        direction, _ = directions(scratch, j0, view.camera)
        store_harmonics(scratch, OUT_BASIS * BLOCK + j0, BLOCK, k, direction)
        for lane in range(WIDTH):
            if (drawn >> lane) & 1:
                row = chunk * CHUNK + splats.counts[chunk]
                splats.counts[chunk] += _write_splat(cloud, view, scratch, splats, (start + j0 + lane, j0 + lane, row))


@numba.njit(**INLINE)
def _project_chunk(cloud: Cloud, view: View, splats: Splats, chunk: int) -> None:
    scratch = np.zeros(SCRATCH_ROWS * BLOCK, np.float32)
    end = min(cloud.opacity_logits.shape[0], (chunk + 1) * CHUNK)
    for start in range(chunk * CHUNK, end, BLOCK):
        _project_block(cloud, view, start, splats, scratch)


@parallel_kernel
def project(cloud: Cloud, view: View, splats: Splats) -> None:
    """Fill the splats of one view; their counts must be zero."""
    for chunk in numba.prange(splats.counts.shape[0]):
        _project_chunk(cloud, view, splats, chunk)
