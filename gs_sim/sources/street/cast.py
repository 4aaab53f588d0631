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


def nearest_hits(
    bundles: Bundles, primitives: Primitives, pairs: Pairs, bank: NoiseBank
) -> tuple[Float[Tensor, "b r"], Int64[Tensor, "b r"]]:
    """Distance to the first primitive and its index; infinity and -1 where a ray meets none."""
    num_rays = max(bundles.origins.shape[2], bundles.directions.shape[2])
    device = bundles.directions.device
    nearest_m = torch.full((len(bundles.directions), num_rays), torch.inf, device=device)
    index = torch.full((len(bundles.directions), num_rays), -1, dtype=torch.int64, device=device)
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
    for rows in _layers(pairs.bundle):
        bundle = pairs.bundle[rows]
        candidate_m, best_m = pair_m[rows], nearest_m[bundle]
        is_nearer = candidate_m < best_m
        nearest_m[bundle] = torch.where(is_nearer, candidate_m, best_m)
        index[bundle] = torch.where(is_nearer, pairs.primitive[rows][:, None], index[bundle])
    return nearest_m, index


def _sizes(bundles: Bundles, primitives: Primitives, pairs: Pairs) -> Float[Tensor, "p 8"]:
    """Half sizes, leans, leaf coverage and the leaf mip level for the pair's distance."""
    centres = primitives.centres[pairs.primitive]
    distance_m = (centres - bundles.origins.mean(2)[pairs.bundle]).norm(dim=1)
    level = torch.log2((distance_m * bundles.footprint / LEAF_VOXEL_M).clamp(min=1.0)).clamp(max=NUM_LEAF_LEVELS - 1)
    coverage = primitives.details[pairs.primitive, 0]
    columns = [primitives.half_m[pairs.primitive], primitives.leans[pairs.primitive]]
    return torch.cat([*columns, coverage[:, None], level.round()[:, None]], dim=1)


def _layers(bundle: Int64[Tensor, "p"]) -> list[Int64[Tensor, "q"]]:
    """Split sorted pairs so that no bundle appears twice in a layer: its k-th pair is in layer k."""
    if len(bundle) == 0:
        return []
    counts = torch.bincount(bundle)
    first = counts.cumsum(0) - counts
    order = counts.argsort(descending=True)
    sorted_counts, first = counts[order], first[order]
    sizes = [
        int(n) for n in (sorted_counts[None, :] > torch.arange(int(counts.max()), device=bundle.device)[:, None]).sum(1)
    ]
    return [first[:size] + k for k, size in enumerate(sizes)]
