"""The stages of the CPU rasterizer one by one, to time each alone."""

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_bin import bin_splats
from gs_sim.rendering.cpu_blend import blend, blend_tile
from gs_sim.rendering.cpu_blend_backward import PAIR_WIDTH, blend_backward
from gs_sim.rendering.cpu_lanes import WIDTH
from gs_sim.rendering.cpu_lanes_memory import aligned_empty
from gs_sim.rendering.cpu_project import project
from gs_sim.rendering.cpu_project_backward import CloudGradients, Drawn, project_backward
from gs_sim.rendering.cpu_project_chain import NUM_POSE
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel
from gs_sim.rendering.cpu_splat import Bins, Floats, Images
from gs_sim.rendering.cpu_view import view_of
from gs_sim.rendering.rasterize import Views
from gs_sim.rendering.rasterizer_cpu import NO_NUMBERS, TILES_AT_ONCE, make_cloud, take_shot
from gs_sim.scene.gaussians import Gaussians


@numba.njit(**INLINE)
def _count_tile(splats: Floats, bins: Bins, images: Images, tile: int, rows: npt.NDArray[np.int64]) -> None:
    rows[tile] = blend_tile(splats, bins, images, tile)


@parallel_kernel
def _count_rows(splats: Floats, bins: Bins, images: Images, rows: npt.NDArray[np.int64]) -> None:
    for tile in numba.prange(rows.shape[0]):
        _count_tile(splats, bins, images, tile, rows)


class CpuStages:
    """One view of Gaussians, taken; each method does one stage of it again."""

    def __init__(self, gaussians: Gaussians, views: Views) -> None:
        height, width = views.height_px, views.width_px
        fields = ("means", "log_scales", "quaternions", "opacity_logits", "sh")
        self.flat = [getattr(gaussians, name).reshape(-1).numpy() for name in fields]
        images, d_images = (
            Images(*(np.ones((height, width, *rest), np.float32) for rest in ((3,), (), ()))) for _ in range(2)
        )
        camera_from_world = views.camera_from_world[0].numpy()
        centre_world = -camera_from_world[:3, :3].T @ camera_from_world[:3, 3]
        view = view_of(camera_from_world, centre_world, views.intrinsics[0].numpy(), (height, width))
        self.d_images = d_images
        self.shot = take_shot(make_cloud(self.flat, None), view, images, np.empty(len(gaussians), np.float32))
        self.pair_grads = aligned_empty(self.shot.bins.tile_starts[-1] * PAIR_WIDTH)

    def project(self) -> None:
        """Gaussians to splats."""
        self.shot.splats.counts[:] = 0
        project(self.shot.cloud, self.shot.view, self.shot.splats)

    def bin_splats(self) -> None:
        """Sort the splats into tiles."""
        bin_splats(self.shot.splats, (self.shot.view.height, self.shot.view.width))

    def blend(self) -> None:
        """Tiles to pixels."""
        with numba.parallel_chunksize(TILES_AT_ONCE):
            blend(self.shot.splats.rows, self.shot.bins, self.shot.images)

    def blend_backward(self) -> None:
        """Gradient of the pixels to that of the pairs."""
        with numba.parallel_chunksize(TILES_AT_ONCE):
            blend_backward(self.shot.splats.rows, self.shot.bins, self.shot.images, self.d_images, self.pair_grads)

    def project_backward(self) -> None:
        """Gradient of the pairs to that of the Gaussians."""
        splats = self.shot.splats
        drawn = Drawn(self.shot.view.camera, splats.rows, splats.counts, self.shot.bins.slots, splats.num_tiles)
        means, log_scales, quaternions, opacity_logits, sh = (np.empty_like(array) for array in self.flat)
        pose = np.zeros((len(splats.counts), NUM_POSE))
        gradients = CloudGradients(means, log_scales, quaternions, opacity_logits, sh, NO_NUMBERS, pose)
        project_backward(self.shot.cloud, drawn, self.pair_grads, gradients, True)

    def num_evaluated(self) -> int:
        """(pixel, Gaussian) pairs that blending evaluates, whole rows of 16 pixels counted."""
        rows = np.zeros(len(self.shot.bins.tile_starts) - 1, np.int64)
        _count_rows(self.shot.splats.rows, self.shot.bins, self.shot.images, rows)
        return int(rows.sum()) * WIDTH
