"""Resizing frames: area averages, and sizes that must agree with the camera."""

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera, resize_camera
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.holdout import is_ground_truth_camera, is_held_out
from gs_sim.sensing.resize import resize_frame

CAMERA = Camera(width_px=64, height_px=32, fx=50.0, fy=50.0, cx=32.0, cy=16.0)


def frame_of(rgb: torch.Tensor) -> Frame:
    return Frame(camera_name="front", index=3, stamp_ns=17, rgb=rgb)


def test_each_small_pixel_is_the_mean_of_the_pixels_it_covers() -> None:
    rgb = torch.randint(0, 256, (32, 64, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    small = resize_frame(frame_of(rgb), CAMERA, 16)
    expected = rgb.float().reshape(8, 4, 16, 4, 3).mean(dim=(1, 3))
    assert (small.rgb.float() - expected).abs().max() <= 0.51
    assert (small.camera_name, small.index, small.stamp_ns) == ("front", 3, 17)


def test_a_resized_frame_has_the_size_of_the_resized_camera() -> None:
    small = resize_frame(frame_of(torch.zeros(32, 64, 3, dtype=torch.uint8)), CAMERA, 21)
    target = resize_camera(CAMERA, 21)
    assert small.rgb.shape == (target.height_px, target.width_px, 3)


def test_a_frame_of_another_size_than_its_camera_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"frame 3 of camera 'front'.*60x32 px.*64x32 px"):
        resize_frame(frame_of(torch.zeros(32, 60, 3, dtype=torch.uint8)), CAMERA, 16)


def test_the_middle_frame_of_every_k_is_held_out() -> None:
    assert [index for index in range(12) if is_held_out(index, 4)] == [2, 6, 10]
    assert not any(is_held_out(index, 0) for index in range(12))
    assert all(is_held_out(index, 1) for index in range(12))


def test_displaced_cameras_are_told_by_their_prefix() -> None:
    assert is_ground_truth_camera("off_left_1m")
    assert not is_ground_truth_camera("front_left")
