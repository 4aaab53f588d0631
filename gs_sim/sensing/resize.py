"""Frames at a smaller size, by averaging the pixels that fall together.

Reconstruction and evaluation both resize here, so that what is optimised and what is
judged are the same images.
"""

from dataclasses import replace

import cv2
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera, resize_camera
from gs_sim.sensing.frame import Frame


def resize_frame(frame: Frame, camera: Camera, width_px: int) -> Frame:
    """Resize a frame of `camera` to the size of `resize_camera(camera, width_px)`, by area averaging.

    Raises:
        InputError: the frame does not have the camera's size.
    """
    height, width = frame.rgb.shape[:2]
    if (width, height) != (camera.width_px, camera.height_px):
        raise InputError(
            f"frame {frame.index} of camera '{frame.camera_name}' ({frame.stamp_ns} ns) is {width}x{height} px, "
            f"but its camera is {camera.width_px}x{camera.height_px} px; check the camera info of the bag"
        )
    target = resize_camera(camera, width_px)
    if (target.width_px, target.height_px) == (width, height):
        return frame
    small = cv2.resize(frame.rgb.numpy(), (target.width_px, target.height_px), interpolation=cv2.INTER_AREA)
    return replace(frame, rgb=torch.from_numpy(small))
