"""`sensor_msgs/CameraInfo` to a Camera; pixel centres move from integers to +0.5 here."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.geometry.camera import COEFFICIENT_COUNTS, Camera, LensModel
from gs_sim.geometry.pose import pose_from

LENS_NAMES: dict[str, LensModel] = {
    "": "none",
    "none": "none",
    "plumb_bob": "plumb_bob",
    "radtan": "plumb_bob",
    "rational_polynomial": "rational_polynomial",
    "equidistant": "equidistant",
    "fisheye": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
}
"""What drivers write in `distortion_model`; the first names of each are ROS's own."""


def camera_from_info(message: Any, *, is_rectified: bool) -> Camera:
    """The camera that took the images beside this message.

    Raw images have K and the lens coefficients D, rectified ones (`image_rect*`) the projection P. Binning and a
    region of interest are applied, so the camera has the size of the images.

    Raises:
        MessageError: the camera is not calibrated, or its lens model is not known.
    """
    k, p, d = (field_of(message, name) for name in "kpd")
    matrix = (p[0], p[5], p[2], p[6]) if is_rectified and p[0] > 0 else (k[0], k[4], k[2], k[5])
    if not (matrix[0] > 0 and matrix[1] > 0) or message.width < 1 or message.height < 1:
        raise MessageError(
            f"the camera info is not calibrated ({message.width}x{message.height} px, fx={matrix[0]}, fy={matrix[1]}); "
            "calibrate the camera and record its camera_info"
        )
    if not all(math.isfinite(value) for value in (*matrix, *d)):
        raise MessageError(f"the camera info is not finite: fx, fy, cx, cy = {matrix}, d = {d}")
    lens, coefficients = ("none", ()) if is_rectified else lens_of(str(message.distortion_model), d)
    fx, fy, cx, cy = matrix
    region, width, height, left, top = message.roi, message.width, message.height, 0, 0
    if region.width > 0 and region.height > 0:
        width, height, left, top = region.width, region.height, region.x_offset, region.y_offset
    bin_x, bin_y = max(1, message.binning_x), max(1, message.binning_y)
    return Camera(
        width_px=width // bin_x,
        height_px=height // bin_y,
        fx=fx / bin_x,
        fy=fy / bin_y,
        cx=(cx + 0.5 - left) / bin_x,
        cy=(cy + 0.5 - top) / bin_y,
        lens=lens,
        coefficients=coefficients,
    )


def field_of(message: Any, name: str) -> list[float]:
    """A matrix or coefficient list; ROS 1 wrote these names in capitals."""
    values = getattr(message, name) if hasattr(message, name) else getattr(message, name.upper())
    return [float(value) for value in values]


def lens_of(name: str, d: Sequence[float]) -> tuple[LensModel, tuple[float, ...]]:
    """Lens model and coefficients; the number of coefficients decides between the two polynomial models.

    Trailing zeros beyond a model's own coefficients are dropped (thin-prism terms that are not used), and a
    polynomial model without coefficients is no lens.

    Raises:
        MessageError: the model is unknown or the coefficients do not fit it.
    """
    lens = LENS_NAMES.get(name.lower())
    if lens is None:
        raise MessageError(
            f"lens model '{name}' is not known; expected plumb_bob, rational_polynomial, equidistant or none: "
            "calibrate with one of these, or record rectified images"
        )
    if lens == "equidistant":
        return lens, fitting(lens, d)
    if not any(d):
        return "none", ()
    num_used = max(index for index, value in enumerate(d) if value) + 1
    chosen: LensModel = "rational_polynomial" if num_used > 5 else "plumb_bob"
    return chosen, fitting(chosen, d)


def fitting(lens: LensModel, d: Sequence[float]) -> tuple[float, ...]:
    """The coefficients cut or filled with zeros to the longest list the model takes."""
    count = COEFFICIENT_COUNTS[lens][-1]
    if any(d[count:]) or (lens == "equidistant" and len(d) < count):
        raise MessageError(f"lens model '{lens}' takes {count} coefficients, the camera info has {len(d)}: {list(d)}")
    return tuple([*d, *([0.0] * count)][:count])


def stereo_rectification(message: Any, *, is_rectified: bool) -> Float64[Tensor, "4 4"]:
    """How the camera is turned in its tf frame.

    By ROS's definition the optical frame is that of the *rectified* image: R takes raw rays into it. The identity for
    rectified images and for all cameras without a stereo rectification.
    """
    rotation = torch.tensor(field_of(message, "r"), dtype=torch.float64).reshape(3, 3)
    if is_rectified or not bool(rotation.any()):
        rotation = torch.eye(3, dtype=torch.float64)
    if not torch.allclose(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-3):
        raise MessageError(f"the rectification matrix R of the camera info is no rotation: {rotation.tolist()}")
    return pose_from(rotation, torch.zeros(3, dtype=torch.float64))


def stereo_offset_m(message: Any) -> float:
    """How far to the right of its frame a stereo camera says it is (-P[3] / P[0]); 0 for all others."""
    p = field_of(message, "p")
    return -p[3] / p[0] if p[0] > 0 else 0.0
