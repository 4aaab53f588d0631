"""One view and the Gaussians it sees, and the geometry between them that projecting and its gradient share.

Sixteen Gaussians at a time: a block's numbers are laid out by quantity in a scratch array and computed as lanes.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from gs_sim.rendering.cpu_lanes import larger, root, smaller
from gs_sim.rendering.cpu_lanes_memory import exp2, load, put, take
from gs_sim.rendering.cpu_runtime import INLINE
from gs_sim.rendering.cpu_splat import LOG2_E, Floats

f32 = np.float32
FOV_MARGIN = 0.3
"""The Jacobian is taken no further out than this much beyond each edge of the view, in half images (gsplat)."""
BLOCK = 64
"""Gaussians in a scratch array."""
IN_MEAN, IN_SCALE, IN_QUATERNION = 0, 3, 6
"""Rows of the scratch array, BLOCK numbers each: what is known of a Gaussian."""


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
        put(scratch, (IN_MEAN + c) * BLOCK + j, take(cloud.means, 3 * i + c))
        put(scratch, (IN_SCALE + c) * BLOCK + j, take(cloud.log_scales, 3 * i + c))
    for c in range(4):
        put(scratch, (IN_QUATERNION + c) * BLOCK + j, take(cloud.quaternions, 4 * i + c))


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
def directions(scratch: Floats, j: int, camera: Floats) -> Any:
    """Unit directions from the camera to 16 places, and 1 / distance."""
    dx = load(scratch, j) - camera[12]
    dy, dz = load(scratch, BLOCK + j) - camera[13], load(scratch, 2 * BLOCK + j) - camera[14]
    inverse = f32(1) / root(dx * dx + dy * dy + dz * dz)
    return (dx * inverse, dy * inverse, dz * inverse), inverse
