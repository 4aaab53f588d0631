"""Lens models against OpenCV's, and against themselves."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.lens import distort, folding_radius, undistort

PLUMB_BOB = Camera(1280, 720, 900.0, 910.0, 641.0, 350.0, "plumb_bob", (-0.37, 0.20, 0.0013, 0.0014, -0.072))
PINCUSHION = Camera(1280, 720, 900.0, 910.0, 641.0, 350.0, "plumb_bob", (0.12, 0.03, -0.001, 0.0005))
RATIONAL = Camera(
    1920, 1080, 1000.0, 1000.0, 960.0, 540.0, "rational_polynomial", (3.1, 1.4, 2e-4, -1e-4, 0.06, 3.4, 2.4, 0.3)
)
FISHEYE = Camera(1280, 800, 380.0, 380.0, 640.0, 400.0, "equidistant", (0.02, -0.005, 0.001, -0.0003))
LENSES = [PLUMB_BOB, PINCUSHION, RATIONAL, FISHEYE]


def lens_id(camera: Camera) -> str:
    return f"{camera.lens}{len(camera.coefficients)}"


def rays(extent: float = 0.75) -> Tensor:
    axis = torch.linspace(-extent, extent, 41, dtype=torch.float64)
    return torch.stack(torch.meshgrid(axis, 0.6 * axis, indexing="ij"), dim=-1)


@pytest.mark.parametrize("camera", LENSES, ids=lens_id)
def test_distorting_agrees_with_opencv(camera: Camera) -> None:
    flat = rays().reshape(-1, 1, 2).numpy()
    coefficients = np.array(camera.coefficients)
    if camera.lens == "equidistant":
        expected = cv2.fisheye.distortPoints(flat, np.eye(3), coefficients)
    else:
        points = np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)
        expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), coefficients)
    found = distort(camera, rays()).reshape(-1, 1, 2).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("camera", LENSES, ids=lens_id)
def test_undistorting_agrees_with_opencv(camera: Camera) -> None:
    distorted = 0.6 * rays()
    flat = distorted.reshape(-1, 1, 2).numpy()
    coefficients = np.array(camera.coefficients)
    if camera.lens == "equidistant":
        expected = cv2.fisheye.undistortPoints(flat, np.eye(3), coefficients)
    else:
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-14)
        expected = cv2.undistortPoints(flat, np.eye(3), coefficients, criteria=criteria)
    found, is_valid = undistort(camera, distorted)
    assert bool(is_valid.all())
    np.testing.assert_allclose(found.reshape(-1, 1, 2).numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("camera", LENSES, ids=lens_id)
def test_undistorting_undoes_distorting_to_the_last_digits(camera: Camera) -> None:
    found, is_valid = undistort(camera, distort(camera, rays()))
    assert bool(is_valid.all())
    torch.testing.assert_close(found, rays(), rtol=0, atol=1e-9)


def test_every_pixel_of_a_wide_rational_lens_is_undistorted() -> None:
    u, v = torch.meshgrid(torch.linspace(0, 1920, 97), torch.linspace(0, 1080, 55), indexing="ij")
    distorted = torch.stack([(u - 960) / 1000, (v - 540) / 1000], dim=-1).double()
    found, is_valid = undistort(RATIONAL, distorted)
    assert bool(is_valid.all())
    torch.testing.assert_close(distort(RATIONAL, found), distorted, rtol=0, atol=1e-9)


def test_a_point_beyond_the_fold_of_a_polynomial_has_no_ray() -> None:
    camera = Camera(100, 100, 50.0, 50.0, 50.0, 50.0, "plumb_bob", (-0.3, 0.0, 0.0, 0.0))
    # r (1 - 0.3 r^2) grows up to r = 1 / sqrt(0.9), where it reaches 0.7027
    assert folding_radius(camera) == pytest.approx(0.9**-0.5, abs=2e-3)
    found, is_valid = undistort(camera, torch.tensor([[0.69, 0.0], [0.72, 0.0]], dtype=torch.float64))
    assert is_valid.tolist() == [True, False]
    assert float(found[0, 0]) < 0.9**-0.5


def test_a_fisheye_ray_at_more_than_90_degrees_is_invalid() -> None:
    camera = Camera(100, 100, 30.0, 30.0, 50.0, 50.0, "equidistant", (0.0, 0.0, 0.0, 0.0))
    angles = torch.tensor([0.0, 0.5, 1.5, 1.58, 2.5], dtype=torch.float64)
    found, is_valid = undistort(camera, torch.stack([angles, torch.zeros_like(angles)], dim=-1))
    assert is_valid.tolist() == [True, True, True, False, False]
    torch.testing.assert_close(found[:3, 0], torch.tan(angles[:3]), rtol=1e-9, atol=1e-12)


def test_a_lens_without_distortion_leaves_points_alone() -> None:
    camera = Camera(100, 100, 50.0, 50.0, 50.0, 50.0, "plumb_bob", (0.0, 0.0, 0.0, 0.0, 0.0))
    torch.testing.assert_close(distort(camera, rays()), rays())
    found, is_valid = undistort(camera, rays())
    assert bool(is_valid.all())
    torch.testing.assert_close(found, rays())
