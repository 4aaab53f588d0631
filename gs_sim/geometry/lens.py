"""Lens models on normalised image coordinates (x / z, y / z): what OpenCV and ROS call distortion.

Kept apart from the camera so that each model is one pair of formulas; `warp.py` turns images with them.
"""

from functools import lru_cache
from math import tan

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from gs_sim.geometry.camera import Camera

HALF_TURN_LIMIT_RAD = torch.pi / 2
"""A pinhole sees nothing at 90 degrees or more from its axis; normalised coordinates end there."""

NEWTON_STEPS = 20
CONVERGED = 1e-9
"""What is left of a normalised coordinate after undistorting: far below a thousandth of a pixel."""


def distort(camera: Camera, normalised: Float64[Tensor, "*batch 2"]) -> Float64[Tensor, "*batch 2"]:
    """Move ideal normalised coordinates to where the lens puts them (Brown 1966; Kannala and Brandt 2006).

    Formulas and coefficient order are those of `sensor_msgs/CameraInfo` and OpenCV.
    """
    if camera.is_pinhole:
        return normalised
    if camera.lens == "equidistant":
        radius = normalised.norm(dim=-1, keepdim=True)
        angle = torch.atan(radius)
        # at the axis the ratio tends to 1
        ratio = torch.where(radius > 1e-12, equidistant_radius(camera, angle) / radius.clamp(min=1e-12), 1.0)
        return normalised * ratio
    return polynomial(camera, normalised)


def undistort(
    camera: Camera, distorted: Float64[Tensor, "*batch 2"]
) -> tuple[Float64[Tensor, "*batch 2"], Bool[Tensor, "*batch"]]:
    """Find the ideal normalised coordinates that the lens moves to `distorted`, and where there are any.

    False in the second result means that no ray in front of the camera gets there: beyond the edge of the lens
    polynomial, where it folds back, or 90 degrees and more from the axis. The first result is zero there.
    """
    if camera.is_pinhole:
        return distorted, torch.ones_like(distorted[..., 0], dtype=torch.bool)
    if camera.lens == "equidistant":
        return undistort_equidistant(camera, distorted)
    return undistort_polynomial(camera, distorted)


def is_within_lens(camera: Camera, normalised: Float64[Tensor, "*batch 2"]) -> Bool[Tensor, "*batch"]:
    """Whether the lens model means anything for a ray: it does not beyond the fold of a polynomial."""
    is_within: Tensor = normalised.norm(dim=-1) < limit_tangent(camera)
    return is_within


def limit_tangent(camera: Camera) -> float:
    """The ideal radius (tangent of the angle from the axis) up to which the lens model means anything."""
    if camera.is_pinhole:
        return torch.inf
    if camera.lens == "equidistant":
        return abs(tan(equidistant_limit_rad(camera)))
    return folding_radius(camera)


def polynomial(camera: Camera, normalised: Float64[Tensor, "*batch 2"]) -> Float64[Tensor, "*batch 2"]:
    """The radial-tangential model of plumb_bob (k1 k2 p1 p2 k3) and rational_polynomial (... k4 k5 k6)."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*camera.coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
    x, y = normalised.unbind(-1)
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * k3))
    radial = radial / (1 + square * (k4 + square * (k5 + square * k6)))
    return torch.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x),
            y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y,
        ],
        dim=-1,
    )


def polynomial_jacobian(camera: Camera, normalised: Float64[Tensor, "*batch 2"]) -> Float64[Tensor, "*batch 2 2"]:
    """Derivative of `polynomial`: row = distorted coordinate, column = ideal coordinate."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*camera.coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
    x, y = normalised.unbind(-1)
    square = x * x + y * y
    above = 1 + square * (k1 + square * (k2 + square * k3))
    below = 1 + square * (k4 + square * (k5 + square * k6))
    radial = above / below
    # d radial / d square, doubled: times x or y it is the derivative by x or y
    slope = 2 * (
        (k1 + square * (2 * k2 + square * 3 * k3)) / below - radial * (k4 + square * (2 * k5 + square * 3 * k6)) / below
    )
    mixed = x * y * slope + 2 * p1 * x + 2 * p2 * y
    return torch.stack(
        [
            torch.stack([radial + x * x * slope + 2 * p1 * y + 6 * p2 * x, mixed], dim=-1),
            torch.stack([mixed, radial + y * y * slope + 6 * p1 * y + 2 * p2 * x], dim=-1),
        ],
        dim=-2,
    )


