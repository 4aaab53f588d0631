"""Sparse convolutions against dense ones, and what must hold whatever the order of points."""

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.reconstruction.g3r.sparse_convolution import DownConv, SubmanifoldConv, UpConv
from gs_sim.reconstruction.g3r.sparse_grid import HALF_RANGE, OFFSETS, SparseGrid, pool, unique_cells, voxelise

SIDE = 8


def random_grid(seed: int = 0, share: float = 0.3) -> SparseGrid:
    generator = torch.Generator().manual_seed(seed)
    cells = (torch.rand(SIDE, SIDE, SIDE, generator=generator) < share).nonzero() - SIDE // 2
    return SparseGrid(unique_cells(cells)[0])


def dense(grid: SparseGrid, features: torch.Tensor, side: int = SIDE) -> torch.Tensor:
    """Features as an image of one, channels first; zero where nothing is."""
    volume = torch.zeros(features.shape[1], side, side, side, dtype=features.dtype)
    x, y, z = (grid.cells + side // 2).unbind(-1)
    volume = volume.index_put((torch.arange(features.shape[1])[:, None], x[None], y[None], z[None]), features.T)
    return volume[None]


def at(grid: SparseGrid, volume: torch.Tensor, side: int = SIDE) -> torch.Tensor:
    x, y, z = (grid.cells + side // 2).unbind(-1)
    return volume[0][:, x, y, z].T


def features_of(grid: SparseGrid, channels: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(grid), channels, generator=generator).requires_grad_()


def test_a_submanifold_convolution_is_a_dense_one_seen_at_the_occupied_voxels() -> None:
    grid = random_grid()
    features = features_of(grid, 5)
    layer = SubmanifoldConv(5, 7, torch.Generator().manual_seed(2))
    kernel = layer.weight.detach().clone().requires_grad_()
    as_dense = kernel.reshape(3, 3, 3, 5, 7).permute(4, 3, 0, 1, 2)
    expected = at(grid, torch.nn.functional.conv3d(dense(grid, features), as_dense, padding=1)) + layer.bias
    found = layer(features, grid)
    assert torch.allclose(found, expected, atol=1e-5)
    probe = torch.randn(found.shape, generator=torch.Generator().manual_seed(3))
    d_found = torch.autograd.grad((found * probe).sum(), [features, layer.weight])
    d_expected = torch.autograd.grad((expected * probe).sum(), [features, kernel])
    for mine, theirs in zip(d_found, d_expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4)


def test_down_and_up_are_dense_convolutions_of_stride_two() -> None:
    grid = random_grid(4)
    coarsening, half = grid.coarser, SIDE // 2
    features = features_of(grid, 3)
    down = DownConv(3, 6, torch.Generator().manual_seed(5))
    kernel = down.weight.reshape(2, 2, 2, 3, 6).permute(4, 3, 0, 1, 2)
    expected = torch.nn.functional.conv3d(dense(grid, features), kernel, stride=2)
    coarse = down(features, coarsening)
    assert torch.allclose(coarse, at(coarsening.grid, expected, half) + down.bias, atol=1e-5)
    up = UpConv(6, 2, torch.Generator().manual_seed(6))
    kernel = up.weight.reshape(2, 2, 2, 6, 2).permute(3, 4, 0, 1, 2)
    expected = torch.nn.functional.conv_transpose3d(dense(coarsening.grid, coarse, half), kernel, stride=2)
    assert torch.allclose(up(coarse, coarsening, grid), at(grid, expected) + up.bias, atol=1e-5)


def test_neighbours_are_those_at_the_offsets_and_no_others() -> None:
    grid = random_grid(7)
    pairs = grid.neighbours
    steps = (grid.cells[pairs.source] - grid.cells[pairs.target]).split(pairs.counts)
    for offset, found in zip(OFFSETS, steps, strict=True):
        assert bool((found == torch.tensor(offset)).all())
    occupied = {tuple(cell) for cell in grid.cells.tolist()}
    assert len(pairs.source) == sum((x + i, y + j, z + k) in occupied for x, y, z in occupied for i, j, k in OFFSETS)


def test_the_order_of_points_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(8)
    points_m = torch.rand(400, 3, generator=generator) * 4 - 2
    values = torch.randn(400, 4, generator=generator)
    order = torch.randperm(400, generator=generator)
    layer = SubmanifoldConv(4, 4, generator)

    def per_point(points: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        voxels = voxelise(points, 0.5)
        seen: torch.Tensor = layer(pool(voxels, features), voxels.grid)[voxels.voxel_of]
        return seen

    assert torch.allclose(per_point(points_m, values)[order], per_point(points_m[order], values[order]), atol=1e-5)


def test_shifting_everything_by_whole_voxels_changes_nothing() -> None:
    grid = random_grid(9)
    moved = SparseGrid(unique_cells(grid.cells + torch.tensor([1000, -2000, 64]))[0])
    features = features_of(grid, 3)
    layer = SubmanifoldConv(3, 3, torch.Generator().manual_seed(1))
    assert torch.allclose(layer(features, grid), layer(features, moved), atol=1e-6)


def test_voxels_hold_the_mean_of_their_points() -> None:
    points_m = torch.tensor([[0.1, 0.1, 0.1], [0.4, 0.2, 0.3], [-0.1, 0.1, 0.1]])
    voxels = voxelise(points_m, 0.5)
    assert voxels.grid.cells.tolist() == [[-1, 0, 0], [0, 0, 0]]
    assert voxels.voxel_of.tolist() == [1, 1, 0]
    assert pool(voxels, torch.tensor([[1.0], [3.0], [7.0]]))[:, 0].tolist() == [7.0, 2.0]


@pytest.mark.parametrize(
    ("points_m", "sentence"),
    [
        (torch.zeros(0, 3), "at least one point"),
        (torch.full((1, 3), torch.nan), "all of them finite"),
        (torch.full((1, 3), 1e7), "points lie up to 10000000 m from the origin; voxels of 0.5 m reach 262144 m"),
    ],
)
def test_points_that_cannot_be_put_into_voxels_are_refused(points_m: torch.Tensor, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        voxelise(points_m, 0.5)


def test_voxels_at_the_rim_of_the_range_do_not_wrap_around() -> None:
    rim = HALF_RANGE - 2
    grid = SparseGrid(unique_cells(torch.tensor([[0, rim, rim], [0, -rim, -rim], [1, -rim, rim]]))[0])
    assert len(grid.neighbours.source) == len(grid)
