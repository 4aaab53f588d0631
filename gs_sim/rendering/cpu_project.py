"""Gaussians to splats: pinhole projection of mean and covariance (EWA, Zwicker et al. 2001), colour, extent.

A splat is one row of `SPLAT_WIDTH` numbers, what blending reads; chunk k of the Gaussians writes its
visible ones from row k * CHUNK on, so that chunks need not wait for each other.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_harmonics import harmonics
from gs_sim.rendering.cpu_runtime import PARALLEL, SERIAL

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

f32 = np.float32
CHUNK = 1024
NEAR_M = f32(0.01)
DILATION_PX2 = f32(0.3)
"""Added to the projected covariance, so that no splat falls between pixels (3DGS, gsplat's eps2d)."""
FOV_MARGIN = 0.3
MIN_ALPHA = f32(1 / 255)
LOG2_E = f32(1.4426950408889634)
HUGE = f32(1e18)

SPLAT_WIDTH = 16
X, Y, KA, KB, KC, LOG2_O, RED, GREEN, BLUE, DEPTH, REACH_X, REACH_Y, TILT, SLOPE, GAUSSIAN = range(15)
"""Columns: centre; exponent of 2 = KA dx^2 + KB dx dy + KC dy^2 + LOG2_O; colour; z; half extents in pixels;
y at which the ellipse reaches its right end; -b/a, its axis of symmetry in each row; the Gaussian's index."""


def camera_row(
    camera_from_world: Floats, centre_world: Floats, intrinsics: Floats, width_px: int, height_px: int
) -> Floats:
    """All numbers the projection needs of one view: R (9), t (3), centre (3), fx, fy, cx, cy, limits of x/z and y/z."""
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    margin_x, margin_y = FOV_MARGIN * 0.5 * width_px / fx, FOV_MARGIN * 0.5 * height_px / fy
    limits = [
        -(cx / fx + margin_x),
        (width_px - cx) / fx + margin_x,
        -(cy / fy + margin_y),
        (height_px - cy) / fy + margin_y,
    ]
    numbers = [*camera_from_world[:3, :3].ravel(), *camera_from_world[:3, 3], *centre_world, fx, fy, cx, cy, *limits]
    return np.array(numbers, np.float32)


@numba.njit(inline="always", **SERIAL)
def rotation(w: float, x: float, y: float, z: float, out: Floats) -> None:
    """Write the rotation matrix of a unit quaternion, row by row."""
    one, two = f32(1), f32(2)
    out[0] = one - two * (y * y + z * z)
    out[1] = two * (x * y - w * z)
    out[2] = two * (x * z + w * y)
    out[3] = two * (x * y + w * z)
    out[4] = one - two * (x * x + z * z)
    out[5] = two * (y * z - w * x)
    out[6] = two * (x * z - w * y)
    out[7] = two * (y * z + w * x)
    out[8] = one - two * (x * x + y * y)


@numba.njit(**PARALLEL)
def project(
    means: Floats,
    log_scales: Floats,
    quaternions: Floats,
    opacity_logits: Floats,
    sh: Floats,
    offsets: Floats,
    camera: Floats,
    width: int,
    height: int,
    splats: Floats,
    radii: Floats,
    counts: Ints,
) -> None:
    """Fill `splats`, `radii` and the number of splats of each chunk."""
    n, k = means.shape[0], sh.shape[1]
    one, half = f32(1), f32(0.5)
    for chunk in numba.prange(counts.shape[0]):
        basis = np.empty(16, np.float32)
        r = np.empty(9, np.float32)
        row = chunk * CHUNK
        for i in range(chunk * CHUNK, min(n, (chunk + 1) * CHUNK)):
            radii[i] = 0
            mx, my, mz = means[i, 0], means[i, 1], means[i, 2]
            z = camera[6] * mx + camera[7] * my + camera[8] * mz + camera[11]
            if not (z >= NEAR_M and z < HUGE):
                continue
            x = camera[0] * mx + camera[1] * my + camera[2] * mz + camera[9]
            y = camera[3] * mx + camera[4] * my + camera[5] * mz + camera[10]
            fx, fy = camera[15], camera[16]
            opacity = one / (one + math.exp(-opacity_logits[i]))
            if not opacity >= MIN_ALPHA:
                continue
            rz = one / z
            u, v = fx * x * rz + camera[17] + offsets[i, 0], fy * y * rz + camera[18] + offsets[i, 1]
            tx = min(max(x * rz, camera[19]), camera[20])
            ty = min(max(y * rz, camera[21]), camera[22])
            qw, qx, qy, qz = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
            rq = one / math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
            rotation(qw * rq, qx * rq, qy * rq, qz * rq, r)
            xx, xy, yy = DILATION_PX2, f32(0), DILATION_PX2
            jx, jy = fx * rz, fy * rz
            ax, ay, az = (
                jx * (camera[0] - tx * camera[6]),
                jx * (camera[1] - tx * camera[7]),
                jx * (camera[2] - tx * camera[8]),
            )
            bx, by, bz = (
                jy * (camera[3] - ty * camera[6]),
                jy * (camera[4] - ty * camera[7]),
                jy * (camera[5] - ty * camera[8]),
            )
            for axis in range(3):
                s = math.exp(log_scales[i, axis])
                p = s * (ax * r[axis] + ay * r[3 + axis] + az * r[6 + axis])
                q = s * (bx * r[axis] + by * r[3 + axis] + bz * r[6 + axis])
                xx += p * p
                xy += p * q
                yy += q * q
            det = xx * yy - xy * xy
            if not (det > 0 and det < HUGE and xx < HUGE and yy < HUGE):
                continue
            reach = math.sqrt(f32(2) * math.log(opacity * f32(255)))
            reach_x, reach_y = reach * math.sqrt(xx), reach * math.sqrt(yy)
            if not (u + reach_x > 0 and u - reach_x < width and v + reach_y > 0 and v - reach_y < height):
                continue
            dx, dy, dz = mx - camera[12], my - camera[13], mz - camera[14]
            rd = one / math.sqrt(dx * dx + dy * dy + dz * dz)
            harmonics(k, dx * rd, dy * rd, dz * rd, basis)
            red, green, blue = half, half, half
            for j in range(k):
                red += basis[j] * sh[i, j, 0]
                green += basis[j] * sh[i, j, 1]
                blue += basis[j] * sh[i, j, 2]
            if not abs(red) + abs(green) + abs(blue) < HUGE:
                continue
            radii[i] = max(math.ceil(reach_x), math.ceil(reach_y))
            splat = splats[row]
            splat[X], splat[Y] = u, v
            inverse = one / det
            splat[KA] = -half * LOG2_E * yy * inverse
            splat[KB] = LOG2_E * xy * inverse
            splat[KC] = -half * LOG2_E * xx * inverse
            splat[LOG2_O] = math.log2(opacity)
            splat[RED], splat[GREEN], splat[BLUE] = max(red, f32(0)), max(green, f32(0)), max(blue, f32(0))
            splat[DEPTH] = z
            splat[REACH_X], splat[REACH_Y] = reach_x, reach_y
            splat[TILT] = reach_x * xy / xx
            splat[SLOPE] = xy / yy
            splat[GAUSSIAN : GAUSSIAN + 1].view(np.int32)[0] = i
            row += 1
        counts[chunk] = row - chunk * CHUNK
