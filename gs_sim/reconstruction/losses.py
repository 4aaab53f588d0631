"""What optimisation minimises. Images are float [c h w 3] in [0, 1]; each loss returns one number."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2


def l1_loss(rendered: Float[Tensor, "c h w 3"], target: Float[Tensor, "c h w 3"]) -> Float[Tensor, ""]:
    """Mean absolute difference."""
    return (rendered - target).abs().mean()


def _window(like: Tensor) -> Tensor:
    offsets = torch.arange(SSIM_WINDOW, device=like.device, dtype=like.dtype) - SSIM_WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    return weights / weights.sum()


class _Blur(torch.autograd.Function):
    """Separable Gaussian blur of planes with zero padding.

    The window is symmetric, so the blur is its own adjoint; saying so saves autograd's convolution
    backward, which on the CPU takes ten times as long.
    """

    @staticmethod
    def forward(ctx: Any, planes: Tensor) -> Tensor:
        return _blur(planes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _blur(gradient)


def _blur(planes: Float[Tensor, "m h w"]) -> Float[Tensor, "m h w"]:
    window, half, count = _window(planes), SSIM_WINDOW // 2, len(planes)
    across, down = window.expand(count, 1, 1, -1), window[:, None].expand(count, 1, -1, 1)
    rows = torch.nn.functional.conv2d(planes[None], across, padding=(0, half), groups=count)
    return torch.nn.functional.conv2d(rows, down, padding=(half, 0), groups=count)[0]


def ssim_loss(rendered: Float[Tensor, "c h w 3"], target: Float[Tensor, "c h w 3"]) -> Float[Tensor, ""]:
    """1 - SSIM (Wang et al. 2004), Gaussian window of 11 pixels, zero padding as 3DGS trains with."""
    x = rendered.permute(0, 3, 1, 2).flatten(0, 1)
    y = target.permute(0, 3, 1, 2).flatten(0, 1)
    blurred: Tensor = _Blur.apply(torch.cat([x, y, x * x, y * y, x * y]))  # type: ignore[no-untyped-call]
    mean_x, mean_y, square_x, square_y, product = blurred.chunk(5)
    variance_x, variance_y = square_x - mean_x * mean_x, square_y - mean_y * mean_y
    covariance = product - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + SSIM_C1) * (2 * covariance + SSIM_C2)
    denominator = (mean_x * mean_x + mean_y * mean_y + SSIM_C1) * (variance_x + variance_y + SSIM_C2)
    similarity: Tensor = (numerator / denominator).mean()
    return 1 - similarity


def depth_loss(
    depth_m: Float[Tensor, "c h w"], lidar_depth_m: Float[Tensor, "c h w"], is_seen: Bool[Tensor, "c h w"]
) -> Float[Tensor, ""]:
    """Mean absolute difference of log depth where LiDAR saw something: an error of 1 % weighs the same everywhere."""
    if not bool(is_seen.any()):
        return depth_m.sum() * 0.0
    rendered = depth_m[is_seen].clamp(min=0.1)
    return (rendered.log() - lidar_depth_m[is_seen].log()).abs().clamp(max=1.0).mean()
