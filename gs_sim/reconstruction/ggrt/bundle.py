"""Poses and depths of several views from where their pixels were found again: differentiable bundle adjustment.

Unknown are camera poses and one inverse depth for each pixel of each view. A link (i, j) says where pixels of view i were
found in view j, and how surely. One step of Gauss-Newton takes all links together; depths are eliminated first, since each
appears in the equations of its own pixel alone (Schur complement; Triggs et al. 1999; Teed and Deng, DROID-SLAM, 2021).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gs_sim.geometry.pose import inverse, pose_from_twist

NEAREST_DEPTH_M = 0.3
"""Pixels that would lie nearer than this in another view say nothing."""
POSE_DAMPING, DEPTH_DAMPING = 1e-4, 1e-4
"""Added to the diagonals, relative to their own size (Marquardt)."""
LONGEST_STEP = 1.0
"""A step's translation (metres) and rotation (radians) stay below this."""


@dataclass(frozen=True)
class Block:
    """Views that are adjusted together; all of one camera."""

    camera_from_world: Float[Tensor, "v 4 4"]
    inverse_depth: Float[Tensor, "v h w"]
    """1 / z, per metre."""
    intrinsics: Float[Tensor, "4"]
    """fx, fy, cx, cy in pixels of the grid; pixel centres at +0.5."""


@dataclass(frozen=True)
class Links:
    """Which views look for whose pixels, and what they found."""

    of: Int64[Tensor, "e"]
    """View whose pixels are looked for."""
    found_in: Int64[Tensor, "e"]
    place: Float[Tensor, "e h w 2"]
    """Where: x, y in pixels of the grid."""
    weight: Float[Tensor, "e h w 2"]
    """How surely, along x and y: 1 / variance."""


@dataclass(frozen=True)
class Anchors:
    """What is known beside the links."""

    num_fixed: int
    """So many of the first views do not move."""
    inverse_depth: Float[Tensor, "v h w"]
    """Measured ones, such as from LiDAR."""
    weight: Float[Tensor, "v h w"]
    """1 / variance of those; 0 where nothing was measured."""


