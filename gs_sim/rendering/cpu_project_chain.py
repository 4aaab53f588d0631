"""The chain rule of projection, on lanes: from the gradient of 16 splats to that of their Gaussians and the pose.

Everything is read from and put into the scratch array of a block, which `cpu_project_backward` fills and empties.
"""

from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_harmonics import harmonics_slope, store_harmonics
from gs_sim.rendering.cpu_lanes import WIDTH, spread, where
from gs_sim.rendering.cpu_lanes_memory import exp2, load, store
from gs_sim.rendering.cpu_runtime import INLINE
from gs_sim.rendering.cpu_splat import KA, LOG2_E, RED, Floats
from gs_sim.rendering.cpu_view import (
    BLOCK,
    axis_lanes,
    camera_lanes,
    directions,
    rotation_lanes,
    slopes,
)

f32 = np.float32
IN_SUM, IN_SPLAT, IN_WEIGHT = 10, 26, 42
"""Rows of the scratch array, beyond the first ten, which are as in `cpu_view`: the sums over a splat's pairs; its
columns; per harmonic, what the colour's gradient makes of it."""
OUT_BASIS, OUT_GRADIENT = 58, 74
"""The harmonics; the gradients of mean (3), log scales (3), quaternion (4), opacity logit, screen offset (2)."""
SCRATCH_ROWS = 87
NUM_POSE = 15
"""R (9), t (3), centre (3)."""


@numba.njit(**INLINE)
def clamp_colours(scratch: Floats, j: int) -> None:
    """A colour that was negative, and so clamped to 0, has no gradient."""
    for c in range(3):
        at, colour = (IN_SUM + 6 + c) * BLOCK + j, load(scratch, (IN_SPLAT + RED + c) * BLOCK + j)
        store(scratch, at, where(colour > f32(0), load(scratch, at), f32(0)))


@numba.njit(**INLINE)
def _splat_lanes(scratch: Floats, j: int) -> Any:
    """Gradients of screen position (u, v), covariance (xx, xy, yy), opacity logit and depth of 16 splats."""
    at = (IN_SPLAT + KA) * BLOCK + j
    two = f32(2) / LOG2_E
    a, b, c = (
        load(scratch, at) * -two,
        load(scratch, at + BLOCK) * (f32(-1) / LOG2_E),
        load(scratch, at + 2 * BLOCK) * -two,
    )
    opacity = exp2(load(scratch, at + 3 * BLOCK))
    at = IN_SUM * BLOCK + j
    g1, g2 = load(scratch, at + BLOCK), load(scratch, at + 2 * BLOCK)
    g3, g4, g5 = load(scratch, at + 3 * BLOCK), load(scratch, at + 4 * BLOCK), load(scratch, at + 5 * BLOCK)
    # -conic (dLoss/dconic) conic, where dLoss/dconic = -1/2 sum e d d^T
    pa, pb, qa, qb = a * g3 + b * g4, a * g4 + b * g5, b * g3 + c * g4, b * g4 + c * g5
    covariance = ((pa * a + pb * b) * f32(0.5), (pa * b + pb * c) * f32(0.5), (qa * b + qb * c) * f32(0.5))
    d_logit = load(scratch, at) * (f32(1) - opacity)
    return a * g1 + b * g2, b * g1 + c * g2, covariance, d_logit, load(scratch, at + 9 * BLOCK)


@numba.njit(**INLINE)
def _put(scratch: Floats, row: int, j: int, value: Any) -> None:
    store(scratch, (OUT_GRADIENT + row) * BLOCK + j, value)


@numba.njit(**INLINE)
def _put_quaternion(scratch: Floats, j: int, unit: Any, d0: Any, d12: Any) -> None:
    """Gradient of the quaternion from that of its rotation matrix (rows d0, d1, d2)."""
    w, x, y, z, inverse = unit
    d1, d2 = d12
    two = f32(2)
    dw = x * (d2[1] - d1[2]) + y * (d0[2] - d2[0]) + z * (d1[0] - d0[1])
    dx = w * (d2[1] - d1[2]) + y * (d0[1] + d1[0]) + z * (d0[2] + d2[0]) - x * (d1[1] + d2[2]) * two
    dy = w * (d0[2] - d2[0]) + x * (d0[1] + d1[0]) + z * (d1[2] + d2[1]) - y * (d0[0] + d2[2]) * two
    dz = w * (d1[0] - d0[1]) + x * (d0[2] + d2[0]) + y * (d1[2] + d2[1]) - z * (d0[0] + d1[1]) * two
    along = dw * w + dx * x + dy * y + dz * z
    inverse = inverse * two
    _put(scratch, 6, j, (dw - along * w) * inverse)
    _put(scratch, 7, j, (dx - along * x) * inverse)
    _put(scratch, 8, j, (dy - along * y) * inverse)
    _put(scratch, 9, j, (dz - along * z) * inverse)


