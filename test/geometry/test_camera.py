"""Cameras and the rig that carries them."""

from dataclasses import replace

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera, intrinsic_matrix, resize_camera
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig

CAMERA = Camera(1242, 375, 721.5, 720.5, 610.1, 173.4)


def test_a_resized_camera_sees_the_same_rays_at_its_corners() -> None:
    small = resize_camera(CAMERA, 414)
    assert (small.width_px, small.height_px) == (414, 125)
    for u, v in ((0.0, 0.0), (1.0, 1.0)):
        for camera in (CAMERA, small):
            ray = ((u * camera.width_px - camera.cx) / camera.fx, (v * camera.height_px - camera.cy) / camera.fy)
            expected = ((u * 1242 - 610.1) / 721.5, (v * 375 - 173.4) / 720.5)
            assert ray == pytest.approx(expected, rel=1e-12)


def test_a_very_narrow_camera_keeps_at_least_one_row() -> None:
    assert resize_camera(Camera(1000, 10, 1.0, 1.0, 0.0, 0.0), 10).height_px == 1


def test_the_intrinsic_matrix_projects_the_axis_to_the_principal_point() -> None:
    pixel = intrinsic_matrix(CAMERA) @ torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(pixel, torch.tensor([610.1, 173.4, 1.0]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width_px": 0}, "positive image size, got 0x375"),
        ({"fy": -1.0}, "positive focal lengths"),
        ({"fx": float("nan")}, "positive focal lengths"),
        ({"lens": "plumb_bob", "coefficients": (0.1, 0.2)}, "takes 4 or 5 coefficients, got 2"),
        ({"coefficients": (0.1,)}, "takes 0 coefficients, got 1"),
    ],
)
def test_a_camera_that_makes_no_sense_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(CAMERA, **changes)  # type: ignore[arg-type]  # the fields are named by the test's table


def test_a_pinhole_is_a_camera_whose_straight_lines_stay_straight() -> None:
    assert CAMERA.is_pinhole
    assert replace(CAMERA, lens="plumb_bob", coefficients=(0.0,) * 5).is_pinhole
    assert not replace(CAMERA, lens="plumb_bob", coefficients=(0.0, 0.0, 0.0, 0.0, 0.1)).is_pinhole
    assert not replace(CAMERA, lens="equidistant", coefficients=(0.0,) * 4).is_pinhole


def test_a_rig_names_its_sensors_when_one_is_missing() -> None:
    eye = torch.eye(4, dtype=torch.float64)
    rig = Rig(
        (MountedCamera("front", CAMERA, CAMERA, eye), MountedCamera("rear", CAMERA, CAMERA, eye)),
        (MountedLidar("top", eye),),
    )
    assert rig.camera("rear").name == "rear"
    assert rig.lidar("top").name == "top"
    with pytest.raises(InputError, match="no camera 'left'; this rig has: front, rear"):
        rig.camera("left")
    with pytest.raises(InputError, match="no LiDAR 'roof'; this rig has: top"):
        rig.lidar("roof")
    with pytest.raises(InputError, match="this rig has: none"):
        Rig(()).camera("front")
