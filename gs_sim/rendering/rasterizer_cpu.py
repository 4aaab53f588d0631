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
from torch.autograd.function import once_differentiable

from gs_sim.rendering.cpu_bin import bin_splats
from gs_sim.rendering.cpu_blend import blend
from gs_sim.rendering.cpu_blend_backward import PAIR_WIDTH, blend_backward
from gs_sim.rendering.cpu_lanes_memory import aligned_empty
from gs_sim.rendering.cpu_project import project
from gs_sim.rendering.cpu_project_backward import CloudGradients, Drawn, project_backward
from gs_sim.rendering.cpu_project_chain import NUM_POSE
from gs_sim.rendering.cpu_splat import CHUNK, SPLAT_WIDTH, Bins, Floats, Images, Splats
from gs_sim.rendering.cpu_view import Cloud, View, view_of
from gs_sim.rendering.views import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

NO_NUMBERS: Floats = np.zeros(0, np.float32)
TILES_AT_ONCE = 4
"""Tiles a thread takes at once: few, since those near the horizon cost many times those of the sky."""


class Shot(NamedTuple):
    """One view as it was rendered: all that its gradient needs."""

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
    return Rendering(*_Rasterize.apply(views.intrinsics, size_hw, *parameters))  # type: ignore[no-untyped-call] # torch


class _Rasterize(torch.autograd.Function):
    """All views one after the other; each uses every core."""

    @staticmethod
    def forward(ctx: Any, intrinsics: Tensor, size_hw: tuple[int, int], *parameters: Any) -> tuple[Tensor, ...]:
        *cloud_parameters, offsets, poses, centres = parameters
        flat = [_array(parameter).reshape(-1) for parameter in cloud_parameters]
        num = len(poses)
        outputs = [torch.empty(num, *size_hw, *rest) for rest in ((3,), (), ())]
        radii_px = torch.empty(num, len(cloud_parameters[0]))
        ctx.shots = []
        for c in range(num):
            cloud = make_cloud(flat, None if offsets is None else offsets[c])
            view = view_of(_array(poses[c]), _array(centres[c]), _array(intrinsics[c]), size_hw)
            images = Images(outputs[0][c].numpy(), outputs[1][c].numpy(), outputs[2][c].numpy())
            shot = take_shot(cloud, view, images, radii_px[c].numpy())
            if any(ctx.needs_input_grad):
                ctx.shots.append(shot)
        ctx.save_for_backward(*cloud_parameters)
        ctx.mark_non_differentiable(radii_px)
        return *outputs, radii_px

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *d_outputs: Any) -> tuple[Tensor | None, ...]:
        parameters = ctx.saved_tensors  # raises if one of them was changed in place since
        d_colour, d_depth, d_opacity = (_array(d_output) for d_output in d_outputs[:3])
        num, needs = len(ctx.shots), ctx.needs_input_grad
        gradients = [torch.empty(parameter.shape) for parameter in parameters]
        d_offsets = torch.empty(num, len(parameters[0]), 2) if needs[7] else None
        d_poses, d_centres = torch.zeros(num, 4, 4), torch.zeros(num, 3)
        flat = [gradient.view(-1).numpy() for gradient in gradients]
        for c, shot in enumerate(ctx.shots):
            own = NO_NUMBERS if d_offsets is None else d_offsets[c].view(-1).numpy()
            d_images = Images(d_colour[c], d_depth[c], d_opacity[c])
            pose = shot_gradient(shot, d_images, [*flat, own], is_first=c == 0)
            d_poses[c, :3, :3], d_poses[c, :3, 3], d_centres[c] = pose[:9].view(3, 3), pose[9:12], pose[12:]
        return None, None, *gradients, d_offsets, d_poses, d_centres


def make_cloud(flat: list[Floats], offsets: Tensor | None) -> Cloud:
    """Gaussians from flat arrays of their five parameters, in order, and the screen offsets of one view."""
    means, log_scales, quaternions, opacity_logits, sh = flat
    own = NO_NUMBERS if offsets is None else _array(offsets).reshape(-1)
    return Cloud(means, log_scales, quaternions, opacity_logits, sh, own)


def take_shot(cloud: Cloud, view: View, images: Images, radii_px: Floats) -> Shot:
    """Render one view into `images` and `radii_px`."""
    splats = _empty_splats(radii_px)
    project(cloud, view, splats)
    bins = bin_splats(splats, (view.height, view.width))
    with numba.parallel_chunksize(TILES_AT_ONCE):
        blend(splats.rows, bins, images)
    return Shot(cloud, view, splats, bins, images)


def shot_gradient(shot: Shot, d_images: Images, gradients: list[Floats], *, is_first: bool) -> Tensor:
    """Write (first view) or add to the flat gradients; give that of the pose: R (9), t (3), camera centre (3).

    The last of `gradients`, of the screen offsets, is this view's own or empty.
    """
    splats, bins = shot.splats, shot.bins
    pair_grads = aligned_empty(bins.tile_starts[-1] * PAIR_WIDTH)
    with numba.parallel_chunksize(TILES_AT_ONCE):
        blend_backward(splats.rows, bins, shot.images, d_images, pair_grads)
    drawn = Drawn(shot.view.camera, splats.rows, splats.counts, bins.slots, splats.num_tiles)
    means, log_scales, quaternions, opacity_logits, sh, offsets = gradients
    pose = np.zeros((len(splats.counts), NUM_POSE))
    cloud_gradients = CloudGradients(means, log_scales, quaternions, opacity_logits, sh, offsets, pose)
    project_backward(shot.cloud, drawn, pair_grads, cloud_gradients, is_first)
    return torch.from_numpy(pose.sum(axis=0))


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


def _empty_splats(radii_px: Floats) -> Splats:
    n = len(radii_px)
    # 16 rows are read at once, from any row on
    rows, rects = aligned_empty((n + 15) * SPLAT_WIDTH), np.empty((n, 4), np.int16)
    keys, num_tiles, counts = np.empty(n, np.uint32), np.empty(n, np.int32), np.zeros(-(-n // CHUNK), np.int32)
    return Splats(rows, keys, rects, num_tiles, counts, radii_px)
