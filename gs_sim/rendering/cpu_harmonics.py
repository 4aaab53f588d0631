"""Real spherical harmonics of degree 0 to 3 in the order and sign of 3DGS, with their derivatives.

Kept apart because it is pure arithmetic on directions, 16 at a time as lanes.
"""

from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_lanes import spread
from gs_sim.rendering.cpu_lanes_memory import load, store
from gs_sim.rendering.cpu_runtime import INLINE
from gs_sim.rendering.cpu_splat import Floats

f32 = np.float32
C0 = f32(0.28209479177387814)
C1 = f32(0.4886025119029199)
C20, C22, C24 = f32(1.0925484305920792), f32(0.31539156525252005), f32(0.5462742152960396)
C30, C31, C32 = f32(0.5900435899266435), f32(2.890611442640554), f32(0.4570457994644658)
C33, C35 = f32(0.3731763325901154), f32(1.445305721320277)
TWO, THREE, FOUR, EIGHT = f32(2), f32(3), f32(4), f32(8)


@numba.njit(**INLINE)
def store_harmonics(out: Floats, at: int, stride: int, k: int, direction: Any) -> None:
    """Write the k values of the basis at unit directions (x, y, z) to `at`, `at + stride`, ..."""
    x, y, z = direction
    store(out, at, spread(C0))
    if k > 1:
        store(out, at + stride, y * -C1)
        store(out, at + 2 * stride, z * C1)
        store(out, at + 3 * stride, x * -C1)
    if k > 4:
        xx, yy, zz = x * x, y * y, z * z
        store(out, at + 4 * stride, x * y * C20)
        store(out, at + 5 * stride, y * z * -C20)
        store(out, at + 6 * stride, (zz * TWO - xx - yy) * C22)
        store(out, at + 7 * stride, x * z * -C20)
        store(out, at + 8 * stride, (xx - yy) * C24)
        if k > 9:
            store(out, at + 9 * stride, y * (xx * THREE - yy) * -C30)
            store(out, at + 10 * stride, x * y * z * C31)
            store(out, at + 11 * stride, y * (zz * FOUR - xx - yy) * -C32)
            store(out, at + 12 * stride, z * (zz * TWO - xx * THREE - yy * THREE) * C33)
            store(out, at + 13 * stride, x * (zz * FOUR - xx - yy) * -C32)
            store(out, at + 14 * stride, z * (xx - yy) * C35)
            store(out, at + 15 * stride, x * (xx - yy * THREE) * -C30)


@numba.njit(**INLINE)
def harmonics_slope(weights: Floats, at: int, stride: int, k: int, direction: Any) -> Any:
    """Gradient with respect to (x, y, z), taken as free, of sum(weight * basis); weights lie at `at`, `at + stride`, ..."""
    x, y, z = direction
    gx = gy = gz = spread(f32(0))
    if k > 1:
        gx = load(weights, at + 3 * stride) * -C1
        gy = load(weights, at + stride) * -C1
        gz = load(weights, at + 2 * stride) * C1
    if k > 4:
        w4, w5 = load(weights, at + 4 * stride) * C20, load(weights, at + 5 * stride) * -C20
        w6, w7 = load(weights, at + 6 * stride) * (TWO * C22), load(weights, at + 7 * stride) * -C20
        w8 = load(weights, at + 8 * stride) * (TWO * C24)
        gx += w4 * y - w6 * x + w7 * z + w8 * x
        gy += w4 * x + w5 * z - w6 * y - w8 * y
        gz += w5 * y + w6 * z * TWO + w7 * x
    if k > 9:
        cx, cy, cz = _cubic_slope(weights, at + 9 * stride, stride, direction)
        gx += cx
        gy += cy
        gz += cz
    return gx, gy, gz


@numba.njit(**INLINE)
def _cubic_slope(weights: Floats, at: int, stride: int, direction: Any) -> Any:
    x, y, z = direction
    xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
    w9, w10 = load(weights, at) * (THREE * -C30), load(weights, at + stride) * C31
    w11, w12 = load(weights, at + 2 * stride) * -C32, load(weights, at + 3 * stride) * (THREE * C33)
    w13, w14 = load(weights, at + 4 * stride) * -C32, load(weights, at + 5 * stride) * C35
    w15 = load(weights, at + 6 * stride) * (THREE * -C30)
    gx = w9 * xy * TWO + w10 * yz - w11 * xy * TWO - w12 * xz * TWO
    gx += w13 * (zz * FOUR - xx * THREE - yy) + w14 * xz * TWO + w15 * (xx - yy)
    gy = w9 * (xx - yy) + w10 * xz + w11 * (zz * FOUR - xx - yy * THREE) - w12 * yz * TWO
    gy -= w13 * xy * TWO + w14 * yz * TWO + w15 * xy * TWO
    gz = w10 * xy + w11 * yz * EIGHT + w12 * (zz * TWO - xx - yy) + w13 * xz * EIGHT + w14 * (xx - yy)
    return gx, gy, gz
