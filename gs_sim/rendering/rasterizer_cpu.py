"""The CPU rasterizer: projection, binning and blending in numba, as one differentiable torch function.

A full production path with the semantics of 3DGS as gsplat implements them. The constants: near plane
0.01 m, dilation 0.3 px^2, alpha at most 0.999, alpha below 1/255 skipped, a pixel stops where its
transmittance would reach 1e-4. Images and gradients are bit-identical for equal input on one machine,
whatever the number of threads.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.rendering import cpu_bin, cpu_blend, cpu_project, cpu_project_backward
from gs_sim.rendering.rasterize import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class _View:
    """What the forward pass of one view leaves for its gradient."""

    camera: Floats
    splats: Floats
    counts: Ints
    slots: Ints
    per_splat: Ints
    pairs: Ints
    tile_starts: Ints
    num_x: int
    colour: Floats
    depth: Floats
    opacity: Floats


def rasterize_cpu(
    gaussians: Gaussians, views: Views, screen_offsets: Float[Tensor, "c n 2"] | None = None
) -> Rendering:
    """Render on the CPU; see `gs_sim.rendering.rasterize.rasterize`."""
    rotation, shift = views.camera_from_world[:, :3, :3], views.camera_from_world[:, :3, 3]
    centres = -torch.linalg.solve(rotation, shift[..., None])[..., 0]
    if screen_offsets is None:
        screen_offsets = gaussians.means.new_zeros(1, 1, 2).expand(len(centres), len(gaussians), 2)
    parameters = (
        gaussians.means,
        gaussians.log_scales,
        gaussians.quaternions,
        gaussians.opacity_logits,
        gaussians.sh,
        views.camera_from_world,
        centres,
        screen_offsets,
    )
    size_hw = (views.height_px, views.width_px)
    return Rendering(*_Rasterize.apply(*parameters, views.intrinsics, size_hw))


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


class _Rasterize(torch.autograd.Function):
    """All views one after the other; each uses every core."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        *parameters, intrinsics, (height, width) = inputs
        arrays = [_array(parameter) for parameter in parameters[:5]]
        poses, centres, offsets = (_array(parameter) for parameter in parameters[5:])
        num = len(poses)
        radii = np.empty((num, len(arrays[0])), np.float32)
        views = []
        for c in range(num):
            camera = cpu_project.camera_row(poses[c], centres[c], _array(intrinsics[c]), width, height)
            views.append(_render_view(arrays, camera, offsets[c], radii[c], (height, width)))
        ctx.save_for_backward(*parameters)
        ctx.views = views
        outputs = [torch.from_numpy(np.stack([getattr(view, name) for view in views])) for name in ("colour", "depth", "opacity")]
        radii_px = torch.from_numpy(radii)
        ctx.mark_non_differentiable(radii_px)
        return outputs[0], outputs[1], outputs[2], radii_px

    @staticmethod
    def backward(ctx: Any, *d_outputs: Any) -> tuple[Tensor | None, ...]:
        parameters = ctx.saved_tensors
        d_colour, d_depth, d_opacity = (_array(d_output) for d_output in d_outputs[:3])
        arrays = [_array(parameter) for parameter in parameters[:5]]
        gradients = [np.zeros(parameter.shape, np.float32) for parameter in parameters]
        for c, view in enumerate(ctx.views):
            pixel_grads = _pixel_gradients(view, d_colour[c], d_depth[c], d_opacity[c])
            pair_grads = np.empty((len(view.pairs), cpu_blend.PAIR_WIDTH), np.float32)
            with numba.parallel_chunksize(4):
                cpu_blend.blend_backward(view.splats, view.pairs, view.tile_starts, view.num_x, pixel_grads, pair_grads)
            d_camera = np.zeros((len(view.counts), 15))
            cpu_project_backward.project_backward(
                arrays[0], arrays[1], arrays[2], arrays[4], view.camera, view.splats, view.counts, view.slots,
                view.per_splat, pair_grads, *gradients[:5], gradients[7][c], d_camera,
            )
            total = d_camera.sum(axis=0)
            gradients[5][c, :3, :3] = total[:9].reshape(3, 3)
            gradients[5][c, :3, 3] = total[9:12]
            gradients[6][c] = total[12:]
        return *(torch.from_numpy(gradient) for gradient in gradients), None, None


def _render_view(arrays: list[Floats], camera: Floats, offsets: Floats, radii: Floats, size_hw: tuple[int, int]) -> _View:
    height, width = size_hw
    n = len(arrays[0])
    splats = np.empty((n, cpu_project.SPLAT_WIDTH), np.float32)
    counts = np.zeros(-(-n // cpu_project.CHUNK), np.int32)
    cpu_project.project(*arrays, offsets, camera, width, height, splats, radii, counts)
    order = cpu_bin.depth_order(splats, counts)
    num_x, num_y = -(-width // cpu_bin.TILE), -(-height // cpu_bin.TILE)
    per_tile = np.empty((2 * numba.get_num_threads(), num_x * num_y), np.int32)
    per_splat, slots = np.empty(n, np.int32), np.empty(n, np.int32)
    tile_starts = np.empty(num_x * num_y + 1, np.int32)
    cpu_bin.count_pairs(splats, order, num_x, num_y, per_tile, per_splat)
    cpu_bin.running_starts(per_tile, tile_starts)
    cpu_bin.running_slots(per_splat, counts, slots)
    pairs = np.empty((tile_starts[-1], 2), np.int32)
    cpu_bin.fill_pairs(splats, order, num_x, num_y, per_tile, slots, pairs)
    colour, depth, opacity = (np.empty(shape, np.float32) for shape in ((height, width, 3), size_hw, size_hw))
    with numba.parallel_chunksize(4):
        cpu_blend.blend(splats, pairs, tile_starts, num_x, colour, depth, opacity)
    return _View(camera, splats, counts, slots, per_splat, pairs, tile_starts, num_x, colour, depth, opacity)


def _pixel_gradients(view: _View, d_colour: Floats, d_depth: Floats, d_opacity: Floats) -> Floats:
    """Gradients of the weighted sums from those of the images: depth is sum(w z) / sum(w)."""
    height, width = d_depth.shape
    grads = np.empty((6, height, width), np.float32)
    safe = np.where(view.opacity > 0, view.opacity, np.inf).astype(np.float32)
    grads[:3] = d_colour.transpose(2, 0, 1)
    grads[3] = d_depth / safe
    grads[4] = d_opacity - grads[3] * view.depth
    grads[5] = (view.colour * d_colour).sum(axis=2) + view.opacity * d_opacity
    return grads
