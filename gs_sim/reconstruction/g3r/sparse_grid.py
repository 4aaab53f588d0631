"""Occupied voxels of a cloud and who neighbours whom; what sparse convolutions run over.

Voxels are sorted by one whole number each, so neighbours are found by binary search: torch alone, on any device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gs_sim.errors import InputError

AXIS_BITS = 20
"""Bits for each axis of a voxel's key, plus one that keeps neighbours at the rim apart."""
HALF_RANGE = 1 << (AXIS_BITS - 1)
STRIDES = (1 << (2 * (AXIS_BITS + 1)), 1 << (AXIS_BITS + 1), 1)
"""What a step along x, y, z adds to a key."""

OFFSETS = tuple((x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1))
"""The neighbourhood of a 3x3x3 kernel; entry k and entry 26 - k are opposite."""
CENTRE = 13


@dataclass(frozen=True)
class KernelMap:
    """Which voxels a kernel connects, entry after entry: row `source` of the input adds to row `target` of the output."""

    source: Int64[Tensor, "p"]
    target: Int64[Tensor, "p"]
    counts: tuple[int, ...]
    """How many of the pairs belong to each entry of the kernel."""

    def reverse(self) -> "KernelMap":
        """The same pairs from output to input."""
        return KernelMap(self.target, self.source, self.counts)


def kernel_map(pairs: Sequence[tuple[Tensor, Tensor]]) -> KernelMap:
    """Join the rows (source, target) of all entries, one-dimensional and of any number."""
    sources, targets = zip(*pairs, strict=True)
    return KernelMap(torch.cat(sources), torch.cat(targets), tuple(len(source) for source in sources))


@dataclass(frozen=True)
class SparseGrid:
    """Occupied voxels, sorted by key."""

    cells: Int64[Tensor, "m 3"]
    """Whole coordinates of each voxel."""

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def keys(self) -> Int64[Tensor, "m"]:
        """One number per voxel, strictly increasing."""
        return keys_of(self.cells)

    @cached_property
    def neighbours(self) -> KernelMap:
        """What a 3x3x3 kernel connects, its centre included."""
        forward = [self._pairs(offset) for offset in OFFSETS[:CENTRE]]
        everyone = torch.arange(len(self), device=self.cells.device)
        backward = [(target, source) for source, target in reversed(forward)]
        return kernel_map([*forward, (everyone, everyone), *backward])

    @cached_property
    def coarser(self) -> "Coarsening":
        """The grid of twice the voxel size, and where each voxel lies in it."""
        parents, parent_of = unique_cells(self.cells >> 1)
        corner = (self.cells & 1) @ torch.tensor([4, 2, 1], device=self.cells.device)
        inside = []
        for index in range(8):
            children = (corner == index).nonzero()[:, 0]
            inside.append((children, parent_of[children]))
        return Coarsening(SparseGrid(parents), kernel_map(inside))

    def _pairs(self, offset: tuple[int, int, int]) -> tuple[Int64[Tensor, "q"], Int64[Tensor, "q"]]:
        """Source and target of the voxels whose neighbour at an offset is occupied: that neighbour is the source."""
        wanted = self.keys + sum(step * stride for step, stride in zip(offset, STRIDES, strict=True))
        found = torch.searchsorted(self.keys, wanted).clamp(max=len(self) - 1)
        target = (self.keys[found] == wanted).nonzero()[:, 0]
        return found[target], target


@dataclass(frozen=True)
class Coarsening:
    """A coarser grid, and what connects the fine one to it: an entry for each of the eight corners of a coarse voxel."""

    grid: SparseGrid
    corners: KernelMap


@dataclass(frozen=True)
class Voxelisation:
    """Points in their voxels."""

    grid: SparseGrid
    voxel_of: Int64[Tensor, "n"]
    """The voxel of each point."""


def voxelise(points_m: Float[Tensor, "n 3"], size_m: float) -> Voxelisation:
    """Put points into cubic voxels.

    Raises:
        InputError: there are no points, one is not finite, or they spread over more voxels than keys can tell apart.
    """
    if not len(points_m) or not bool(points_m.isfinite().all()):
        raise InputError("voxels need at least one point, and all of them finite")
    cells = torch.floor(points_m.double() / size_m)
    if float(cells.abs().max()) >= HALF_RANGE - 1:
        raise InputError(
            f"points lie up to {float(points_m.abs().max()):.0f} m from the origin; voxels of {size_m:g} m reach "
            f"{(HALF_RANGE - 1) * size_m:.0f} m"
        )
    unique, voxel_of = unique_cells(cells.long())
    return Voxelisation(SparseGrid(unique), voxel_of)


def keys_of(cells: Int64[Tensor, "m 3"]) -> Int64[Tensor, "m"]:
    """Voxels as single numbers that sort by x, then y, then z."""
    return (cells + HALF_RANGE) @ torch.tensor(STRIDES, device=cells.device)


def unique_cells(cells: Int64[Tensor, "n 3"]) -> tuple[Int64[Tensor, "m 3"], Int64[Tensor, "n"]]:
    """Each cell once, sorted by key, and where every given cell is among them."""
    keys, index = torch.unique(keys_of(cells), return_inverse=True)
    first = torch.empty(len(keys), dtype=torch.int64, device=cells.device)
    first[index] = torch.arange(len(cells), device=cells.device)
    return cells[first], index


def pool(voxels: Voxelisation, features: Float[Tensor, "n c"]) -> Float[Tensor, "m c"]:
    """Mean of the features of the points in each voxel."""
    total = features.new_zeros(len(voxels.grid), features.shape[1]).index_add(0, voxels.voxel_of, features)
    count = torch.bincount(voxels.voxel_of, minlength=len(voxels.grid)).clamp(min=1)
    return total / count[:, None]
