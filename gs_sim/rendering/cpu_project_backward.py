"""Gradient of the projection: sums the pairs of each splat, then walks `cpu_project.project` backwards.

Pose gradients are summed per chunk and the chunks in order, so that the result does not depend on the threads.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_blend import PAIR_WIDTH
from gs_sim.rendering.cpu_harmonics import harmonics, harmonics_slope
from gs_sim.rendering.cpu_project import (
    BLUE,
    CHUNK,
    GAUSSIAN,
    GREEN,
    KA,
    KB,
    KC,
    LOG2_E,
    LOG2_O,
    RED,
    rotation,
)
from gs_sim.rendering.cpu_runtime import PARALLEL

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
f32 = np.float32


@numba.njit(**PARALLEL)
def project_backward(
    means: Floats,
    log_scales: Floats,
    quaternions: Floats,
    sh: Floats,
    camera: Floats,
    splats: Floats,
    counts: Ints,
    slots: Ints,
    per_splat: Ints,
    pair_grads: Floats,
    d_means: Floats,
    d_log_scales: Floats,
    d_quaternions: Floats,
    d_logits: Floats,
    d_sh: Floats,
    d_offsets: Floats,
    d_camera: npt.NDArray[np.float64],
) -> None:
    """Add to the gradients of all Gaussians; `d_camera` [chunks, 15] is R, t, centre."""
    k = sh.shape[1]
    one, two, half, zero = f32(1), f32(2), f32(0.5), f32(0)
    for chunk in numba.prange(counts.shape[0]):
        basis = np.zeros(16, np.float32)
        slope = np.zeros(16, np.float32)
        r = np.empty(9, np.float32)
        dr = np.empty(9, np.float32)
        g = np.empty(PAIR_WIDTH, np.float32)
        d_view = d_camera[chunk]
        for row in range(chunk * CHUNK, chunk * CHUNK + counts[chunk]):
            g[:] = 0
            for slot in range(slots[row], slots[row] + per_splat[row]):
                for c in range(PAIR_WIDTH):
                    g[c] += pair_grads[slot, c]
            splat = splats[row]
            i = splat[GAUSSIAN : GAUSSIAN + 1].view(np.int32)[0]
            # The conic [[a, b], [b, c]] and what the screen position and the covariance receive.
            a, b, c = -two * splat[KA] / LOG2_E, -splat[KB] / LOG2_E, -two * splat[KC] / LOG2_E
            du, dv = a * g[1] + b * g[2], b * g[1] + c * g[2]
            d_offsets[i, 0] += du
            d_offsets[i, 1] += dv
            opacity = f32(2) ** splat[LOG2_O]
            d_logits[i] += g[0] * (one - opacity)
            # -conic (dLoss/dconic) conic, with dLoss/dconic = -1/2 sum e d d^T
            pa, pb = a * g[3] + b * g[4], a * g[4] + b * g[5]
            qa, qb = b * g[3] + c * g[4], b * g[4] + c * g[5]
            gxx, gxy, gyy = half * (pa * a + pb * b), half * (pa * b + pb * c), half * (qa * b + qb * c)

            mx, my, mz = means[i, 0], means[i, 1], means[i, 2]
            x = camera[0] * mx + camera[1] * my + camera[2] * mz + camera[9]
            y = camera[3] * mx + camera[4] * my + camera[5] * mz + camera[10]
            z = camera[6] * mx + camera[7] * my + camera[8] * mz + camera[11]
            fx, fy, rz = camera[15], camera[16], one / z
            ux, uy = x * rz, y * rz
            tx, ty = min(max(ux, camera[19]), camera[20]), min(max(uy, camera[21]), camera[22])
            qw, qx, qy, qz = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
            rq = one / math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
            qw, qx, qy, qz = qw * rq, qx * rq, qy * rq, qz * rq
            rotation(qw, qx, qy, qz, r)
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
            dax, day, daz, dbx, dby, dbz = zero, zero, zero, zero, zero, zero
            for axis in range(3):
                s = math.exp(log_scales[i, axis])
                rx, ry, rw = r[axis], r[3 + axis], r[6 + axis]
                p, q = s * (ax * rx + ay * ry + az * rw), s * (bx * rx + by * ry + bz * rw)
                dp, dq = two * (gxx * p + gxy * q), two * (gxy * p + gyy * q)
                d_log_scales[i, axis] += dp * p + dq * q
                dp, dq = dp * s, dq * s
                dr[axis], dr[3 + axis], dr[6 + axis] = dp * ax + dq * bx, dp * ay + dq * by, dp * az + dq * bz
                dax, day, daz = dax + dp * rx, day + dp * ry, daz + dp * rw
                dbx, dby, dbz = dbx + dq * rx, dby + dq * ry, dbz + dq * rw

            dqw = two * (qx * (dr[7] - dr[5]) + qy * (dr[2] - dr[6]) + qz * (dr[3] - dr[1]))
            dqx = two * (
                -two * qx * (dr[4] + dr[8]) + qy * (dr[1] + dr[3]) + qz * (dr[2] + dr[6]) + qw * (dr[7] - dr[5])
            )
            dqy = two * (
                qx * (dr[1] + dr[3]) - two * qy * (dr[0] + dr[8]) + qz * (dr[5] + dr[7]) + qw * (dr[2] - dr[6])
            )
            dqz = two * (
                qx * (dr[2] + dr[6]) + qy * (dr[5] + dr[7]) - two * qz * (dr[0] + dr[4]) + qw * (dr[3] - dr[1])
            )
            along = dqw * qw + dqx * qx + dqy * qy + dqz * qz
            d_quaternions[i, 0] += (dqw - along * qw) * rq
            d_quaternions[i, 1] += (dqx - along * qx) * rq
            d_quaternions[i, 2] += (dqy - along * qy) * rq
            d_quaternions[i, 3] += (dqz - along * qz) * rq

            # a = jx (R0 - tx R2), b = jy (R1 - ty R2); jx = fx / z
            djx = (dax * ax + day * ay + daz * az) / jx
            djy = (dbx * bx + dby * by + dbz * bz) / jy
            dtx = -jx * (dax * camera[6] + day * camera[7] + daz * camera[8])
            dty = -jy * (dbx * camera[6] + dby * camera[7] + dbz * camera[8])
            dux = du * fx + (dtx if tx == ux else zero)
            duy = dv * fy + (dty if ty == uy else zero)
            dx, dy = dux * rz, duy * rz
            dz = g[9] - (dux * ux + duy * uy) * rz - (djx * jx + djy * jy) * rz

            d_view[0] += jx * dax + dx * mx
            d_view[1] += jx * day + dx * my
            d_view[2] += jx * daz + dx * mz
            d_view[3] += jy * dbx + dy * mx
            d_view[4] += jy * dby + dy * my
            d_view[5] += jy * dbz + dy * mz
            d_view[6] += -jx * tx * dax - jy * ty * dbx + dz * mx
            d_view[7] += -jx * tx * day - jy * ty * dby + dz * my
            d_view[8] += -jx * tx * daz - jy * ty * dbz + dz * mz
            d_view[9] += dx
            d_view[10] += dy
            d_view[11] += dz
            dmx = camera[0] * dx + camera[3] * dy + camera[6] * dz
            dmy = camera[1] * dx + camera[4] * dy + camera[7] * dz
            dmz = camera[2] * dx + camera[5] * dy + camera[8] * dz

            ox, oy, oz = mx - camera[12], my - camera[13], mz - camera[14]
            rd = one / math.sqrt(ox * ox + oy * oy + oz * oz)
            ox, oy, oz = ox * rd, oy * rd, oz * rd
            harmonics(k, ox, oy, oz, basis)
            dred = g[6] if splat[RED] > 0 else zero
            dgreen = g[7] if splat[GREEN] > 0 else zero
            dblue = g[8] if splat[BLUE] > 0 else zero
            for j in range(k):
                slope[j] = sh[i, j, 0] * dred + sh[i, j, 1] * dgreen + sh[i, j, 2] * dblue
                d_sh[i, j, 0] += basis[j] * dred
                d_sh[i, j, 1] += basis[j] * dgreen
                d_sh[i, j, 2] += basis[j] * dblue
            sx, sy, sz = harmonics_slope(k, ox, oy, oz, slope)
            along = sx * ox + sy * oy + sz * oz
            sx, sy, sz = (sx - along * ox) * rd, (sy - along * oy) * rd, (sz - along * oz) * rd
            d_view[12] -= sx
            d_view[13] -= sy
            d_view[14] -= sz
            d_means[i, 0] += dmx + sx
            d_means[i, 1] += dmy + sy
            d_means[i, 2] += dmz + sz
