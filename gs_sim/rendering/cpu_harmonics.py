"""Real spherical harmonics of degree 0 to 3 in the order and sign of 3DGS, with their derivatives.

Kept apart because it is pure arithmetic on one direction; projection calls it for each Gaussian.
"""

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_runtime import SERIAL

f32 = np.float32
C0 = f32(0.28209479177387814)
C1 = f32(0.4886025119029199)
C20, C22, C24 = f32(1.0925484305920792), f32(0.31539156525252005), f32(0.5462742152960396)
C30, C31, C32 = f32(0.5900435899266435), f32(2.890611442640554), f32(0.4570457994644658)
C33, C35 = f32(0.3731763325901154), f32(1.445305721320277)
TWO, THREE, FOUR, SIX, EIGHT = f32(2), f32(3), f32(4), f32(6), f32(8)


@numba.njit(inline="always", **SERIAL)
def harmonics(k: int, x: float, y: float, z: float, basis: npt.NDArray[np.float32]) -> None:
    """Write the k values of the basis at the unit direction (x, y, z)."""
    basis[0] = C0
    if k > 1:
        basis[1] = -C1 * y
        basis[2] = C1 * z
        basis[3] = -C1 * x
    if k > 4:
        xx, yy, zz = x * x, y * y, z * z
        basis[4] = C20 * x * y
        basis[5] = -C20 * y * z
        basis[6] = C22 * (TWO * zz - xx - yy)
        basis[7] = -C20 * x * z
        basis[8] = C24 * (xx - yy)
        if k > 9:
            basis[9] = -C30 * y * (THREE * xx - yy)
            basis[10] = C31 * x * y * z
            basis[11] = -C32 * y * (FOUR * zz - xx - yy)
            basis[12] = C33 * z * (TWO * zz - THREE * xx - THREE * yy)
            basis[13] = -C32 * x * (FOUR * zz - xx - yy)
            basis[14] = C35 * z * (xx - yy)
            basis[15] = -C30 * x * (xx - THREE * yy)


@numba.njit(inline="always", **SERIAL)
def harmonics_slope(
    k: int, x: float, y: float, z: float, weight: npt.NDArray[np.float32]
) -> tuple[float, float, float]:
    """Gradient with respect to (x, y, z) of sum(weight * basis), the direction taken as free."""
    gx, gy, gz = f32(0), f32(0), f32(0)
    if k > 1:
        gx, gy, gz = -C1 * weight[3], -C1 * weight[1], C1 * weight[2]
    if k > 4:
        w4, w5, w6 = C20 * weight[4], -C20 * weight[5], C22 * weight[6]
        w7, w8 = -C20 * weight[7], C24 * weight[8]
        gx += w4 * y - TWO * w6 * x + w7 * z + TWO * w8 * x
        gy += w4 * x + w5 * z - TWO * w6 * y - TWO * w8 * y
        gz += w5 * y + FOUR * w6 * z + w7 * x
    if k > 9:
        xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
        w9, w10, w11, w12 = -C30 * weight[9], C31 * weight[10], -C32 * weight[11], C33 * weight[12]
        w13, w14, w15 = -C32 * weight[13], C35 * weight[14], -C30 * weight[15]
        gx += SIX * w9 * xy + w10 * yz - TWO * w11 * xy - SIX * w12 * xz
        gx += w13 * (FOUR * zz - THREE * xx - yy) + TWO * w14 * xz + THREE * w15 * (xx - yy)
        gy += THREE * w9 * (xx - yy) + w10 * xz + w11 * (FOUR * zz - xx - THREE * yy) - SIX * w12 * yz
        gy += -TWO * w13 * xy - TWO * w14 * yz - SIX * w15 * xy
        gz += w10 * xy + EIGHT * w11 * yz + THREE * w12 * (TWO * zz - xx - yy) + EIGHT * w13 * xz + w14 * (xx - yy)
    return gx, gy, gz
