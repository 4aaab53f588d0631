"""What surrounds each row: a sparse 3D UNet over voxels, and for the distant shell a CNN over directions."""

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from gs_sim.reconstruction.g3r.sparse_convolution import DownConv, SubmanifoldConv, UpConv
from gs_sim.reconstruction.g3r.sparse_grid import SparseGrid, Voxelisation, pool


class SparseUNet(nn.Module):
    """Features of points to features of points; the time embedding joins at the coarsest level, as in the paper."""

    def __init__(self, channels: int, widths: tuple[int, ...], num_time: int, generator: torch.Generator) -> None:
        super().__init__()
        self.stem = SubmanifoldConv(channels, widths[0], generator)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(DownConv(fine, coarse, generator) for fine, coarse in pairs)
        self.encode = nn.ModuleList(SubmanifoldConv(coarse, coarse, generator) for _, coarse in pairs)
        self.time = linear_layer(num_time, widths[-1], generator)
        self.up = nn.ModuleList(UpConv(coarse, fine, generator) for fine, coarse in pairs)
        self.decode = nn.ModuleList(SubmanifoldConv(2 * fine, fine, generator) for fine, _ in pairs)

    def forward(
        self, features: Float[Tensor, "n c"], voxels: Voxelisation, time: Float[Tensor, "e"]
    ) -> Float[Tensor, "n d"]:
        """Pool points into voxels, look around at every scale, and hand each point what its voxel has found."""
        grids: list[SparseGrid] = [voxels.grid]
        levels = [torch.relu(self.stem(pool(voxels, features), voxels.grid))]
        for down, encode in zip(self.down, self.encode, strict=True):
            coarsening = grids[-1].coarser
            coarse = torch.relu(down(levels[-1], coarsening))
            levels.append(coarse + torch.relu(encode(coarse, coarsening.grid)))
            grids.append(coarsening.grid)
        x = levels[-1] + self.time(time)
        for index in reversed(range(len(self.up))):
            fine = grids[index]
            upper = torch.relu(self.up[index](x, fine.coarser, fine))
            x = levels[index] + torch.relu(self.decode[index](torch.cat([upper, levels[index]], dim=1), fine))
        found: Tensor = x.index_select(0, voxels.voxel_of)
        return found


@dataclass(frozen=True)
class DirectionGrid:
    """Cells of equal azimuth and elevation around a centre, and the cell of each point."""

    rows: int
    columns: int
    cell_of: Int64[Tensor, "n"]


def direction_grid(points: Float[Tensor, "n 3"], centre: Float[Tensor, "3"], spacing_deg: float) -> DirectionGrid:
    """Put points into cells by their direction from the centre; only the occupied range of elevations is kept."""
    unit = torch.nn.functional.normalize(points - centre, dim=1)
    azimuth = torch.rad2deg(torch.atan2(unit[:, 1], unit[:, 0])) + 180.0
    elevation = torch.rad2deg(torch.asin(unit[:, 2].clamp(-1, 1)))
    columns = round(360.0 / spacing_deg)
    column = (azimuth / spacing_deg).long() % columns
    row = torch.floor(elevation / spacing_deg).long()
    row = row - row.min()
    return DirectionGrid(int(row.max()) + 1, columns, row * columns + column)


class DirectionCnn(nn.Module):
    """Two residual blocks over the grid of directions, which closes around the horizon."""

    def __init__(self, channels: int, width: int, num_time: int, generator: torch.Generator) -> None:
        super().__init__()
        self.stem = _conv(channels + 1, width, generator)
        self.time = linear_layer(num_time, width, generator)
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv(width, width, generator), _conv(width, width, generator)) for _ in range(2)
        )

    def forward(
        self, features: Float[Tensor, "n c"], grid: DirectionGrid, time: Float[Tensor, "e"]
    ) -> Float[Tensor, "n d"]:
        """Pool points into cells, look around, and hand each point what its cell has found."""
        num_cells = grid.rows * grid.columns
        total = features.new_zeros(num_cells, features.shape[1]).index_add(0, grid.cell_of, features)
        count = torch.bincount(grid.cell_of, minlength=num_cells).to(features)[:, None]
        image = torch.cat([total / count.clamp(min=1), (count > 0).to(features)], dim=1)
        image = image.T.reshape(1, -1, grid.rows, grid.columns)
        x = torch.relu(_around(image, self.stem) + self.time(time)[:, None, None])
        for block in self.blocks:
            first, second = block.children()
            x = x + torch.relu(_around(torch.relu(_around(x, first)), second))
        return x[0].flatten(1).T.index_select(0, grid.cell_of)


def linear_layer(in_channels: int, out_channels: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer that keeps the variance, without bias at first, its weights from the generator."""
    linear = nn.Linear(in_channels, out_channels)
    with torch.no_grad():
        linear.weight.normal_(0, in_channels**-0.5, generator=generator)
        linear.bias.zero_()
    return linear


def _conv(in_channels: int, out_channels: int, generator: torch.Generator) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 3)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
    conv.bias = nn.Parameter(torch.zeros(out_channels))
    return conv


def _around(image: Float[Tensor, "1 c h w"], conv: nn.Module) -> Float[Tensor, "1 d h w"]:
    """Convolve with columns that close around the horizon and rows that end in zeros."""
    padded = torch.nn.functional.pad(image, (1, 1, 0, 0), mode="circular")
    output: Tensor = conv(torch.nn.functional.pad(padded, (0, 0, 1, 1)))
    return output
