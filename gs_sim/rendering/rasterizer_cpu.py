"""The CPU rasterizer: projection, binning and blending in numba, as one differentiable torch function.

A full production path with the semantics of 3DGS as gsplat implements them. Images and gradients are
bit-identical for equal input on one machine, whatever the number of threads.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.rendering.cpu_bin import bin_splats
from gs_sim.rendering.cpu_blend import blend
from gs_sim.rendering.cpu_blend_backward import PAIR_WIDTH, blend_backward
from gs_sim.rendering.cpu_project import Cloud, View, project, view_of
from gs_sim.rendering.cpu_project_backward import NUM_POSE, CloudGradients, Drawn, project_backward
from gs_sim.rendering.cpu_splat import CHUNK, SPLAT_WIDTH, Bins, Floats, Images, Splats
from gs_sim.rendering.rasterize import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

NO_NUMBERS = np.zeros(0, np.float32)
TILES_AT_ONCE = 4
"""Tiles a thread takes at once: few, since those near the horizon cost many times those of the sky."""


class _Shot(NamedTuple):
    """One view as it was rendered."""

    cloud: Cloud
    view: View
    splats: Splats
    bins: Bins
    images: Images


def rasterize_cpu(
    gaussians: Gaussians, views: Views, screen_offsets: Float[Tensor, "c n 2"] | None = None
) -> Rendering:
    """Render on the CPU; see `gs_sim.rendering.rasterize.rasterize`."""
    rotations, shifts = views.camera_from_world[:, :3, :3], views.camera_from_world[:, :3, 3]
    centres_world = -torch.linalg.solve(rotations, shifts[..., None])[..., 0]
    parameters = (
        gaussians.means,
        gaussians.log_scales,
        gaussians.quaternions,
        gaussians.opacity_logits,
        gaussians.sh,
        screen_offsets,
        views.camera_from_world,
        centres_world,
    )
    size_hw = (views.height_px, views.width_px)
    colour, depth_m, opacity, radii_px = _Rasterize.apply(views.intrinsics, size_hw, *parameters)
    return Rendering(colour, depth_m, opacity, radii_px)


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


class _Rasterize(torch.autograd.Function):
    """All views one after the other; each uses every core."""

    @staticmethod
    def forward(ctx: Any, intrinsics: Tensor, size_hw: tuple[int, int], *parameters: Any) -> tuple[Tensor, ...]:
        *cloud_parameters, offsets, poses, centres = parameters
        flat = [_array(parameter).reshape(-1) for parameter in cloud_parameters]
        num = len(poses)
        images = Images(*(torch.empty(num, *size_hw, *rest) for rest in ((3,), (), ())))
        radii_px = torch.empty(num, len(cloud_parameters[0]))
        ctx.shots = []
        for c in range(num):
            cloud = Cloud(*flat, NO_NUMBERS if offsets is None else _array(offsets[c]).reshape(-1))
            view = view_of(_array(poses[c]), _array(centres[c]), _array(intrinsics[c]), size_hw)
            shown = Images(*(image[c].numpy() for image in images))
            splats = _empty_splats(radii_px[c].numpy())
            project(cloud, view, splats)
            bins = bin_splats(splats, size_hw)
            with numba.parallel_chunksize(TILES_AT_ONCE):
                blend(splats.rows, bins, shown)
            if any(ctx.needs_input_grad):
                ctx.shots.append(_Shot(cloud, view, splats, bins, shown))
        ctx.save_for_backward(*cloud_parameters)
        ctx.mark_non_differentiable(radii_px)
        return *images, radii_px

    @staticmethod
    def backward(ctx: Any, *d_outputs: Any) -> tuple[Tensor | None, ...]:
        parameters = ctx.saved_tensors  # raises if one of them was changed in place since
        d_images = [_array(d_output) for d_output in d_outputs[:3]]
        num, needs = len(ctx.shots), ctx.needs_input_grad
        gradients = [torch.zeros(parameter.shape) for parameter in parameters]
        d_offsets = torch.zeros(num, len(parameters[0]), 2) if needs[7] else None
        d_poses, d_centres = torch.zeros(num, 4, 4), torch.zeros(num, 3)
        flat = [gradient.view(-1).numpy() for gradient in gradients]
        for c, shot in enumerate(ctx.shots):
            splats, bins = shot.splats, shot.bins
            pair_grads = np.empty((bins.tile_starts[-1], PAIR_WIDTH), np.float32)
            with numba.parallel_chunksize(TILES_AT_ONCE):
                blend_backward(splats.rows, bins, shot.images, Images(*(image[c] for image in d_images)), pair_grads)
            offsets = NO_NUMBERS if d_offsets is None else d_offsets[c].view(-1).numpy()
            cloud_gradients = CloudGradients(*flat, offsets, np.zeros((len(splats.counts), NUM_POSE)))
            drawn = Drawn(shot.view.camera, splats.rows, splats.counts, bins.slots, splats.num_tiles)
            project_backward(shot.cloud, drawn, pair_grads, cloud_gradients)
            pose = torch.from_numpy(cloud_gradients.pose.sum(axis=0))
            d_poses[c, :3, :3], d_poses[c, :3, 3], d_centres[c] = pose[:9].view(3, 3), pose[9:12], pose[12:]
        return None, None, *gradients, d_offsets, d_poses, d_centres


def _empty_splats(radii_px: Floats) -> Splats:
    n = len(radii_px)
    rows, rects = np.empty(n * SPLAT_WIDTH, np.float32), np.empty((n, 4), np.int16)
    keys, num_tiles, counts = np.empty(n, np.uint32), np.empty(n, np.int32), np.zeros(-(-n // CHUNK), np.int32)
    return Splats(rows, keys, rects, num_tiles, counts, radii_px)
