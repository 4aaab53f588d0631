"""From linear light to the pixels a camera delivers: exposure, white balance, tone, vignetting, sensor noise."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.sources.street.light import Light
from gs_sim.sources.street.randomness import normal, uniform


@dataclass(frozen=True)
class Imaging:
    """Drawn properties of the cameras' image pipelines, the same for the whole drive."""

    gains: dict[str, tuple[float, float, float]]
    """Per camera: exposure times white balance per channel."""
    contrast: float
    saturation: float
    vignetting: float
    noise_floor: float
    """Deviation of the dark noise, of full scale 1."""
    noise_shot: float
    """Variance per signal."""


def draw_imaging(generator: torch.Generator, light: Light, camera_names: list[str]) -> Imaging:
    """Expose for the scene's light, imperfectly; cameras of one rig differ by a few per cent, displaced ones follow `front`."""
    up = max(0.2, light.to_sun[2])
    level = sum(light.sun_rgb) / 3 * (0.35 + 0.35 * up) + sum(light.zenith_rgb) / 3 * 0.6
    exposure = uniform(generator, 0.85, 1.4) / level
    warm, tintedness = normal(generator, 0.0, 0.05), normal(generator, 0.0, 0.02)
    gains: dict[str, tuple[float, float, float]] = {}
    for name in camera_names:
        own = 1 + normal(generator, 0.0, 0.015)
        balance = (1 + warm, 1 + tintedness, 1 - warm)
        r, g, b = (exposure * own * channel for channel in balance)
        gains[name] = gains["front"] if name.startswith("off_") else (r, g, b)
    return Imaging(
        gains=gains,
        contrast=uniform(generator, 1.0, 1.3),
        saturation=uniform(generator, 0.85, 1.2),
        vignetting=uniform(generator, 0.0, 0.12),
        noise_floor=uniform(generator, 0.001, 0.004),
        noise_shot=uniform(generator, 0.5e-5, 4e-5),
    )


def develop(
    imaging: Imaging,
    camera_name: str,
    camera: Camera,
    radiance: Float[Tensor, "h w 3"],
    noise: Float[Tensor, "h w 3"] | None,
) -> UInt8[Tensor, "h w 3"]:
    """Turn linear radiance into 8-bit pixels; `noise` is unit normal, None leaves it out."""
    y = (torch.arange(camera.height_px, device=radiance.device) + 0.5 - camera.cy) / camera.fy
    x = (torch.arange(camera.width_px, device=radiance.device) + 0.5 - camera.cx) / camera.fx
    corner = math.hypot(camera.width_px / 2 / camera.fx, camera.height_px / 2 / camera.fy)
    fall = 1 - imaging.vignetting * (y[:, None].square() + x.square()) / corner**2
    exposed = tone(imaging, radiance * fall[:, :, None] * radiance.new_tensor(imaging.gains[camera_name]))
    if noise is not None:
        exposed = exposed + noise * (imaging.noise_floor**2 + imaging.noise_shot * exposed).sqrt()
    return (exposed.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)


def tone(imaging: Imaging, exposed: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """Saturation, a soft shoulder for highlights (Reinhard et al. 2002, with white at 4), gamma and contrast."""
    grey = exposed.mean(-1, keepdim=True)
    colourful = (grey + (exposed - grey) * imaging.saturation).clamp(min=0.0)
    soft = colourful * (1 + colourful / 16.0) / (1 + 0.8 * colourful)
    bent = soft.clamp(max=1.2) ** (1 / 2.2)
    return (0.45 + (bent - 0.45) * imaging.contrast).clamp(0.0, 1.0)
