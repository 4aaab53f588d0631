"""A few views of one camera as IPO-Net takes them: images, grid and what LiDAR measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gs_sim.geometry.pose import inverse
from gs_sim.reconstruction.ggrt.ipo import STRIDE
from gs_sim.reconstruction.views import TrainingView

FARTHEST_LINK = 2
"""Views further apart in a piece do not look for each other's pixels."""
LIDAR_DEVIATION = 0.02
"""Standard deviation of a measured depth, as a share of it."""
LEAST_DEVIATION = 1e-3
"""Of inverse depths, per metre; far away nothing is known better."""


@dataclass(frozen=True)
class Piece:
    """Views of one camera in order of time, cut to whole cells."""

    images: Float[Tensor, "v 3 h w"]
    """In [0, 1]."""
    intrinsics: Float[Tensor, "4"]
    """fx, fy, cx, cy of the grid of cells."""
    camera_from_world: Float[Tensor, "v 4 4"]
    """As the views have them, from the first view on; float32."""
    inverse_depth: Float[Tensor, "v _ _"]
    """Of the nearest LiDAR return in each cell; 0 where there is none."""

    @property
    def lidar_weight(self) -> Float[Tensor, "v _ _"]:
        """1 / variance of inverse depths; 0 where there is none."""
        is_known = (self.inverse_depth > 0).to(self.inverse_depth)
        return is_known / (LIDAR_DEVIATION * self.inverse_depth + LEAST_DEVIATION).square()


def piece_of(views: Sequence[TrainingView], device: torch.device) -> Piece:
    """Put views together."""
    camera = views[0].camera
    height, width = camera.height_px // STRIDE * STRIDE, camera.width_px // STRIDE * STRIDE
    images = torch.stack([view.rgb[:height, :width].permute(2, 0, 1) for view in views]).to(device).float() / 255
    intrinsics = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy]) / STRIDE
    first = views[0].world_from_camera
    camera_from_world = torch.stack([inverse(view.world_from_camera) @ first for view in views]).float()
    depths = torch.stack([_cells(view, height // STRIDE, width // STRIDE) for view in views])
    return Piece(images, intrinsics.to(device), camera_from_world.to(device), depths.to(device))


def links_within(num_views: int) -> tuple[Int64[Tensor, "e"], Int64[Tensor, "e"]]:
    """Each view looks for its pixels in its neighbours, on either side."""
    pairs = [(i, j) for i in range(num_views) for j in range(num_views) if 0 < abs(i - j) <= FARTHEST_LINK]
    return torch.tensor([i for i, _ in pairs]), torch.tensor([j for _, j in pairs])


def _cells(view: TrainingView, rows: int, columns: int) -> Float[Tensor, "_ _"]:
    """Largest inverse depth in each cell."""
    y, x = view.lidar_pixels // view.camera.width_px // STRIDE, view.lidar_pixels % view.camera.width_px // STRIDE
    inside = (y < rows) & (x < columns)
    flat = torch.zeros(rows * columns)
    flat.scatter_reduce_(0, (y * columns + x)[inside], 1 / view.lidar_depth_m[inside], "amax")
    return flat.reshape(rows, columns)
