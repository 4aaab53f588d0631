"""The CUDA rasterizer: gsplat's kernels (Ye et al. 2024) behind the same door as the CPU one.

Uses gsplat's separate steps, not its `rasterization`, so that screen offsets can be added between
projection and binning. gsplat is optional: what is missing is said in a sentence.
"""

import inspect
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gs_sim.errors import MissingFeatureError
from gs_sim.rendering.views import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

TILE = 16
NEAR_M = 0.01
DILATION_PX2 = 0.3


def rasterize_gsplat(
    gaussians: Gaussians, views: Views, screen_offsets: Float[Tensor, "c n 2"] | None = None
) -> Rendering:
    """Render on CUDA; see `gs_sim.rendering.rasterize.rasterize`.

    Raises:
        MissingFeatureError: gsplat or CUDA is missing, or the tensors are not on a CUDA device.
    """
    gsplat = require_gsplat(gaussians.means.device)
    if len(gaussians) == 0:
        return _nothing(views)
    is_drawable, scales_m = _drawable(gaussians)
    means = torch.where(is_drawable[:, None], gaussians.means, 0.0)
    opacities = torch.where(is_drawable, gaussians.opacities, 0.0)
    quaternions = torch.where(is_drawable[:, None], gaussians.quaternions, 1.0)
    scales_m = torch.where(is_drawable[:, None], scales_m, 1.0)
    width, height = views.width_px, views.height_px
    num_views = len(views.intrinsics)

    radii, centres, depths, conics, _ = gsplat.fully_fused_projection(
        means,
        None,
        quaternions,
        scales_m,
        views.camera_from_world,
        views.intrinsics,
        width,
        height,
        eps2d=DILATION_PX2,
        near_plane=NEAR_M,
        packed=False,
        **_tighter_radii(gsplat.fully_fused_projection, opacities),
    )
    if screen_offsets is not None:
        centres = centres + screen_offsets
    is_drawn = ((radii > 0).all(dim=-1) if radii.dim() == 3 else radii > 0) & is_drawable
    colours = _colours(gsplat, gaussians, means, views, is_drawn)
    num_x, num_y = math.ceil(width / TILE), math.ceil(height / TILE)
    _, tile_keys, splat_indices = gsplat.isect_tiles(centres, radii, depths, TILE, num_x, num_y, packed=False)
    tile_starts = gsplat.isect_offset_encode(tile_keys, num_views, num_x, num_y)
    blended, opacity = gsplat.rasterize_to_pixels(
        centres,
        conics,
        torch.cat([colours, depths[..., None]], dim=-1),
        opacities.expand(num_views, -1).contiguous(),
        width,
        height,
        TILE,
        tile_starts,
        splat_indices,
    )
    opacity = opacity[..., 0]
    depth_m = blended[..., 3] / torch.where(opacity > 0, opacity, 1.0)
    extents = radii.amax(dim=-1) if radii.dim() == 3 else radii
    return Rendering(blended[..., :3], depth_m, opacity, torch.where(is_drawn, extents, 0).to(torch.float32))


def require_gsplat(device: torch.device) -> Any:
    """Give gsplat's module, or say what keeps it from running on this device.

    Raises:
        MissingFeatureError: with what to install or to choose instead.
    """
    if not torch.cuda.is_available():
        raise MissingFeatureError(
            "the gsplat rasterizer needs a CUDA device and a CUDA build of torch, and finds none here: use the backend 'cpu'"
        )
    if device.type != "cuda":
        raise MissingFeatureError(f"the gsplat rasterizer needs tensors on CUDA, got {device}: use .to('cuda')")
    try:
        import gsplat
    except ImportError as error:
        raise MissingFeatureError(
            "the gsplat rasterizer needs the package gsplat, which is not installed: run 'pip install gsplat', "
            "or use the backend 'cpu'"
        ) from error
    return gsplat


@lru_cache(maxsize=8)
def _takes_opacities(projection: Callable[..., Any]) -> bool:
    return "opacities" in inspect.signature(projection).parameters


def _tighter_radii(projection: Callable[..., Any], opacities: Tensor) -> dict[str, Tensor]:
    """Newer versions cut a Gaussian's extent by its opacity, which changes the speed alone."""
    return {"opacities": opacities} if _takes_opacities(projection) else {}


def _drawable(gaussians: Gaussians) -> tuple[Bool[Tensor, "n"], Float[Tensor, "n 3"]]:
    """Which Gaussians are finite in all they have, without waiting for the device; and their scales."""
    scales_m = gaussians.scales_m
    numbers = [gaussians.means, scales_m, gaussians.quaternions, gaussians.opacity_logits[:, None]]
    is_finite = torch.cat([*numbers, gaussians.sh.flatten(1)], dim=1).isfinite().all(dim=1)
    return is_finite & (gaussians.quaternions.norm(dim=1) > 0), scales_m


def _colours(
    gsplat: Any,
    gaussians: Gaussians,
    means: Float[Tensor, "n 3"],
    views: Views,
    is_drawn: Bool[Tensor, "c n"],
) -> Float[Tensor, "c n 3"]:
    rotations, shifts = views.camera_from_world[:, :3, :3], views.camera_from_world[:, :3, 3]
    centres_world = -torch.linalg.solve(rotations, shifts[..., None])[..., 0]
    directions = means - centres_world[:, None]
    sh = torch.where(is_drawn[..., None, None], gaussians.sh, 0.0)
    colours = gsplat.spherical_harmonics(gaussians.sh_degree, directions, sh, masks=is_drawn)
    return torch.where(is_drawn[..., None], (colours + 0.5).clamp_min(0.0), 0.0)


def _nothing(views: Views) -> Rendering:
    shape = (len(views.intrinsics), views.height_px, views.width_px)
    zeros = views.intrinsics.new_zeros(shape)
    return Rendering(zeros[..., None].expand(*shape, 3), zeros, zeros, views.intrinsics.new_zeros(shape[0], 0))
