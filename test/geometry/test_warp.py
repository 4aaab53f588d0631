"""Rectifying and re-distorting images."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.lens import distort, undistort
from gs_sim.geometry.warp import (
    MAX_COVERING_SIZE,
    MAX_RECTIFIED_TANGENT,
    normalise,
    pinhole_covering,
    rectified_camera,
    warp_image,
    warp_image_with_mask,
)

BARREL = Camera(320, 180, 240.0, 243.0, 161.0, 88.0, "plumb_bob", (-0.37, 0.20, 0.0013, 0.0014, -0.072))
PINCUSHION = Camera(320, 180, 225.0, 228.0, 161.0, 88.0, "plumb_bob", (0.12, 0.03, -0.001, 0.0005))
RATIONAL = Camera(
    320, 180, 167.0, 167.0, 160.0, 90.0, "rational_polynomial", (3.1, 1.4, 2e-4, -1e-4, 0.06, 3.4, 2.4, 0.3)
)
FISHEYE = Camera(320, 200, 95.0, 95.0, 160.0, 100.0, "equidistant", (0.02, -0.005, 0.001, -0.0003))
WIDE_FISHEYE = Camera(320, 320, 90.0, 90.0, 160.0, 160.0, "equidistant", (0.0, 0.0, 0.0, 0.0))
LENSES = [BARREL, PINCUSHION, RATIONAL, FISHEYE, WIDE_FISHEYE]


def lens_id(camera: Camera) -> str:
    return f"{camera.lens}{len(camera.coefficients)}-{camera.height_px}"


def pattern(rays: Tensor) -> Tensor:
    """A smooth picture painted on the plane z = 1."""
    x, y = rays.unbind(-1)
    return torch.stack([torch.sin(3 * x) * torch.cos(2 * y), torch.cos(4 * x + y), torch.sin(5 * y)], dim=-1) / 2 + 0.5


def pixel_centres(camera: Camera) -> Tensor:
    rows, columns = torch.arange(camera.height_px) + 0.5, torch.arange(camera.width_px) + 0.5
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([u, v], dim=-1).double()


def photograph(camera: Camera) -> tuple[Tensor, Tensor]:
    rays, is_valid = undistort(camera, normalise(camera, pixel_centres(camera)))
    return (pattern(rays) * is_valid[..., None]).float(), is_valid


@pytest.mark.parametrize("camera", LENSES, ids=lens_id)
def test_a_rectified_image_is_what_a_pinhole_would_have_photographed(camera: Camera) -> None:
    rectified = rectified_camera(camera)
    warped, is_seen = warp_image_with_mask(photograph(camera)[0], camera, rectified)
    assert rectified.lens == "none"
    assert warped.shape == (camera.height_px, camera.width_px, 3)
    assert bool(is_seen.all()), "no black border"
    error = (warped - photograph(rectified)[0]).abs()
    assert float(error.mean()) < 2e-3
    assert float(error.max()) < 0.03


@pytest.mark.parametrize("camera", [BARREL, PINCUSHION, RATIONAL], ids=lens_id)
def test_a_rectified_view_reaches_the_edge_of_the_lens_image(camera: Camera) -> None:
    rectified = rectified_camera(camera)
    rays = normalise(rectified, pixel_centres(rectified))
    offset = distort(camera, rays) * torch.tensor([camera.fx, camera.fy]) + torch.tensor([camera.cx, camera.cy])
    left, top = offset.reshape(-1, 2).amin(dim=0).tolist()
    right, bottom = offset.reshape(-1, 2).amax(dim=0).tolist()
    assert min(left, top, camera.width_px - right, camera.height_px - bottom) < 1.0


def test_a_rectified_fisheye_is_bounded_to_60_degrees() -> None:
    rectified = rectified_camera(WIDE_FISHEYE)
    assert rectified.cx / rectified.fx == pytest.approx(MAX_RECTIFIED_TANGENT, rel=1e-6)


def test_rectifying_agrees_with_opencv() -> None:
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(18, 32, 3, generator=generator).numpy()
    image = cv2.resize((255 * noise).astype(np.uint8), (320, 180), interpolation=cv2.INTER_CUBIC)
    rectified = rectified_camera(BARREL)
    # OpenCV puts pixel centres at integers
    matrices = [np.array([[c.fx, 0, c.cx - 0.5], [0, c.fy, c.cy - 0.5], [0, 0, 1]]) for c in (BARREL, rectified)]
    maps = cv2.initUndistortRectifyMap(
        matrices[0], np.array(BARREL.coefficients), np.eye(3), matrices[1], (320, 180), cv2.CV_32FC1
    )
    expected = cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = warp_image(torch.from_numpy(image), BARREL, rectified)
    assert found.dtype == torch.uint8
    difference = np.abs(found.numpy().astype(int) - expected.astype(int))
    assert difference.max() <= 2  # OpenCV interpolates with five fractional bits
    assert difference.mean() < 0.3


@pytest.mark.parametrize("camera", LENSES, ids=lens_id)
def test_a_covering_pinhole_redistorts_to_the_lens_image(camera: Camera) -> None:
    covering = pinhole_covering(camera)
    assert covering.width_px <= MAX_COVERING_SIZE * camera.width_px + 1
    assert covering.height_px <= MAX_COVERING_SIZE * camera.height_px + 1
    warped, is_seen = warp_image_with_mask(photograph(covering)[0], covering, camera)
    expected, has_ray = photograph(camera)
    if camera is not WIDE_FISHEYE and camera is not FISHEYE:
        assert bool(is_seen.all()), "a lens without extreme angles is covered whole"
    assert not bool((is_seen & ~has_ray).any())
    assert float((warped - expected)[is_seen].abs().mean()) < 5e-3
    assert float(warped[~is_seen].abs().sum()) == 0.0


def test_the_rim_of_a_fisheye_beyond_the_covering_pinhole_is_invalid_and_its_middle_is_not() -> None:
    covering = pinhole_covering(WIDE_FISHEYE)
    _, is_seen = warp_image_with_mask(photograph(covering)[0], covering, WIDE_FISHEYE)
    radius = (pixel_centres(WIDE_FISHEYE) - 160.0).norm(dim=-1) / 90.0
    assert bool(is_seen[radius < np.deg2rad(74)].all())
    assert not bool(is_seen[radius > np.deg2rad(85)].any())


def test_rectifying_and_redistorting_gives_the_image_back() -> None:
    image, _ = photograph(BARREL)
    rectified = rectified_camera(BARREL)
    back, is_seen = warp_image_with_mask(warp_image(image, BARREL, rectified), rectified, BARREL)
    assert float(is_seen.float().mean()) > 0.8
    assert float((back - image)[is_seen].abs().max()) < 0.03


def test_warping_between_equal_pinholes_changes_nothing() -> None:
    camera = Camera(20, 10, 15.0, 15.0, 9.3, 5.2)
    image = torch.arange(20 * 10 * 3, dtype=torch.uint8).reshape(10, 20, 3)
    assert torch.equal(warp_image(image, camera, camera), image)


def test_warping_is_differentiable_in_the_image() -> None:
    image = photograph(BARREL)[0].requires_grad_()
    warp_image(image, BARREL, rectified_camera(BARREL)).sum().backward()
    assert image.grad is not None
    assert float(image.grad.sum()) > 0


def test_a_pinhole_is_its_own_rectified_and_covering_camera() -> None:
    camera = Camera(20, 10, 15.0, 15.0, 9.3, 5.2, "plumb_bob", (0.0,) * 5)
    assert rectified_camera(camera) == pinhole_covering(camera) == Camera(20, 10, 15.0, 15.0, 9.3, 5.2)