def undistort_polynomial(
    camera: Camera, distorted: Float64[Tensor, "*batch 2"]
) -> tuple[Float64[Tensor, "*batch 2"], Bool[Tensor, "*batch"]]:
    """Newton's method in two dimensions, started on the branch around the axis; see `undistort`."""
    fold = folding_radius(camera)
    # where the lens squeezes strongly, the distorted point itself already lies beyond the fold
    radius = distorted.norm(dim=-1, keepdim=True)
    estimate = distorted * (0.9 * fold / radius.clamp(min=1e-12)).clamp(max=1.0)
    for _ in range(NEWTON_STEPS):
        residual = polynomial(camera, estimate) - distorted
        if bool((residual.abs() < CONVERGED / 1e3).all()):
            break
        jacobian = polynomial_jacobian(camera, estimate)
        (a, b), (c, d) = (row.unbind(-1) for row in jacobian.unbind(-2))
        determinant = a * d - b * c
        safe = torch.where(determinant.abs() < 1e-6, torch.full_like(determinant, 1e-6), determinant)
        step = torch.stack(
            [d * residual[..., 0] - b * residual[..., 1], a * residual[..., 1] - c * residual[..., 0]], dim=-1
        )
        estimate = estimate - step / safe[..., None]
        length = estimate.norm(dim=-1, keepdim=True)
        estimate = estimate * (fold / length.clamp(min=1e-12)).clamp(max=1.0)
    is_found = ((polynomial(camera, estimate) - distorted).abs() < CONVERGED).all(dim=-1)
    is_found &= estimate.norm(dim=-1) < fold
    return torch.where(is_found[..., None], estimate, 0.0), is_found


@lru_cache(maxsize=64)
def folding_radius(camera: Camera) -> float:
    """The ideal radius at which a lens polynomial stops growing; beyond it a camera would see everything twice.

    At most tan(89.4 degrees): no rectified image is wider.
    """
    radii = torch.linspace(0.0, 100.0, 100_001, dtype=torch.float64)
    along_x = torch.stack([radii, torch.zeros_like(radii)], dim=-1)
    k = (*camera.coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
    # the small tangential terms (p1, p2) do not decide where the lens folds
    radial_only = Camera(1, 1, 1.0, 1.0, 0.0, 0.0, "rational_polynomial", (k[0], k[1], 0.0, 0.0, *k[4:]))
    slope = polynomial_jacobian(radial_only, along_x)[:, 0, 0]
    folded = (slope <= 0).nonzero()
    return float(radii[int(folded[0, 0])]) if len(folded) else 100.0


def equidistant_radius(camera: Camera, angle_rad: Float64[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
    """Distorted radius of a ray at an angle from the axis (Kannala and Brandt 2006, with OpenCV's four terms)."""
    k1, k2, k3, k4 = camera.coefficients
    square = angle_rad * angle_rad
    return angle_rad * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))


@lru_cache(maxsize=64)
def equidistant_limit_rad(camera: Camera) -> float:
    """The angle from the axis up to which the distorted radius grows, below 90 degrees."""
    angles = torch.linspace(0.0, HALF_TURN_LIMIT_RAD, 9001, dtype=torch.float64)
    shrinks = (equidistant_radius(camera, angles).diff() <= 0).nonzero()
    return float(angles[int(shrinks[0, 0])]) if len(shrinks) else HALF_TURN_LIMIT_RAD


def undistort_equidistant(
    camera: Camera, distorted: Float64[Tensor, "*batch 2"]
) -> tuple[Float64[Tensor, "*batch 2"], Bool[Tensor, "*batch"]]:
    """Bisect for the angle, which cannot fail below the limit; see `undistort`."""
    limit = equidistant_limit_rad(camera)
    radius = distorted.norm(dim=-1)
    low, high = torch.zeros_like(radius), torch.full_like(radius, limit)
    for _ in range(52):  # one bit of a double each
        middle = (low + high) / 2
        is_below = equidistant_radius(camera, middle) < radius
        low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
    angle = (low + high) / 2
    is_found = (equidistant_radius(camera, angle) - radius).abs() < CONVERGED
    is_found &= angle < HALF_TURN_LIMIT_RAD - 1e-6
    scale = torch.where(radius > 1e-12, torch.tan(angle) / radius.clamp(min=1e-12), 1.0)
    return torch.where(is_found[..., None], distorted * scale[..., None], 0.0), is_found
