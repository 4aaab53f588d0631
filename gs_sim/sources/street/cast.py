"""The first primitive along each ray: intersect listed pairs in chunks, then keep the nearest per ray."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gs_sim.sources.street.bundles import Bundles, Pairs
from gs_sim.sources.street.intersect import LEAF_VOXEL_M, distances_m
from gs_sim.sources.street.noise import NUM_LEAF_LEVELS, NoiseBank
from gs_sim.sources.street.primitives import Primitives, Shape

CHUNK_RAYS = 24 * 1024
"""Rays per call on a CPU: temporaries stay in its cache."""
MISS = 0x7F800000 << 32
"""Infinity as packed by `nearest_by_scattering`."""


def nearest_hits(
    bundles: Bundles, primitives: Primitives, pairs: Pairs, bank: NoiseBank
) -> tuple[Float[Tensor, "b r"], Int64[Tensor, "b r"]]:
    """Distance to the first primitive and its index; infinity and -1 where a ray meets none."""
    num_rays = max(bundles.origins.shape[2], bundles.directions.shape[2])
    device = bundles.directions.device
    pair_m = torch.empty(len(pairs.bundle), num_rays, device=device)
    sizes = _sizes(bundles, primitives, pairs)
    shapes = primitives.shapes[pairs.primitive]
    turns = primitives.rotations.transpose(1, 2)
    per_chunk = max(1, (CHUNK_RAYS if device.type == "cpu" else 256 * CHUNK_RAYS) // num_rays)
    for shape in Shape:
        for rows in (shapes == shape).nonzero()[:, 0].split(per_chunk):
            bundle, primitive = pairs.bundle[rows], pairs.primitive[rows]
            turn = turns[primitive]
            origins = bundles.origins[bundle] - primitives.centres[primitive][:, :, None]
            pair_m[rows] = distances_m(
                shape, torch.bmm(turn, origins), torch.bmm(turn, bundles.directions[bundle]), sizes[rows], bank
            )
    if device.type == "cpu":
        return nearest_by_splitting(pair_m, pairs, len(bundles.directions))
    return nearest_by_scattering(pair_m, pairs, len(bundles.directions))


def nearest_by_splitting(
    pair_m: Float[Tensor, "p r"], pairs: Pairs, num_bundles: int
) -> tuple[Float[Tensor, "b r"], Int64[Tensor, "b r"]]:
    """The nearest per ray, bundle by bundle: fastest on a CPU, where the pairs of a bundle lie side by side."""
    nearest_m = torch.full((num_bundles, pair_m.shape[1]), torch.inf)
    index = torch.full((num_bundles, pair_m.shape[1]), -1, dtype=torch.int64)
    start = 0
    for bundle, part in enumerate(pair_m.split(torch.bincount(pairs.bundle, minlength=num_bundles).tolist())):
        if len(part):
            nearest_m[bundle], rows = part.min(0)
            index[bundle] = pairs.primitive[start + rows]
        start += len(part)
    return nearest_m, torch.where(torch.isinf(nearest_m), -1, index)


def nearest_by_scattering(
    pair_m: Float[Tensor, "p r"], pairs: Pairs, num_bundles: int
) -> tuple[Float[Tensor, "b r"], Int64[Tensor, "b r"]]:
    """The nearest per ray in one call: distances as whole numbers (their bits order alike) above the index."""
    packed = torch.bitwise_left_shift(pair_m.view(torch.int32).long(), 32) | pairs.primitive[:, None]
    nearest = torch.full((num_bundles, pair_m.shape[1]), MISS, dtype=torch.int64, device=pair_m.device)
    nearest.scatter_reduce_(0, pairs.bundle[:, None].expand_as(packed), packed, "amin")
    nearest_m = torch.bitwise_right_shift(nearest, 32).int().view(torch.float32)
    return nearest_m, torch.where(torch.isinf(nearest_m), -1, nearest & 0xFFFFFFFF)


def _sizes(bundles: Bundles, primitives: Primitives, pairs: Pairs) -> Float[Tensor, "p 8"]:
    """Half sizes, leans, leaf coverage and the leaf mip level for the pair's distance."""
    centres = primitives.centres[pairs.primitive]
    distance_m = (centres - bundles.origins.mean(2)[pairs.bundle]).norm(dim=1)
    level = torch.log2((distance_m * bundles.footprint / LEAF_VOXEL_M).clamp(min=1.0)).clamp(max=NUM_LEAF_LEVELS - 1)
    coverage = primitives.details[pairs.primitive, 0]
    columns = [primitives.half_m[pairs.primitive], primitives.leans[pairs.primitive]]
    return torch.cat([*columns, coverage[:, None], level.round()[:, None]], dim=1)
