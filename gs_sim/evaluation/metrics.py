"""The numbers that say how close a rendering is to what the sensors saw.

Images are float RGB; what is outside [0, 1] is clamped before it is compared, as a display
would. LPIPS is not computed: its network weights are not shipped, and reports say null.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gs_sim.errors import InputError

MAX_PSNR_DB = 100.0
"""Equal images have an infinite PSNR; it is cut here so that means and JSON stay finite."""
SSIM_WINDOW_PX = 11
SSIM_SIGMA_PX = 1.5
SSIM_K1 = 0.01
SSIM_K2 = 0.03


def psnr_db(
    image: Float[Tensor, "h w 3"], reference: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"] | None = None
) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 1, over all pixels or those under the mask.

    Raises:
        InputError: the mask is empty.
    """
    squared = (image.clamp(0, 1).double() - reference.clamp(0, 1).double()) ** 2
    if mask is not None:
        squared = squared[mask]
    if squared.numel() == 0:
        raise InputError("a PSNR needs at least one pixel, the mask has none")
    decibel = -10.0 * torch.log10(squared.mean())
    return min(float(decibel), MAX_PSNR_DB)


def ssim(image: Float[Tensor, "h w 3"], reference: Float[Tensor, "h w 3"]) -> float:
    """Structural similarity (Wang et al. 2004) per colour channel, averaged over channels and windows.

    Gaussian window of 11 x 11 pixels with sigma 1.5, K1 = 0.01, K2 = 0.03, peak 1, population
    statistics, and only windows that lie inside the image, as published.

    Raises:
        InputError: the image is smaller than the window.
    """
    if min(image.shape[:2]) < SSIM_WINDOW_PX:
        raise InputError(
            f"SSIM needs images of at least {SSIM_WINDOW_PX} pixels on each side, got "
            f"{image.shape[1]}x{image.shape[0]}; choose a larger --width"
        )
    x = image.clamp(0, 1).permute(2, 0, 1)
    y = reference.clamp(0, 1).permute(2, 0, 1)
    mean_x, mean_y, square_x, square_y, product = (_window_mean(each) for each in (x, y, x * x, y * y, x * y))
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    covariance = product - mean_x * mean_y
    variances = square_x - mean_x**2 + square_y - mean_y**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    return float(similarity.mean())


def _window_mean(planes: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h2 w2"]:
    """Gaussian-weighted mean of every whole window, rows first: a Gaussian is separable."""
    offsets = torch.arange(SSIM_WINDOW_PX, dtype=planes.dtype, device=planes.device) - SSIM_WINDOW_PX // 2
    weights = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA_PX**2))
    weights = weights / weights.sum()
    rows = torch.nn.functional.conv2d(planes[:, None], weights[None, None, None, :])
    return torch.nn.functional.conv2d(rows, weights[None, None, :, None])[:, 0]


def depth_mae_m(
    depth_m: Float[Tensor, "h w"], reference_m: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"]
) -> float | None:
    """Mean absolute error of depth along the optical axis, in metres, under the mask; None where it is empty."""
    if not bool(mask.any()):
        return None
    return float((depth_m[mask].double() - reference_m[mask].double()).abs().mean())
