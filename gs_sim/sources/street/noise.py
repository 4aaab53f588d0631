"""Textures with natural statistics: one tile of 1/f noise at many resolutions, and hashing of whole numbers.

A tile is looked up at several incommensurate sizes. Of its copies, each half an octave
coarser than the last, the one that fits the pixel's footprint is read, so that two slightly
different views of a surface agree.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

TILE_PX = 256
LEVEL_PX = (256, 182, 128, 90, 64, 46, 32, 22, 16, 12, 8, 6, 4, 2)
"""Width of the tile at each level, about half an octave apart."""
LEAF_PX = 64
NUM_LEAF_LEVELS = 4
NUM_DRAWS = 4096


@dataclass(frozen=True)
class NoiseBank:
    """Four independent fields of zero mean and unit variance, a volume of leaf clumps, and random numbers."""

    rows: Float[Tensor, "m 16"]
    """Per texel of all levels: its four fields, then those of its right, lower and lower right neighbours.

    The first three are smooth to rough clouds, the last is grain.
    """
    levels: Float[Tensor, "l 2"]
    """Width of each level and its first row."""
    leaves: Float[Tensor, "v"]
    """Cubes of LEAF_PX, LEAF_PX / 2, ... voxels: smooth noise whose values are their own quantiles."""
    draws: Float[Tensor, "d 4"]
    """Independent numbers in [0, 1)."""


@lru_cache(maxsize=4)
def noise_bank(device: str) -> NoiseBank:
    """The bank, the same for every street; white noise shaped in the Fourier domain."""
    generator = torch.Generator().manual_seed(20240229)
    frequency = torch.fft.fftfreq(TILE_PX) * TILE_PX
    radius = torch.sqrt(frequency[:, None] ** 2 + frequency[None, :] ** 2)
    exponents = torch.tensor([1.1, 1.0, 0.9, 0.25])[:, None, None]
    white = torch.fft.fft2(torch.randn(4, TILE_PX, TILE_PX, generator=generator))
    spectrum = white / radius.clamp(min=1.0) ** exponents
    spectrum[:, 0, 0] = 0.0
    spectrum = spectrum / torch.fft.ifft2(spectrum).real.std((1, 2))[:, None, None]
    tiles = [_resampled(spectrum, radius, width) for width in LEVEL_PX]
    starts = [sum(width**2 for width in LEVEL_PX[:k]) for k in range(len(LEVEL_PX))]
    return NoiseBank(
        torch.cat([_with_neighbours(tile) for tile in tiles]).to(device),
        torch.tensor([LEVEL_PX, starts], dtype=torch.float32).T.contiguous().to(device),
        _leaf_volumes(generator).to(device),
        torch.rand(NUM_DRAWS, 4, generator=generator).to(device),
    )


def _resampled(spectrum: Tensor, radius: Tensor, width: int) -> Float[Tensor, "4 w w"]:
    """The tile with `width` texels, low-passed just enough (Gaussian, one half at 0.36 of the sampling rate)."""
    passed = spectrum * torch.exp(-0.69 * (radius / (0.36 * width)) ** 2) if width < TILE_PX else spectrum
    half = width // 2
    keep = [*range(half), *range(TILE_PX - half, TILE_PX)]
    tile: Tensor = torch.fft.ifft2(passed[:, keep][:, :, keep]).real * (width / TILE_PX) ** 2
    return tile


def _with_neighbours(tile: Float[Tensor, "4 w w"]) -> Float[Tensor, "m 16"]:
    lower = tile.roll(-1, 1)
    corners = torch.stack([tile, tile.roll(-1, 2), lower, lower.roll(-1, 2)])
    return corners.permute(2, 3, 0, 1).reshape(-1, 16)


def _leaf_volumes(generator: torch.Generator) -> Float[Tensor, "v"]:
    """Clumps a few voxels wide; every coarser cube is averaged and so pulled towards a half, i.e. towards solid."""
    frequency = torch.fft.fftfreq(LEAF_PX) * LEAF_PX
    square = frequency**2
    radius = torch.sqrt(square[:, None, None] + square[None, :, None] + square[None, None, :])
    shape = torch.exp(-((radius / 20.0) ** 2)) * radius.clamp(min=2.0) ** -1.0
    white = torch.randn(LEAF_PX, LEAF_PX, LEAF_PX, generator=generator)
    volume = torch.fft.ifftn(torch.fft.fftn(white) * shape).real
    cube = (volume.flatten().argsort().argsort().float() / volume.numel()).reshape(volume.shape)
    cubes = []
    for _ in range(NUM_LEAF_LEVELS):
        cubes.append(cube.flatten())
        cube = torch.nn.functional.avg_pool3d(cube[None, None], 2)[0, 0]
    return torch.cat(cubes)


def fields_at(
    bank: NoiseBank, u_m: Float[Tensor, "n"], v_m: Float[Tensor, "n"], tile_m: float, footprint_m: Float[Tensor, "n"]
) -> Float[Tensor, "n 4"]:
    """The four fields at surface coordinates, the tile spanning `tile_m`, filtered to the footprint."""
    level = (2.0 * torch.log2(footprint_m * (1.3 * TILE_PX / tile_m))).clamp(0.0, len(LEVEL_PX) - 1.0)
    width, start = bank.levels.index_select(0, level.round().int()).unbind(1)
    x, y = u_m * (1.0 / tile_m), v_m * (1.0 / tile_m)
    x, y = (x - x.floor()) * width, (y - y.floor()) * width
    # Rounding can bring the upper end to the width itself, which is the texel 0 of the next row.
    column, row = torch.minimum(x.floor(), width - 1), torch.minimum(y.floor(), width - 1)
    right, down = (x - column)[:, None], (y - row)[:, None]
    corners = bank.rows.index_select(0, (start + row * width + column).int())
    upper = torch.lerp(corners[:, :4], corners[:, 4:8], right)
    lower = torch.lerp(corners[:, 8:12], corners[:, 12:], right)
    return torch.lerp(upper, lower, down)


def draws_at(
    bank: NoiseBank, first: Float[Tensor, "n"], second: Float[Tensor, "n"], seed: Int64[Tensor, "n"] | int
) -> Float[Tensor, "n 4"]:
    """Four numbers in [0, 1) that look random, fixed by two whole numbers (given as floats) and a seed."""
    a, b = first.int() * 73856093, second.int() * 19349663
    own = seed.int() * 83492791 if isinstance(seed, Tensor) else (seed * 83492791) % (1 << 31)
    mixed = torch.bitwise_xor(torch.bitwise_xor(a, b), own)
    mixed = torch.bitwise_xor(mixed, torch.bitwise_right_shift(mixed, 13)) * 0x2C1B3C6D
    return bank.draws.index_select(0, torch.bitwise_and(torch.bitwise_right_shift(mixed, 9), NUM_DRAWS - 1))