def grid_of(height: int, width: int, like: Tensor) -> Float[Tensor, "h w 2"]:
    """Pixel centres."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y], dim=-1).to(like)


def rays_of(height: int, width: int, intrinsics: Float[Tensor, "4"]) -> Float[Tensor, "h w 3"]:
    """Points at depth 1 that the pixels of a grid show."""
    fx, fy, cx, cy = intrinsics.unbind()
    x, y = grid_of(height, width, intrinsics).unbind(-1)
    return torch.stack([(x - cx) / fx, (y - cy) / fy, torch.ones_like(x)], dim=-1)


@dataclass(frozen=True)
class Projection:
    """Where the pixels of each link lie in the other view."""

    place: Float[Tensor, "e h w 2"]
    is_in_front: Float[Tensor, "e h w"]
    """1 where the other view sees the pixel before it."""
    point: Float[Tensor, "e h w 3"]
    """In the other camera, times the inverse depth in the first."""
    shift: Float[Tensor, "e 3"]
    """d point / d inverse depth: translation from the first to the other camera."""
    motion: Float[Tensor, "e 4 4"]
    """other_from_first."""


def project(block: Block, of: Int64[Tensor, "e"], found_in: Int64[Tensor, "e"]) -> Projection:
    """Carry the pixels of some views into others by their poses and depths; differentiable."""
    _, height, width = block.inverse_depth.shape
    fx, fy, cx, cy = block.intrinsics.unbind()
    rays = rays_of(height, width, block.intrinsics)
    motion = block.camera_from_world[found_in] @ inverse(block.camera_from_world[of])
    shift = motion[:, :3, 3]
    depth = block.inverse_depth[of]
    point = torch.einsum("eij,hwj->ehwi", motion[:, :3, :3], rays) + depth[..., None] * shift[:, None, None]
    z = point[..., 2]
    is_in_front = (z > NEAREST_DEPTH_M * depth.clamp(min=1e-6)).to(z)
    safe = torch.where(z > 1e-3, z, torch.ones_like(z))
    place = torch.stack([fx * point[..., 0] / safe + cx, fy * point[..., 1] / safe + cy], dim=-1)
    return Projection(place, is_in_front, point, shift, motion)


def adjust(block: Block, links: Links, anchors: Anchors) -> Block:
    """One damped Gauss-Newton step over all free poses and all depths; differentiable in places, weights and block."""
    seen = project(block, links.of, links.found_in)
    weight = links.weight * seen.is_in_front[..., None]
    residual = links.place - seen.place
    by_first, by_other, by_depth = _jacobians(block, block.inverse_depth[links.of], seen)
    num_views, pixels = len(block.inverse_depth), block.inverse_depth[0].numel()
    num_links = len(links.of)
    by_pose = torch.stack([by_first, by_other]).reshape(2, num_links, pixels, 2, 6)
    by_depth = by_depth.reshape(num_links, pixels, 2)
    weight, residual = weight.reshape(num_links, pixels, 2), residual.reshape(num_links, pixels, 2)
    ends = torch.stack([links.of, links.found_in])
    weighted = by_pose * weight[None, ..., None]

    poses = block.inverse_depth.new_zeros(num_views * num_views, 6, 6)
    right = block.inverse_depth.new_zeros(num_views, 6)
    coupling = block.inverse_depth.new_zeros(num_views * num_views, pixels, 6)  # (depths of, pose)
    for one in range(2):
        right = right.index_add(0, ends[one], torch.einsum("epca,epc->ea", weighted[one], residual))
        coupling = coupling.index_add(
            0, links.of * num_views + ends[one], torch.einsum("epca,epc->epa", weighted[one], by_depth)
        )
        for other in range(2):
            block_of = torch.einsum("epca,epcb->eab", weighted[one], by_pose[other])
            poses = poses.index_add(0, ends[one] * num_views + ends[other], block_of)
    curvature = anchors.weight.reshape(num_views, pixels).index_add(
        0, links.of, (weight * by_depth.square()).sum(dim=-1)
    )
    pull = anchors.weight * (anchors.inverse_depth - block.inverse_depth)
    depth_right = pull.reshape(num_views, pixels).index_add(0, links.of, (weight * by_depth * residual).sum(dim=-1))
    curvature = curvature * (1 + DEPTH_DAMPING) + 1e-6

    coupling = coupling.reshape(num_views, num_views, pixels, 6)[:, anchors.num_fixed :]
    free = num_views - anchors.num_fixed
    system = poses.reshape(num_views, num_views, 6, 6)[anchors.num_fixed :, anchors.num_fixed :]
    eased = coupling / curvature[:, None, :, None]
    system = system - torch.einsum("vipa,vjpb->ijab", eased, coupling)
    target = right[anchors.num_fixed :] - torch.einsum("vipa,vp->ia", eased, depth_right)
    twists = _solve(system.permute(0, 2, 1, 3).reshape(6 * free, 6 * free), target.reshape(-1)).reshape(free, 6)
    step = (depth_right - torch.einsum("vipa,ia->vp", coupling, twists)) / curvature
    moved = pose_from_twist(twists) @ block.camera_from_world[anchors.num_fixed :]
    return Block(
        torch.cat([block.camera_from_world[: anchors.num_fixed], moved]),
        (block.inverse_depth + step.reshape(block.inverse_depth.shape)).clamp(min=1e-4, max=1 / NEAREST_DEPTH_M),
        block.intrinsics,
    )


def _jacobians(block: Block, depth: Float[Tensor, "e h w"], seen: Projection) -> tuple[Tensor, Tensor, Tensor]:
    """Of places: with respect to twists (left, translation first) of the first and the other camera, and inverse depths."""
    fx, fy, _, _ = block.intrinsics.unbind()
    x, y, z = seen.point.unbind(-1)
    safe = torch.where(z > 1e-3, z, torch.ones_like(z))
    zero = torch.zeros_like(z)
    rows = [
        torch.stack([fx / safe, zero, -fx * x / safe**2], dim=-1),
        torch.stack([zero, fy / safe, -fy * y / safe**2], dim=-1),
    ]
    by_point = torch.stack(rows, dim=-2)
    by_shift = depth[..., None, None] * torch.eye(3).to(depth)
    turned = [(zero, z, -y), (-z, zero, x), (y, -x, zero)]
    by_turn = torch.stack([torch.stack(row, dim=-1) for row in turned], dim=-2)
    by_other = by_point @ torch.cat([by_shift, by_turn], dim=-1)
    by_first = -torch.einsum("ehwca,eab->ehwcb", by_other, _adjoint(seen.motion))
    return by_first, by_other, torch.einsum("ehwca,ea->ehwc", by_point, seen.shift)


def _adjoint(motion: Float[Tensor, "e 4 4"]) -> Float[Tensor, "e 6 6"]:
    """Carries twists of one frame to another."""
    rotation, (x, y, z) = motion[:, :3, :3], motion[:, :3, 3].unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
    upper = torch.cat([rotation, cross @ rotation], dim=-1)
    return torch.cat([upper, torch.cat([torch.zeros_like(rotation), rotation], dim=-1)], dim=-2)


def _solve(system: Float[Tensor, "n n"], right: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Twists of the free views, in float64; none of them longer than LONGEST_STEP, and zero where nothing is known."""
    wide = system.double()
    damped = wide + torch.diag(POSE_DAMPING * wide.diagonal() + 1e-3)
    solved = torch.linalg.solve(damped, right.double()).reshape(-1, 6)
    length = solved.detach().norm(dim=-1, keepdim=True)
    shortened: Tensor = (solved * (LONGEST_STEP / length.clamp(min=LONGEST_STEP))).to(right).reshape(-1)
    return shortened
