"""Exact distances along rays to primitives, many pairs of (bundle of rays, primitive) at once.

Rays are given in the primitive's own axes as components of shape (pairs, rays). A miss is
infinity. Only hits in front of the ray's origin count; a ray that starts inside a solid misses it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.sources.street.noise import LEAF_PX, NoiseBank
from gs_sim.sources.street.primitives import Shape

LEAF_VOXEL_M = 0.055
LEAF_BITS = 6.0
SHELLS = ((1.0, 0.38), (0.86, 0.72), (0.72, 1.1), (0.56, 0.0))
"""Relative radius and share of the crown's coverage of each shell of leaves; 0 for solid."""
NEAREST_M = 0.02

Rays = tuple[Float[Tensor, "p r"], Float[Tensor, "p r"], Float[Tensor, "p r"]]


def distances_m(
    shape: Shape,
    origins: Float[Tensor, "p 3 o"],
    directions: Float[Tensor, "p 3 d"],
    sizes: Float[Tensor, "p 8"],
    bank: NoiseBank,
) -> Float[Tensor, "p r"]:
    """Distance to the first hit, in lengths of the direction vector.

    `sizes` holds half lengths (3), leans (3), and for leaves their coverage and the mip level.
    """
    if shape == Shape.BOX:
        return _box(origins, directions, sizes)
    if shape == Shape.WEDGE:
        return _wedge(origins, directions, sizes)
    if shape == Shape.CYLINDER:
        return _cylinder(origins, directions, sizes)
    if shape == Shape.ELLIPSOID:
        return _ellipsoid(origins, directions, sizes)
    return _crown(origins, directions, sizes, bank)


def _box(origins: Tensor, directions: Tensor, sizes: Tensor) -> Tensor:
    inverse = directions.reciprocal()
    middle = -origins * inverse
    reach = sizes[:, :3, None] * inverse.abs()
    near = (middle - reach).amax(1)
    far = (middle + reach).amin(1)
    return torch.where((near <= far) & (near > NEAREST_M), near, torch.inf)


def _wedge(origins: Tensor, directions: Tensor, sizes: Tensor) -> Tensor:
    ox, oy, oz = origins.unbind(1)
    dx, dy, dz = directions.unbind(1)
    hx, hy, hz, front, back, side = (sizes[:, i, None] for i in range(6))
    near = torch.full_like(ox + dx, -torch.inf)
    far = torch.full_like(near, torch.inf)
    planes = (
        (hx - front * hz - ox - front * oz, dx + front * dz),
        (hx - back * hz + ox - back * oz, -dx + back * dz),
        (hy - side * hz - oy - side * oz, dy + side * dz),
        (hy - side * hz + oy - side * oz, -dy + side * dz),
        (hz - oz, dz),
        (hz + oz, -dz),
    )
    for gap, rate in planes:
        t = gap / rate
        is_leaving = rate > 0
        far = torch.where(is_leaving, torch.minimum(far, t), far)
        near = torch.where(is_leaving, near, torch.maximum(near, t))
    return torch.where((near <= far) & (near > NEAREST_M), near, torch.inf)


def _cylinder(origins: Tensor, directions: Tensor, sizes: Tensor) -> Tensor:
    ox, oy, oz = origins.unbind(1)
    dx, dy, dz = directions.unbind(1)
    radius, half = sizes[:, 0, None], sizes[:, 2, None]
    a = dx * dx + dy * dy
    b = ox * dx + oy * dy
    c = ox * ox + oy * oy - radius * radius
    root = (b * b - a * c).clamp(min=0).sqrt()
    is_beside = b * b < a * c
    inverse_a, inverse_z = a.reciprocal(), dz.reciprocal()
    middle, reach = -oz * inverse_z, half * inverse_z.abs()
    near = torch.maximum((-b - root) * inverse_a, middle - reach)
    far = torch.minimum((root - b) * inverse_a, middle + reach)
    return torch.where((near <= far) & (near > NEAREST_M) & ~is_beside, near, torch.inf)


def _ellipsoid(origins: Tensor, directions: Tensor, sizes: Tensor) -> Tensor:
    scale = sizes[:, :3, None].reciprocal()
    o, d = origins * scale, directions * scale
    a = (d * d).sum(1)
    b = (o * d).sum(1)
    discriminant = b * b - a * ((o * o).sum(1) - 1.0)
    near = (-b - discriminant.clamp(min=0).sqrt()) / a
    return torch.where((discriminant > 0) & (near > NEAREST_M), near, torch.inf)


def _crown(origins: Tensor, directions: Tensor, sizes: Tensor, bank: NoiseBank) -> Tensor:
    """The first of several nested shells that has a leaf where the ray enters it; the innermost is solid."""
    scale = sizes[:, :3, None].reciprocal()
    o, d = origins * scale, directions * scale
    a = (d * d).sum(1)
    b = (o * d).sum(1)
    square = (o * o).sum(1)
    nearest = torch.full_like(b, torch.inf)
    for radius, share in reversed(SHELLS):
        discriminant = b * b - a * (square - radius * radius)
        near = (-b - discriminant.clamp(min=0).sqrt()) / a
        is_hit = (discriminant > 0) & (near > NEAREST_M)
        if share > 0:
            is_hit &= _leaf_share(origins, directions, near, sizes, bank) < share * sizes[:, 6, None]
        nearest = torch.where(is_hit, near, nearest)
    return nearest


def _leaf_share(origins: Tensor, directions: Tensor, t: Tensor, sizes: Tensor, bank: NoiseBank) -> Tensor:
    """Look a point up in the leaf volume; the coarser cube at a distance has fewer, then no holes."""
    level = sizes[:, 7, None]
    width = torch.exp2(LEAF_BITS - level)
    start = ((LEAF_PX**3 - width**3) * (8.0 / 7.0)).int()
    cell, wrap, bits = width / (LEAF_PX * LEAF_VOXEL_M), width.int() - 1, (LEAF_BITS - level).int()
    index = torch.zeros_like(t, dtype=torch.int32)
    for k in (2, 1, 0):
        place = ((origins[:, k] + directions[:, k] * t) * cell).floor().int() & wrap
        index = (index << bits) | place
    return bank.leaves[start + index]
