import math
import subprocess
import sys
import threading
from dataclasses import replace

import numba
import pytest
import torch
from random_gaussians import (
    PARAMETERS,
    Differentiated,
    assert_like_the_oracle,
    differentiate,
    random_gaussians,
    random_views,
)
from torch import Tensor

from gs_sim.errors import InputError, MissingFeatureError
from gs_sim.rendering.rasterize import Rendering, Views, rasterize
from gs_sim.scene.gaussians import SH_C0, Gaussians, concatenate, empty_gaussians


def on_cpu(gaussians: Gaussians, views: Views, screen_offsets: Tensor) -> Rendering:
    return rasterize(gaussians, views, screen_offsets=screen_offsets, backend="cpu")


def one_gaussian(mean: tuple[float, float, float] = (0.0, 0.0, 5.0), scale_m: float = 0.5) -> Gaussians:
    return Gaussians(
        means=torch.tensor([mean]),
        log_scales=torch.full((1, 3), math.log(scale_m)),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        opacity_logits=torch.tensor([0.0]),
        sh=torch.full((1, 1, 3), 0.5 / SH_C0),
    )


def straight_view(width_px: int = 41, height_px: int = 31) -> Views:
    intrinsics = torch.tensor([[[40.0, 0.0, width_px / 2], [0.0, 40.0, height_px / 2], [0.0, 0.0, 1.0]]])
    return Views(intrinsics, torch.eye(4)[None], width_px, height_px)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_images_and_all_gradients_equal_the_oracle(degree: int) -> None:
    assert_like_the_oracle(on_cpu, random_gaussians(300, degree, seed=degree), random_views(2, seed=degree))


def test_opaque_stacks_that_stop_pixels_equal_the_oracle() -> None:
    gaussians = random_gaussians(1500, 0, seed=5, mean_logit=5.0)
    assert_like_the_oracle(on_cpu, gaussians, random_views(1, seed=5))
    opacity = rasterize(gaussians, random_views(1, seed=5)).opacity
    assert (opacity > 1 - 1.1e-3).float().mean() > 0.5
    assert opacity.max() <= 1 - 1e-4 + 1e-6


@pytest.mark.parametrize(
    "extreme",
    ["behind the camera", "at the near plane", "far off screen", "huge", "tiny", "thin", "opaque", "transparent"],
)
def test_extreme_gaussians_equal_the_oracle(extreme: str) -> None:
    gaussians = random_gaussians(60, 1, seed=11)
    changed = {
        "behind the camera": {"means": gaussians.means * torch.tensor([1.0, 1.0, -1.0])},
        "at the near plane": {"means": gaussians.means * torch.tensor([1e-3, 1e-3, 0.0]) + torch.tensor([0, 0, 0.011])},
        "far off screen": {
            "means": gaussians.means * torch.tensor([9.0, 9.0, 1.0]),
            "log_scales": gaussians.log_scales + 2,
        },
        "huge": {"log_scales": gaussians.log_scales + 5},
        "tiny": {"log_scales": gaussians.log_scales - 8},
        "thin": {"log_scales": gaussians.log_scales - torch.tensor([0.0, 12.0, 12.0])},
        "opaque": {"opacity_logits": gaussians.opacity_logits * 0 + 40},
        "transparent": {"opacity_logits": gaussians.opacity_logits * 0 - 5.4},
    }[extreme]
    # single precision itself is worse here: the oracle in float32 differs from itself in float64 by as much
    tolerance = {"at the near plane": 2e-3, "thin": 1e-3}.get(extreme, 1e-4)
    assert_like_the_oracle(on_cpu, replace(gaussians, **changed), random_views(1, seed=11), tolerance)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_gaussian_that_is_not_finite_is_not_drawn_and_harms_no_other(name: str, value: float) -> None:
    good, views = random_gaussians(40, 1, seed=2), random_views(1, seed=2)
    broken = one_gaussian()
    getattr(broken, name).view(-1)[-1] = value
    both = concatenate([broken, good])
    rendering = rasterize(both, views)
    assert rendering.radii_px[0, 0] == 0
    torch.testing.assert_close(rendering.colour, rasterize(good, views).colour, atol=0, rtol=0)
    gradients = differentiate(on_cpu, both, views).gradients
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    assert gradients["means"][0].abs().max() == 0
    assert gradients["means"][1:].abs().max() > 0


def test_one_gaussian_shows_its_colour_depth_and_opacity_at_its_centre() -> None:
    rendering = rasterize(one_gaussian(), straight_view())
    centre = (0, 15, 20)  # the principal point is the centre of this pixel
    torch.testing.assert_close(rendering.opacity[centre], torch.tensor(0.5))
    torch.testing.assert_close(rendering.colour[centre], torch.full((3,), 0.5))
    torch.testing.assert_close(rendering.depth_m[centre], torch.tensor(5.0))
    assert rendering.radii_px[0, 0] == math.ceil(math.sqrt(2 * math.log(127.5)) * math.sqrt(16 + 0.3))


def test_a_point_behind_the_camera_is_not_drawn() -> None:
    rendering = rasterize(one_gaussian((0.0, 0.0, -5.0)), straight_view())
    assert rendering.opacity.max() == 0
    assert rendering.radii_px[0, 0] == 0


