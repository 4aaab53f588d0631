"""Convolutions over occupied voxels only (Graham et al. 2018), in torch, differentiable, on any device.

Three kinds: on one grid (3x3x3, output where input is), to a grid of half the resolution (2x2x2, stride 2), and back.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gs_sim.reconstruction.g3r.sparse_grid import OFFSETS, Coarsening, Pairs, SparseGrid


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
        downwards = tuple(Pairs(pairs.target, pairs.source) for pairs in coarsening.corners)
        return gathered(features, self.weight, downwards, len(fine)) + self.bias


def gathered(
    features: Float[Tensor, "m c"], weight: Float[Tensor, "k c d"], pairs: tuple[Pairs, ...], num_rows: int
) -> Float[Tensor, "r d"]:
    """Sum over kernel entries of the sources' features times that entry's matrix, added up at the targets."""
    output = features.new_zeros(num_rows, weight.shape[2])
    for matrix, entry in zip(weight, pairs, strict=True):
        if len(entry.source):
            output = output.index_add(0, entry.target, features[entry.source] @ matrix)
    return output


def first_weights(
    num_entries: int, in_channels: int, out_channels: int, generator: torch.Generator
) -> Float[Tensor, "k c d"]:
    """Normal weights that keep the variance through a rectifier (He et al. 2015)."""
    spread = math.sqrt(2 / (num_entries * in_channels))
    return spread * torch.randn(num_entries, in_channels, out_channels, generator=generator)