@numba.njit(**INLINE)
def _shape_lanes(scratch: Floats, j: int, camera: Floats, jacobian: Any, covariance: Any) -> Any:
    """Write the gradients of scales and quaternions; give the rows of J R_view and their gradients."""
    r = rotation_lanes(scratch, j)
    a, b, s, p, q = axis_lanes(scratch, j, camera, jacobian, r)
    gxx, gxy, gyy = covariance[0] * f32(2), covariance[1] * f32(2), covariance[2] * f32(2)
    dp0, dq0 = gxx * p[0] + gxy * q[0], gxy * p[0] + gyy * q[0]
    dp1, dq1 = gxx * p[1] + gxy * q[1], gxy * p[1] + gyy * q[1]
    dp2, dq2 = gxx * p[2] + gxy * q[2], gxy * p[2] + gyy * q[2]
    _put(scratch, 3, j, dp0 * p[0] + dq0 * q[0])
    _put(scratch, 4, j, dp1 * p[1] + dq1 * q[1])
    _put(scratch, 5, j, dp2 * p[2] + dq2 * q[2])
    dp0, dp1, dp2, dq0, dq1, dq2 = dp0 * s[0], dp1 * s[1], dp2 * s[2], dq0 * s[0], dq1 * s[1], dq2 * s[2]
    d0 = (dp0 * a[0] + dq0 * b[0], dp1 * a[0] + dq1 * b[0], dp2 * a[0] + dq2 * b[0])
    d1 = (dp0 * a[1] + dq0 * b[1], dp1 * a[1] + dq1 * b[1], dp2 * a[1] + dq2 * b[1])
    d2 = (dp0 * a[2] + dq0 * b[2], dp1 * a[2] + dq1 * b[2], dp2 * a[2] + dq2 * b[2])
    _put_quaternion(scratch, j, r[3], d0, (d1, d2))
    r0, r1, r2, _ = r
    da = (
        dp0 * r0[0] + dp1 * r0[1] + dp2 * r0[2],
        dp0 * r1[0] + dp1 * r1[1] + dp2 * r1[2],
        dp0 * r2[0] + dp1 * r2[1] + dp2 * r2[2],
    )
    db = (
        dq0 * r0[0] + dq1 * r0[1] + dq2 * r0[2],
        dq0 * r1[0] + dq1 * r1[1] + dq2 * r1[2],
        dq0 * r2[0] + dq1 * r2[1] + dq2 * r2[2],
    )
    return a, b, da, db


@numba.njit(**INLINE)
def _dot(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(**INLINE)
def _add(pose: Floats, row: int, value: Any) -> None:
    store(pose, row * WIDTH, load(pose, row * WIDTH) + value)


@numba.njit(**INLINE)
def _position_lanes(scratch: Floats, j: int, camera: Floats, pose: Floats) -> Any:
    """Write the gradients of all but mean and harmonics; give that of the mean by projection."""
    x, y, z = camera_lanes(scratch, j, camera)
    du, dv, covariance, d_logit, d_depth = _splat_lanes(scratch, j)
    _put(scratch, 10, j, d_logit)
    _put(scratch, 11, j, du)
    _put(scratch, 12, j, dv)
    inverse_z = f32(1) / z
    tx, ty = slopes(x, y, inverse_z, camera)
    jx, jy = inverse_z * camera[15], inverse_z * camera[16]
    a, b, da, db = _shape_lanes(scratch, j, camera, (jx, jy, tx, ty), covariance)
    # a = jx (R0 - tx R2), b = jy (R1 - ty R2), jx = fx / z, jy = fy / z
    dtx = jx * (da[0] * -camera[6] + da[1] * -camera[7] + da[2] * -camera[8])
    dty = jy * (db[0] * -camera[6] + db[1] * -camera[7] + db[2] * -camera[8])
    ux, uy = x * inverse_z, y * inverse_z
    dux = du * camera[15] + where(tx == ux, dtx, f32(0))
    duy = dv * camera[16] + where(ty == uy, dty, f32(0))
    dx, dy = dux * inverse_z, duy * inverse_z
    dz = d_depth - (dux * ux + duy * uy + _dot(da, a) + _dot(db, b)) * inverse_z
    for c in range(3):
        m = load(scratch, c * BLOCK + j)
        _add(pose, c, dx * m)
        _add(pose, 3 + c, dy * m)
        _add(pose, 6 + c, dz * m)
    _add(pose, 0, jx * da[0])
    _add(pose, 1, jx * da[1])
    _add(pose, 2, jx * da[2])
    _add(pose, 3, jy * db[0])
    _add(pose, 4, jy * db[1])
    _add(pose, 5, jy * db[2])
    jtx, jty = jx * tx, jy * ty
    _add(pose, 6, spread(f32(0)) - (jtx * da[0] + jty * db[0]))
    _add(pose, 7, spread(f32(0)) - (jtx * da[1] + jty * db[1]))
    _add(pose, 8, spread(f32(0)) - (jtx * da[2] + jty * db[2]))
    _add(pose, 9, dx)
    _add(pose, 10, dy)
    _add(pose, 11, dz)
    return (
        dx * camera[0] + dy * camera[3] + dz * camera[6],
        dx * camera[1] + dy * camera[4] + dz * camera[7],
        dx * camera[2] + dy * camera[5] + dz * camera[8],
    )


@numba.njit(**INLINE)
def gradient_lanes(scratch: Floats, j: int, camera: Floats, pose: Floats, k: int) -> None:
    """Write all gradients of 16 places but those of the harmonics, whose basis is put down."""
    dx, dy, dz = _position_lanes(scratch, j, camera, pose)
    direction, inverse = directions(scratch, j, camera)
    store_harmonics(scratch, OUT_BASIS * BLOCK + j, BLOCK, k, direction)
    if k > 1:
        slope = harmonics_slope(scratch, IN_WEIGHT * BLOCK + j, BLOCK, k, direction)
        along = _dot(slope, direction)
        sx, sy = (slope[0] - along * direction[0]) * inverse, (slope[1] - along * direction[1]) * inverse
        sz = (slope[2] - along * direction[2]) * inverse
        _add(pose, 12, spread(f32(0)) - sx)
        _add(pose, 13, spread(f32(0)) - sy)
        _add(pose, 14, spread(f32(0)) - sz)
        dx, dy, dz = dx + sx, dy + sy, dz + sz
    _put(scratch, 0, j, dx)
    _put(scratch, 1, j, dy)
    _put(scratch, 2, j, dz)