def test_the_nearer_gaussian_covers_the_farther_whatever_their_order() -> None:
    red, blue = one_gaussian((0.0, 0.0, 3.0)), one_gaussian((0.0, 0.0, 6.0))
    red = replace(red, sh=torch.tensor([[[0.5, -0.5, -0.5]]]) / SH_C0)
    blue = replace(blue, sh=torch.tensor([[[-0.5, -0.5, 0.5]]]) / SH_C0)
    for pair in ([red, blue], [blue, red]):
        colour = rasterize(concatenate(pair), straight_view()).colour[0, 15, 20]
        torch.testing.assert_close(colour, torch.tensor([0.5, 0.0, 0.25]), atol=1e-6, rtol=0)


def test_nothing_at_all_is_black_and_differentiable() -> None:
    found = differentiate(on_cpu, empty_gaussians(), straight_view())
    assert found.rendering.colour.abs().max() == 0
    assert found.gradients["camera_from_world"].abs().max() == 0


def test_each_view_is_as_if_rendered_alone() -> None:
    gaussians, views = random_gaussians(200, 1, seed=3), random_views(3, seed=3)
    together = rasterize(gaussians, views)
    for c in range(3):
        alone = rasterize(gaussians, Views(views.intrinsics[c : c + 1], views.camera_from_world[c : c + 1], 53, 39))
        assert torch.equal(alone.colour[0], together.colour[c])
        assert torch.equal(alone.radii_px[0], together.radii_px[c])


@pytest.mark.parametrize("num", [1, 15, 16, 17, 63, 65, 1023, 1025])
def test_any_number_of_gaussians_equals_the_oracle(num: int) -> None:
    assert_like_the_oracle(on_cpu, random_gaussians(num, 1, seed=num), random_views(1, seed=num), 1e-4)


def test_screen_offsets_move_what_is_drawn() -> None:
    gaussians, view = one_gaussian(), straight_view()
    moved = rasterize(gaussians, view, screen_offsets=torch.tensor([[[3.0, -2.0]]])).opacity[0]
    still = rasterize(gaussians, view).opacity[0]
    torch.testing.assert_close(moved[:-2, 3:], still[2:, :-3], atol=1e-5, rtol=0)


def test_images_and_gradients_are_the_same_bits_on_any_number_of_threads() -> None:
    gaussians, views = random_gaussians(5000, 1, seed=4), random_views(1, seed=4, size_hw=(120, 160))
    runs = []
    for num_threads in (1, numba.config.NUMBA_NUM_THREADS, numba.config.NUMBA_NUM_THREADS):
        before = numba.get_num_threads()
        numba.set_num_threads(num_threads)
        runs.append(differentiate(on_cpu, gaussians, views))
        numba.set_num_threads(before)
    for run in runs[1:]:
        assert torch.equal(run.rendering.colour, runs[0].rendering.colour)
        assert all(torch.equal(run.gradients[name], runs[0].gradients[name]) for name in run.gradients)


def test_two_threads_can_render_at_once() -> None:
    gaussians, views = random_gaussians(3000, 1, seed=6), random_views(1, seed=6, size_hw=(120, 160))
    expected = differentiate(on_cpu, gaussians, views)
    found: list[Differentiated] = []

    def work() -> None:
        found.extend(differentiate(on_cpu, gaussians, views) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    for run in found:
        assert torch.equal(run.rendering.colour, expected.rendering.colour)
        assert torch.equal(run.gradients["means"], expected.gradients["means"])


def test_kernels_run_on_tbb() -> None:
    rasterize(one_gaussian(), straight_view())
    assert numba.threading_layer() == "tbb"


def test_a_fresh_process_finds_tbb() -> None:
    program = (
        "import torch\n"
        "from gs_sim.rendering.rasterize import rasterize, Views\n"
        "from gs_sim.scene.gaussians import empty_gaussians\n"
        "import numba\n"
        "rasterize(empty_gaussians(), Views(torch.eye(3)[None], torch.eye(4)[None], 16, 16))\n"
        "print(numba.threading_layer())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "tbb", done.stderr


def test_a_parameter_changed_between_forward_and_backward_is_an_error() -> None:
    gaussians = one_gaussian()
    means = gaussians.means.clone().requires_grad_()
    colour = rasterize(replace(gaussians, means=means), straight_view()).colour
    with torch.no_grad():
        means += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        colour.sum().backward()


def test_more_pairs_than_can_be_counted_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gs_sim.rendering.cpu_bin.MAX_PAIRS", 10)
    gaussians = concatenate([one_gaussian(scale_m=0.1)] * 100)
    with pytest.raises(InputError, match="100 Gaussians touch .* tiles of one image, and 10 are the most"):
        rasterize(gaussians, straight_view())


def test_what_cannot_run_is_refused_in_a_sentence() -> None:
    gaussians, view = one_gaussian(), straight_view()
    on_meta = Views(view.intrinsics.to("meta"), view.camera_from_world.to("meta"), 41, 31)
    with pytest.raises(InputError, match="share a device"):
        rasterize(gaussians, on_meta)
    with pytest.raises(MissingFeatureError, match="no rasterizer runs on 'meta'"):
        rasterize(gaussians.to("meta"), on_meta)
