"""Rigid motions as 4x4 matrices, named `a_from_b`: they map coordinates of b to a.

Chains read left to right and equal names touch: `world_from_rig @ rig_from_camera`.
Poses are float64 until they reach the rasterizer. Quaternions are wxyz.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def pose_from(
    rotation: Float[Tensor, "*batch 3 3"], translation: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """Put a rotation and a translation (metres) into one homogeneous matrix."""
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    last = upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:-2], 1, 4)
    return torch.cat([upper, last], dim=-2)


def inverse(a_from_b: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Invert a rigid motion by transposing its rotation: `inverse(a_from_b)` is `b_from_a`."""
    rotation = a_from_b[..., :3, :3].transpose(-1, -2)
    return pose_from(rotation, -(rotation @ a_from_b[..., :3, 3:])[..., 0])


def transform_points(
    a_from_b: Float[Tensor, "*batch 4 4"], points_b: Float[Tensor, "*batch n 3"]
) -> Float[Tensor, "*batch n 3"]:
    """Map points of frame b to frame a; the pose is cast to the points' dtype."""
    pose = a_from_b.to(points_b)
    return points_b @ pose[..., :3, :3].transpose(-1, -2) + pose[..., None, :3, 3]


def rotation_from_quaternion(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Turn wxyz quaternions, normalised here, into rotation matrices; differentiable."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def quaternion_from_rotation(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Turn rotation matrices into unit wxyz quaternions with w >= 0.

    The quaternion is read from the row of `4 q q^T` with the largest diagonal entry, which
    is well conditioned for every rotation (Bar-Itzhack 2000 discusses the same matrix).
    """
    m = rotation
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    outer = torch.stack(
        [
            torch.stack([1 + m00 + m11 + m22, wx, wy, wz], dim=-1),
            torch.stack([wx, 1 + m00 - m11 - m22, xy, xz], dim=-1),
            torch.stack([wy, xy, 1 - m00 + m11 - m22, yz], dim=-1),
            torch.stack([wz, xz, yz, 1 - m00 - m11 + m22], dim=-1),
        ],
        dim=-2,
    )
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    index = best[..., None, None].expand(*best.shape, 1, 4)
    quaternion = torch.nn.functional.normalize(outer.gather(-2, index)[..., 0, :], dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def multiply_quaternions(
    left: Float[Tensor, "*batch 4"], right: Float[Tensor, "*batch 4"]
) -> Float[Tensor, "*batch 4"]:
    """Hamilton product of wxyz quaternions: rotate by `right` first, then by `left`."""
    lw, lx, ly, lz = left.unbind(-1)
    rw, rx, ry, rz = right.unbind(-1)
    return torch.stack(
        [
            lw * rw - lx * rx - ly * ry - lz * rz,
            lw * rx + lx * rw + ly * rz - lz * ry,
            lw * ry - lx * rz + ly * rw + lz * rx,
            lw * rz + lx * ry - ly * rx + lz * rw,
        ],
        dim=-1,
    )


def slerp(
    start: Float[Tensor, "*batch 4"], end: Float[Tensor, "*batch 4"], fraction: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 4"]:
    """Interpolate unit quaternions along the shorter arc (Shoemake 1985); fraction may leave [0, 1]."""
    dot = (start * end).sum(-1, keepdim=True)
    end = torch.where(dot < 0, -end, end)
    angle = torch.acos(dot.abs().clamp(max=1.0))
    is_small = angle < 1e-6
    safe = torch.where(is_small, torch.ones_like(angle), angle)
    t = fraction[..., None]
    weight_start = torch.where(is_small, 1 - t, torch.sin((1 - t) * safe) / torch.sin(safe))
    weight_end = torch.where(is_small, t, torch.sin(t * safe) / torch.sin(safe))
    return torch.nn.functional.normalize(weight_start * start + weight_end * end, dim=-1)


def pose_from_twist(twist: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """Exponential map of se(3); twist = (translation part, rotation vector in radians).

    Differentiable everywhere, the identity included (Barfoot, State Estimation for Robotics, 7.1).
    """
    zeros = torch.zeros_like(twist[..., 0])
    tx, ty, tz, rx, ry, rz = twist.unbind(-1)
    generator = torch.stack(
        [
            torch.stack([zeros, -rz, ry, tx], dim=-1),
            torch.stack([rz, zeros, -rx, ty], dim=-1),
            torch.stack([-ry, rx, zeros, tz], dim=-1),
            torch.stack([zeros, zeros, zeros, zeros], dim=-1),
        ],
        dim=-2,
    )
    exponential: Tensor = torch.linalg.matrix_exp(generator)
    return exponential
