"""Sun, sky and haze of one street: where the light comes from and what an empty ray sees."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.sources.street.noise import NoiseBank, fields_at
from gs_sim.sources.street.randomness import chance, normal, pick, uniform

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Linear radiances; a white surface in full sun and sky is near 1."""

    to_sun: tuple[float, float, float]
    """Unit vector in the world frame."""
    sun_rgb: Rgb
    zenith_rgb: Rgb
    horizon_rgb: Rgb
    bounce_rgb: Rgb
    """What the ground sends back up."""
    cloud_cover: float
    """0 clear to 1 overcast."""
    cloud_size: float
    cloud_offset: float
    haze_per_m: float
    skyline_rad: float
    """Typical height of distant roofs and trees above the horizon."""
    skyline_rgb: Rgb


def draw_light(generator: torch.Generator, heading_rad: float) -> Light:
    """Draw a time of day and weather, from hazy evening to overcast noon."""
    elevation = math.radians(uniform(generator, 16.0, 62.0))
    azimuth = heading_rad + uniform(generator, -math.pi, math.pi)
    overcast = pick(generator, (0.0, uniform(generator, 0.2, 0.7), uniform(generator, 0.85, 1.0)), (0.35, 0.4, 0.25))
    warmth = max(0.0, 1.0 - math.degrees(elevation) / 45.0) * uniform(generator, 0.5, 1.0)
    sun = (1.0 - 0.97 * max(0.0, overcast - 0.5) / 0.5) * uniform(generator, 1.0, 1.5)
    sky = uniform(generator, 0.30, 0.45) * (1.0 + 0.55 * overcast)
    blue = (1.0 - overcast) * uniform(generator, 0.7, 1.0)
    haze = uniform(generator, 0.0, 1.0)
    return Light(
        to_sun=(
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ),
        sun_rgb=(sun, sun * (0.94 - 0.20 * warmth), sun * (0.86 - 0.42 * warmth)),
        zenith_rgb=(sky * (1 - 0.70 * blue), sky * (1 - 0.43 * blue), sky * (1 + 0.12 * blue)),
        horizon_rgb=(
            sky * (1.55 - 0.40 * blue + 0.2 * warmth),
            sky * (1.58 - 0.22 * blue),
            sky * (1.62 + 0.05 * blue - 0.2 * warmth),
        ),
        bounce_rgb=(0.13 + 0.05 * sun, 0.125 + 0.045 * sun, 0.12 + 0.035 * sun),
        cloud_cover=overcast,
        cloud_size=uniform(generator, 1.2, 3.5),
        cloud_offset=uniform(generator, 0.0, 50.0),
        haze_per_m=0.0 if chance(generator, 0.2) else 0.0003 + 0.0016 * haze**2,
        skyline_rad=max(0.01, normal(generator, 0.05, 0.02)),
        skyline_rgb=(0.16 + 0.05 * haze, 0.18 + 0.06 * haze, 0.19 + 0.1 * haze),
    )


def sky_radiance(light: Light, directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Smooth sky with the glow around the sun, without clouds: what rough or curved things mirror."""
    horizon, zenith = directions.new_tensor(light.horizon_rgb), directions.new_tensor(light.zenith_rgb)
    up = directions[:, 2].clamp(0.0, 1.0)
    colour = torch.lerp(horizon.expand_as(directions), zenith.expand_as(directions), (1 - (1 - up) ** 3)[:, None])
    towards = (directions @ directions.new_tensor(light.to_sun)).clamp(min=0.0)
    glow = 0.35 * towards**8 + 1.2 * towards**180
    return colour + glow[:, None] * directions.new_tensor(light.sun_rgb)


def background_radiance(
    light: Light, directions: Float[Tensor, "n 3"], footprint: float, bank: NoiseBank
) -> Float[Tensor, "n 3"]:
    """What a ray that meets nothing sees: sky, clouds, and a hazy skyline far away."""
    colour = sky_radiance(light, directions)
    up = directions[:, 2]
    lift = (up + 0.12).clamp(min=0.05)
    size = 8.0 * light.cloud_size
    cloud = fields_at(
        bank,
        directions[:, 0] / lift + light.cloud_offset,
        directions[:, 1] / lift,
        size,
        (footprint / lift.square()).clamp(max=size),
    )
    threshold = 1.1 - 2.6 * light.cloud_cover
    density = ((cloud[:, 0] + 0.25 * cloud[:, 1] - threshold) * 0.9).clamp(0.0, 1.0) * (up * 9.0).clamp(0.0, 1.0)
    sun, zenith = directions.new_tensor(light.sun_rgb), directions.new_tensor(light.zenith_rgb)
    brightness = (1.05 - 0.28 * density - 0.08 * cloud[:, 2])[:, None]
    white = (0.55 * sun + 0.35 * zenith + directions.new_tensor(light.horizon_rgb) * 0.55) * brightness
    colour = torch.lerp(colour, white, density[:, None] * 0.92)
    return _with_skyline(light, colour, directions, footprint, bank)


def _with_skyline(
    light: Light, colour: Tensor, directions: Float[Tensor, "n 3"], footprint: float, bank: NoiseBank
) -> Float[Tensor, "n 3"]:
    azimuth = torch.atan2(directions[:, 1], directions[:, 0]) / (2 * math.pi)
    elevation = torch.asin(directions[:, 2].clamp(-1, 1))
    width = torch.full_like(azimuth, footprint / (2 * math.pi) * 4.0)
    shape = fields_at(bank, azimuth * 4.0, torch.full_like(azimuth, 0.37), 4.0, width)
    blocks = torch.round(shape[:, 1] * 1.6) / 1.6
    top = light.skyline_rad * (0.75 + 0.22 * shape[:, 0] + 0.25 * blocks)
    cover = ((top - elevation) / max(footprint, 1e-4) + 0.5).clamp(0.0, 1.0)
    pattern = fields_at(bank, azimuth * 4.0, elevation * (2.0 / math.pi), 0.25, width)
    far = directions.new_tensor(light.skyline_rgb) * (1.0 + 0.18 * pattern[:, 2:3] + 0.1 * shape[:, 2:3])
    misty = torch.lerp(far, directions.new_tensor(light.horizon_rgb).expand_as(far), 0.35)
    return torch.lerp(colour, misty, cover[:, None])


def ambient_radiance(light: Light, normals: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Irradiance over pi from the sky above and the ground below a surface, nothing in between."""
    sky = 0.55 * normals.new_tensor(light.zenith_rgb) + 0.45 * normals.new_tensor(light.horizon_rgb)
    share = (normals[:, 2:3] * 0.5 + 0.5).clamp(0.0, 1.0)
    return torch.lerp(normals.new_tensor(light.bounce_rgb).expand_as(normals), sky.expand_as(normals), share)
