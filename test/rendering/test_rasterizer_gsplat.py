from dataclasses import replace

import pytest
import torch
from random_gaussians import PARAMETERS, assert_like_the_oracle, differentiate, random_gaussians, random_views
from torch import Tensor

from gs_sim.errors import MissingFeatureError
from gs_sim.rendering.rasterize import Rendering, Views, rasterize
from gs_sim.scene.gaussians import Gaussians, empty_gaussians

HAS_GSPLAT = torch.cuda.is_available()
if HAS_GSPLAT:
    pytest.importorskip("gsplat", reason="gsplat is not installed")
needs_cuda = pytest.mark.skipif(not HAS_GSPLAT, reason="there is no CUDA device")


def on_cuda(gaussians: Gaussians, views: Views, screen_offsets: Tensor) -> Rendering:
    moved = Views(views.intrinsics.cuda(), views.camera_from_world.cuda(), views.width_px, views.height_px)
    return rasterize(gaussians.to("cuda"), moved, screen_offsets=screen_offsets.cuda(), backend="gsplat")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_images_and_all_gradients_equal_the_oracle(degree: int) -> None:
    assert_like_the_oracle(on_cuda, random_gaussians(300, degree, seed=degree), random_views(2, seed=degree), 1e-3)


@pytest.mark.gpu
@needs_cuda
def test_opaque_stacks_that_stop_pixels_equal_the_oracle() -> None:
    gaussians = random_gaussians(1500, 0, seed=5, mean_logit=5.0)
    assert_like_the_oracle(on_cuda, gaussians, random_views(1, seed=5), 1e-3)


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_gaussian_that_is_not_finite_is_not_drawn_and_harms_no_other(name: str) -> None:
    gaussians, views = random_gaussians(40, 1, seed=2), random_views(1, seed=2)
    broken = {name: getattr(gaussians, name).clone()}
    broken[name][0] = torch.nan
    found = differentiate(on_cuda, replace(gaussians, **broken), views)
    assert found.rendering.radii_px[0, 0] == 0
    assert found.rendering.colour.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in found.gradients.values())


@pytest.mark.gpu
@needs_cuda
def test_nothing_at_all_is_black() -> None:
    assert differentiate(on_cuda, empty_gaussians(), random_views(2, seed=1)).rendering.colour.abs().max() == 0


@pytest.mark.skipif(HAS_GSPLAT, reason="this is about machines without CUDA")
def test_without_cuda_it_is_refused_in_a_sentence() -> None:
    with pytest.raises(MissingFeatureError, match="needs a CUDA device"):
        rasterize(random_gaussians(3, 0, seed=0), random_views(1, seed=0), backend="gsplat")
