"""Textures with natural statistics: one tile of 1/f noise with a mip chain, and integer hashing.

A tile is looked up at several incommensurate sizes. Its mip chain filters by the pixel's
footprint, so that two slightly different views of a surface agree.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

TILE_PX = 256
NUM_LEVELS = 9
LEAF_PX = 64
NUM_LEAF_LEVELS = 4


@dataclass(frozen=True)
class NoiseBank:
    """Four independent fields of zero mean and unit variance, and a volume of leaf clumps."""

    rows: Float[Tensor, "m 16"]
    """Per texel of all mip levels: its value and those of its right, lower and lower right neighbours, four fields each."""
    leaves: Float[Tensor, "l"]
    """Cubes of LEAF_PX, LEAF_PX / 2, ... voxels: smooth noise in [0, 1] whose quantiles are its values."""


@lru_cache(maxsize=4)
def noise_bank(device: str) -> NoiseBank:
    """The bank, the same for every street; synthesised by shaping white noise in the Fourier domain."""
    generator = torch.Generator().manual_seed(20240229)
    frequency = torch.fft.fftfreq(TILE_PX) * TILE_PX
    radius = torch.sqrt(frequency[:, None] ** 2 + frequency[None, :] ** 2).clamp(min=1.0)
    white = torch.randn(4, TILE_PX, TILE_PX, generator=generator)
    field = torch.fft.ifft2(torch.fft.fft2(white) / radius**0.9).real
    field = field - field.mean((1, 2), keepdim=True)
    level = field / field.std((1, 2), keepdim=True)
    rows = []
    for _ in range(NUM_LEVELS):
        right, lower = level.roll(-1, 2), level.roll(-1, 1)
        corners = torch.stack([level, right, lower, lower.roll(-1, 2)])
        rows.append(corners.permute(2, 3, 0, 1).reshape(-1, 16))
        if level.shape[1] > 1:
            level = torch.nn.functional.avg_pool2d(level[None], 2)[0]
    return NoiseBank(torch.cat(rows).to(device), _leaf_volumes(generator).to(device))


def _leaf_volumes(generator: torch.Generator) -> Float[Tensor, "l"]:
    """Clumps a few voxels wide; every coarser cube is averaged and pulled towards a half, i.e. towards solid."""
    frequency = torch.fft.fftfreq(LEAF_PX) * LEAF_PX
    square = frequency**2
    radius = torch.sqrt(square[:, None, None] + square[None, :, None] + square[None, None, :])
    shape = torch.exp(-((radius / 13.0) ** 2)) * radius.clamp(min=2.0) ** -0.3
    white = torch.randn(LEAF_PX, LEAF_PX, LEAF_PX, generator=generator)
    volume = torch.fft.ifftn(torch.fft.fftn(white) * shape).real
    order = volume.flatten().argsort().argsort().float() / volume.numel()
    cube = order.reshape(volume.shape)
    cubes = []
    for _ in range(NUM_LEAF_LEVELS):
        cubes.append(cube.flatten())
        cube = torch.nn.functional.avg_pool3d(cube[None, None], 2)[0, 0]
    return torch.cat(cubes)


def fields_at(
    bank: NoiseBank, u_m: Float[Tensor, "n"], v_m: Float[Tensor, "n"], tile_m: float, footprint_m: Float[Tensor, "n"]
) -> Float[Tensor, "n 4"]:
    """The four fields at surface coordinates, the tile spanning `tile_m`, filtered to the footprint."""
    texel_m = tile_m / TILE_PX
    level = torch.log2(footprint_m * (1.2 / texel_m)).clamp(0.0, NUM_LEVELS - 1.001)
    whole = level.floor()
    blend = (level - whole)[:, None]
    u, v = u_m * (1.0 / tile_m), v_m * (1.0 / tile_m)
    fine, coarse = _bilinear(bank, u, v, whole.long()), _bilinear(bank, u, v, whole.long() + 1)
    return torch.lerp(fine, coarse, blend)


def _bilinear(
    bank: NoiseBank, u: Float[Tensor, "n"], v: Float[Tensor, "n"], level: Int64[Tensor, "n"]
) -> Float[Tensor, "n 4"]:
    width = torch.bitwise_right_shift(torch.full_like(level, TILE_PX), level)
    start = (TILE_PX * TILE_PX * 4 - width * width * 4) // 3
    scale = width.to(u.dtype)
    x, y = (u - u.floor()) * scale - 0.5, (v - v.floor()) * scale - 0.5
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    column, row = torch.bitwise_and(x0.long(), width - 1), torch.bitwise_and(y0.long(), width - 1)
    corners = bank.rows.index_select(0, start + row * width + column).view(-1, 4, 4)
    gx, gy = 1 - fx, 1 - fy
    weights = torch.stack([gx * gy, fx * gy, gx * fy, fx * fy], dim=1)[:, None, :]
    return torch.bmm(weights, corners)[:, 0]


def hash_unit(first: Int64[Tensor, "*n"], *others: Int64[Tensor, "*n"] | int) -> Float[Tensor, "*n"]:
    """A number in [0, 1) that looks random, fixed by whole numbers (a multiply-xorshift mix)."""
    mixed = _mix(first)
    for key in others:
        mixed = _mix(torch.bitwise_xor(mixed, key * 0x85EBCA6B))
    return mixed.float() * (0.9999999 / math.ldexp(1.0, 32))


def _mix(value: Int64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
    value = torch.bitwise_and(value, 0xFFFFFFFF)
    value = torch.bitwise_and(torch.bitwise_xor(value, value >> 16) * 0x21F0AAAD, 0xFFFFFFFF)
    value = torch.bitwise_and(torch.bitwise_xor(value, value >> 15) * 0x735A2D97, 0xFFFFFFFF)
    return torch.bitwise_xor(value, value >> 15)
