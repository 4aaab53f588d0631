"""One camera: image size, intrinsics and lens distortion.

Pixel centres lie at +0.5 (the first pixel's centre is (0.5, 0.5)). ROS and OpenCV put them
at integers; `sources` adds 0.5 to cx and cy once, at the door.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.errors import InputError

LensModel = Literal["none", "plumb_bob", "rational_polynomial", "equidistant"]

COEFFICIENT_COUNTS: dict[LensModel, tuple[int, ...]] = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8,),
    "equidistant": (4,),
}


@dataclass(frozen=True)
class Camera:
    """A camera in its optical frame (x right, y down, z forward), lengths in pixels."""

    width_px: int
    height_px: int
    fx: float
    fy: float
    cx: float
    cy: float
    lens: LensModel = "none"
    """Names of `sensor_msgs/CameraInfo.distortion_model`."""
    coefficients: tuple[float, ...] = ()
    """In the order of `sensor_msgs/CameraInfo.d`."""

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise InputError(f"a camera needs a positive image size, got {self.width_px}x{self.height_px}")
        if not (self.fx > 0 and self.fy > 0):
            raise InputError(f"a camera needs positive focal lengths, got fx={self.fx}, fy={self.fy}")
        if self.lens not in COEFFICIENT_COUNTS:
            raise InputError(f"unknown lens model '{self.lens}'; known are {', '.join(COEFFICIENT_COUNTS)}")
        if len(self.coefficients) not in COEFFICIENT_COUNTS[self.lens]:
            counts = " or ".join(str(count) for count in COEFFICIENT_COUNTS[self.lens])
            raise InputError(f"lens model '{self.lens}' takes {counts} coefficients, got {len(self.coefficients)}")

    @property
    def is_pinhole(self) -> bool:
        """True if straight lines stay straight: no lens model, or all coefficients zero (not so for equidistant)."""
        return self.lens == "none" or (self.lens != "equidistant" and not any(self.coefficients))


def intrinsic_matrix(camera: Camera) -> Float[Tensor, "3 3"]:
    """The 3x3 matrix K in float32, pixel centres at +0.5."""
    rows = [[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]]
    return torch.tensor(rows, dtype=torch.float32)


def resize_camera(camera: Camera, width_px: int) -> Camera:
    """The same view at another width; the height follows the aspect ratio, rounded to whole pixels."""
    height_px = max(1, round(camera.height_px * width_px / camera.width_px))
    scale_x, scale_y = width_px / camera.width_px, height_px / camera.height_px
    return replace(
        camera,
        width_px=width_px,
        height_px=height_px,
        fx=camera.fx * scale_x,
        fy=camera.fy * scale_y,
        cx=camera.cx * scale_x,
        cy=camera.cy * scale_y,
    )
