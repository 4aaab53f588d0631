"""Convolutions over occupied voxels only (Graham et al. 2018), in torch, differentiable, on any device.

Three kinds: on one grid (3x3x3, output where input is), to a grid of half the resolution (2x2x2, stride 2), and back.
"""

import itertools
import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gs_sim.reconstruction.g3r.sparse_grid import OFFSETS, Coarsening, KernelMap, SparseGrid


class SubmanifoldConv(nn.Module):
    """A 3x3x3 convolution whose output lives on the voxels of its input: sparsity does not grow."""

    def __init__(self, in_channels: int, out_channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(first_weights(len(OFFSETS), in_channels, out_channels, generator))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, features: Float[Tensor, "m c"], grid: SparseGrid) -> Float[Tensor, "m d"]:
        """Convolve; entry k of the kernel is the neighbour at `OFFSETS[k]`."""
        return gathered(features, self.weight, grid.neighbours, len(grid)) + self.bias


class DownConv(nn.Module):
    """A 2x2x2 convolution of stride 2."""

    def __init__(self, in_channels: int, out_channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(first_weights(8, in_channels, out_channels, generator))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, features: Float[Tensor, "m c"], coarsening: Coarsening) -> Float[Tensor, "k d"]:
        """Bring features of the fine grid to the coarse one."""
        return gathered(features, self.weight, coarsening.corners, len(coarsening.grid)) + self.bias


class UpConv(nn.Module):
    """The transpose of a 2x2x2 convolution of stride 2: each fine voxel hears from the coarse one it lies in."""

    def __init__(self, in_channels: int, out_channels: int, generator: torch.Generator) -> None:
        super().__init__()
        # one entry reaches each fine voxel, so the fan-in is that of a single one
        self.weight = nn.Parameter(first_weights(8, in_channels, out_channels, generator) * math.sqrt(8))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, features: Float[Tensor, "k c"], coarsening: Coarsening, fine: SparseGrid) -> Float[Tensor, "m d"]:
        """Bring features of the coarse grid to the fine one."""
        return gathered(features, self.weight, coarsening.corners.reverse(), len(fine)) + self.bias


def gathered(
    features: Float[Tensor, "m c"], weight: Float[Tensor, "k c d"], pairs: KernelMap, num_rows: int
) -> Float[Tensor, "r d"]:
    """Sum over kernel entries of the sources' features times that entry's matrix, added up at the targets."""
    output: Tensor = _Gathered.apply(features, weight, pairs, num_rows)  # type: ignore[no-untyped-call]  # torch
    return output


class _Gathered(torch.autograd.Function):
    """One gather, one matrix product per entry, one scatter; the gradient likewise.

    Autograd's own gradient of a gather is several times slower on the CPU.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, pairs: KernelMap, num_rows: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.pairs = pairs
        sources = features.index_select(0, pairs.source)
        products = sources.new_empty(len(sources), weight.shape[2])
        for entry, matrix in zip(_entries(pairs), weight, strict=True):
            torch.mm(sources[entry], matrix, out=products[entry])
        return products.new_zeros(num_rows, products.shape[1]).index_add_(0, pairs.target, products)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        pairs: KernelMap = ctx.pairs
        sources, at_target = features.index_select(0, pairs.source), gradient.index_select(0, pairs.target)
        products, to_weight = torch.empty_like(sources), torch.zeros_like(weight)
        for entry, matrix, own in zip(_entries(pairs), weight, to_weight, strict=True):
            torch.mm(at_target[entry], matrix.T, out=products[entry])
            torch.mm(sources[entry].T, at_target[entry], out=own)
        return torch.zeros_like(features).index_add_(0, pairs.source, products), to_weight, None, None


def _entries(pairs: KernelMap) -> list[slice]:
    """Where each kernel entry's pairs lie."""
    ends = list(itertools.accumulate(pairs.counts))
    return [slice(end - count, end) for end, count in zip(ends, pairs.counts, strict=True)]


def first_weights(
    num_entries: int, in_channels: int, out_channels: int, generator: torch.Generator
) -> Float[Tensor, "k c d"]:
    """Normal weights that keep the variance through a rectifier (He et al. 2015)."""
    spread = math.sqrt(2 / (num_entries * in_channels))
    return spread * torch.randn(num_entries, in_channels, out_channels, generator=generator)
