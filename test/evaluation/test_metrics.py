"""Metrics against formulas written independently with numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from gs_sim.errors import InputError
from gs_sim.evaluation.metrics import MAX_PSNR_DB, depth_mae_m, psnr_db, ssim


def random_pair(noise: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    reference = torch.rand(40, 60, 3, generator=generator)
    reference = torch.nn.functional.avg_pool2d(reference.permute(2, 0, 1), 5, stride=1, padding=2).permute(1, 2, 0)
    return reference + noise * torch.randn(40, 60, 3, generator=generator), reference.contiguous()


def ssim_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, equations 13 to 17, window by window with a dense two-dimensional kernel."""
    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for channel in range(3):
        a, b = x[..., channel], y[..., channel]
        for row in range(a.shape[0] - 10):
            for column in range(a.shape[1] - 10):
                p, q = a[row : row + 11, column : column + 11], b[row : row + 11, column : column + 11]
                mean_p, mean_q = (window * p).sum(), (window * q).sum()
                variance_p = (window * (p - mean_p) ** 2).sum()
                variance_q = (window * (q - mean_q) ** 2).sum()
                covariance = (window * (p - mean_p) * (q - mean_q)).sum()
                luminance = (2 * mean_p * mean_q + 1e-4) / (mean_p**2 + mean_q**2 + 1e-4)
                structure = (2 * covariance + 9e-4) / (variance_p + variance_q + 9e-4)
                values.append(luminance * structure)
    return float(np.mean(values))


def test_psnr_is_ten_times_the_logarithm_of_the_inverse_mean_squared_error() -> None:
    image, reference = random_pair()
    error = np.clip(image.numpy().astype(np.float64), 0, 1) - reference.numpy()
    assert psnr_db(image, reference) == pytest.approx(10 * np.log10(1 / np.mean(error**2)), abs=1e-4)


def test_a_constant_error_of_a_tenth_is_twenty_decibel() -> None:
    reference = torch.full((4, 5, 3), 0.5)
    assert psnr_db(reference + 0.1, reference) == pytest.approx(20.0, abs=1e-4)


def test_psnr_counts_only_pixels_under_the_mask() -> None:
    reference = torch.full((4, 5, 3), 0.5)
    image = reference.clone()
    image[0, 0] += 0.1
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[0, :2] = True
    assert psnr_db(image, reference, mask) == pytest.approx(-10 * np.log10(0.01 / 2), abs=1e-4)


def test_psnr_under_an_empty_mask_is_refused() -> None:
    reference = torch.zeros(4, 5, 3)
    with pytest.raises(InputError, match="at least one pixel"):
        psnr_db(reference, reference, torch.zeros(4, 5, dtype=torch.bool))


def test_equal_images_reach_the_finite_top_of_the_scale_and_full_similarity() -> None:
    _, reference = random_pair()
    assert psnr_db(reference, reference) == MAX_PSNR_DB
    assert ssim(reference, reference) == pytest.approx(1.0, abs=1e-6)


def test_values_outside_the_displayable_range_are_clamped_before_comparison() -> None:
    white = torch.ones(12, 12, 3)
    assert psnr_db(white * 3.0, white) == MAX_PSNR_DB
    assert ssim(white * 3.0, white) == pytest.approx(1.0, abs=1e-6)


def test_ssim_equals_the_published_definition_written_window_by_window() -> None:
    image, reference = random_pair()
    expected = ssim_by_definition(np.clip(image.numpy().astype(np.float64), 0, 1), reference.numpy().astype(np.float64))
    assert ssim(image, reference) == pytest.approx(expected, abs=1e-4)
    assert 0.05 < expected < 0.95


def test_ssim_agrees_with_scipy_filters() -> None:
    image, reference = random_pair(noise=0.03)
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    kernel = np.outer(kernel, kernel) / kernel.sum() ** 2
    maps = []
    for channel in range(3):
        x = np.clip(image[..., channel].numpy().astype(np.float64), 0, 1)
        y = reference[..., channel].numpy().astype(np.float64)
        mx, my = correlate(x, kernel), correlate(y, kernel)
        vx, vy, vxy = (
            correlate(x * x, kernel) - mx**2,
            correlate(y * y, kernel) - my**2,
            correlate(x * y, kernel) - mx * my,
        )
        maps.append((2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    inside = np.mean([each[5:-5, 5:-5] for each in maps])
    assert ssim(image, reference) == pytest.approx(inside, abs=1e-4)


def test_ssim_of_an_image_smaller_than_its_window_is_refused() -> None:
    with pytest.raises(InputError, match="at least 11 pixels"):
        ssim(torch.zeros(10, 40, 3), torch.zeros(10, 40, 3))


def test_depth_error_is_the_mean_absolute_difference_under_the_mask() -> None:
    depth = torch.tensor([[1.0, 2.0], [3.0, 50.0]])
    reference = torch.tensor([[1.5, 2.0], [1.0, 0.0]])
    mask = torch.tensor([[True, True], [True, False]])
    assert depth_mae_m(depth, reference, mask) == pytest.approx(2.5 / 3)
    assert depth_mae_m(depth, reference, torch.zeros_like(mask)) is None
