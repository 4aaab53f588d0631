"""What optimisation minimises: right values, right gradients."""

import math

import pytest
import torch
from torch import Tensor

from gs_sim.evaluation.metrics import ssim
from gs_sim.reconstruction.losses import (
    SSIM_C1,
    SSIM_C2,
    SSIM_SIGMA,
    SSIM_WINDOW,
    _Blur,
    depth_loss,
    l1_loss,
    ssim_loss,
)


def pictures(height: int = 17, width: int = 23, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    target = torch.rand(2, height, width, 3, generator=generator, dtype=dtype)
    noise = torch.rand(2, height, width, 3, generator=generator, dtype=dtype)
    return (0.6 * target + 0.4 * noise), target


def windows_of(planes: Tensor) -> Tensor:
    """Every 11 x 11 window of zero-padded planes, one column each."""
    half = SSIM_WINDOW // 2
    return torch.nn.functional.unfold(planes[:, None], SSIM_WINDOW, padding=half)


def ssim_by_definition(image: Tensor, reference: Tensor) -> float:
    """Wang et al. 2004, eq. 13, window by window."""
    x, y = (windows_of(each.permute(0, 3, 1, 2).flatten(0, 1).double()) for each in (image, reference))
    offsets = torch.arange(SSIM_WINDOW, dtype=torch.float64) - SSIM_WINDOW // 2
    weights = torch.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * SSIM_SIGMA**2)).flatten()
    weights = (weights / weights.sum())[:, None]
    mean_x, mean_y = (weights * x).sum(dim=1), (weights * y).sum(dim=1)
    variance_x = (weights * x**2).sum(dim=1) - mean_x**2
    variance_y = (weights * y**2).sum(dim=1) - mean_y**2
    covariance = (weights * x * y).sum(dim=1) - mean_x * mean_y
    top = (2 * mean_x * mean_y + SSIM_C1) * (2 * covariance + SSIM_C2)
    return float((top / ((mean_x**2 + mean_y**2 + SSIM_C1) * (variance_x + variance_y + SSIM_C2))).mean())


def test_ssim_loss_is_one_minus_the_published_ssim() -> None:
    rendered, target = pictures()
    assert float(ssim_loss(rendered, target)) == pytest.approx(1 - ssim_by_definition(rendered, target), abs=1e-4)
    assert float(ssim_loss(target, target)) == pytest.approx(0.0, abs=1e-5)


def test_ssim_loss_agrees_with_the_metric_of_evaluation_up_to_the_border() -> None:
    rendered, target = pictures(120, 160)
    expected = sum(ssim(image, other) for image, other in zip(rendered, target, strict=True)) / 2
    assert float(ssim_loss(rendered, target)) == pytest.approx(1 - expected, abs=0.01)


def test_the_blur_is_its_own_adjoint() -> None:
    planes = torch.rand(2, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(_Blur.apply, planes.requires_grad_(True), fast_mode=True)


def test_the_gradient_of_ssim_loss_is_that_of_its_value() -> None:
    rendered, target = pictures(6, 7, torch.float64)
    assert torch.autograd.gradcheck(
        lambda image: ssim_loss(image, target), rendered.requires_grad_(True), fast_mode=True
    )


def test_l1_loss_is_the_mean_absolute_difference() -> None:
    rendered, target = pictures()
    assert float(l1_loss(rendered, target)) == pytest.approx(float((rendered - target).abs().mean()))


def test_depth_loss_weighs_the_same_relative_error_the_same_near_and_far() -> None:
    lidar_m = torch.tensor([[[2.0, 50.0, 0.0]]])
    losses = [
        float(depth_loss(torch.tensor([[[2.0 * a, 50.0 * b, 7.0]]]), lidar_m, lidar_m > 0))
        for a, b in ((1.1, 1.0), (1.0, 1.1))
    ]
    assert losses == pytest.approx([math.log(1.1) / 2] * 2, rel=1e-5)


def test_one_wild_depth_cannot_dominate_the_depth_loss() -> None:
    lidar_m = torch.full((1, 1, 4), 10.0)
    depth_m = torch.tensor([[[10.0, 10.0, 10.0, 0.0]]])
    assert float(depth_loss(depth_m, lidar_m, lidar_m > 0)) == pytest.approx(0.25)


def test_depth_loss_without_lidar_is_zero_and_still_has_a_gradient() -> None:
    depth_m = torch.rand(1, 3, 4, requires_grad=True)
    loss = depth_loss(depth_m, torch.zeros(1, 3, 4), torch.zeros(1, 3, 4, dtype=torch.bool))
    assert float(loss.detach()) == 0
    loss.backward()
    assert depth_m.grad is not None
    assert not bool(depth_m.grad.any())
