"""One camera image: rays through tiles of pixels, then more rays where surfaces meet."""

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.lens import undistort
from gs_sim.sources.street.bundles import Bundles
from gs_sim.sources.street.imaging import develop, tone
from gs_sim.sources.street.street import Street, world_at
from gs_sim.sources.street.trace import Hits, World, radiance_of, trace

TILE_PX = 16
EDGE_CONTRAST = 0.08
"""Difference of developed brightness between neighbours from which a pixel gets more rays."""
SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
"""Rotated grid."""


def pixel_directions(camera: Camera, u_px: Float[Tensor, "n"], v_px: Float[Tensor, "n"]) -> Float[Tensor, "n 3"]:
    """Rays (z = 1) of the optical frame through image positions, the lens undone."""
    ideal = torch.stack([(u_px - camera.cx) / camera.fx, (v_px - camera.cy) / camera.fy], dim=1)
    if not camera.is_pinhole:
        ideal = undistort(camera, ideal.cpu().double())[0].to(ideal)
    return torch.cat([ideal, torch.ones_like(ideal[:, :1])], dim=1)


def tile_rays(camera: Camera, world_from_camera: Float64[Tensor, "4 4"], device: str) -> Bundles:
    """One ray through every pixel's centre, bundled by tiles; the last tiles reach beyond the image."""
    u, v = _tile_pixels(camera, device)
    return _bundle(camera, world_from_camera, u.flatten() + 0.5, v.flatten() + 0.5, u.shape[1])


def _tile_pixels(camera: Camera, device: str) -> tuple[Tensor, Tensor]:
    across, down = -(-camera.width_px // TILE_PX), -(-camera.height_px // TILE_PX)
    inner = torch.arange(TILE_PX, device=device, dtype=torch.float32)
    u = TILE_PX * torch.arange(across, device=device)[None, :, None, None] + inner[None, None, None, :]
    v = TILE_PX * torch.arange(down, device=device)[:, None, None, None] + inner[None, None, :, None]
    shape = (down, across, TILE_PX, TILE_PX)
    return u.expand(shape).reshape(-1, TILE_PX**2), v.expand(shape).reshape(-1, TILE_PX**2)


def _bundle(camera: Camera, world_from_camera: Tensor, u_px: Tensor, v_px: Tensor, size: int) -> Bundles:
    turn = world_from_camera[:3, :3].to(u_px)
    rays = torch.nn.functional.normalize(pixel_directions(camera, u_px, v_px), dim=1) @ turn.T
    directions = rays.reshape(-1, size, 3).transpose(1, 2).contiguous()
    origins = world_from_camera[:3, 3].to(u_px).expand(len(directions), 3)[:, :, None].contiguous()
    return Bundles(origins, directions, 1.0 / camera.fx)


def radiance_image(
    street: Street, world: World, camera: Camera, world_from_camera: Float64[Tensor, "4 4"], gain: float
) -> Float[Tensor, "h w 3"]:
    """Linear colours of every pixel."""
    bundles = tile_rays(camera, world_from_camera, street.device)
    hits = trace(world, bundles)
    colours = _untile(camera, radiance_of(world, hits, bundles.footprint))
    if street.settings.samples_per_edge_pixel <= 1:
        return colours
    v, u = _edges(street, camera, hits, colours, gain).nonzero(as_tuple=True)
    if len(u) == 0:
        return colours
    tile = (v // TILE_PX) * 4096 + u // TILE_PX
    order = tile.argsort(stable=True)
    u, v = u[order], v[order]
    size = 256
    shifts = torch.tensor(_subpixels(street.settings.samples_per_edge_pixel), device=u.device)
    fine_u = (u[:, None] + 0.5 + shifts[:, 0]).flatten()
    fine_v = (v[:, None] + 0.5 + shifts[:, 1]).flatten()
    spare = -len(fine_u) % size
    padded_u, padded_v = torch.cat([fine_u, fine_u[-1:].expand(spare)]), torch.cat([fine_v, fine_v[-1:].expand(spare)])
    extra = _bundle(camera, world_from_camera, padded_u, padded_v, size)
    samples = radiance_of(world, trace(world, extra), extra.footprint)[: len(fine_u)]
    # Highlights are limited before the mean, or one bright sample would outweigh its neighbours.
    samples = samples.clamp(max=4.0 / gain).reshape(len(u), len(shifts), 3)
    colours[v, u] = samples.mean(1)
    return colours


def _subpixels(num: int) -> list[tuple[float, float]]:
    if num == 4:
        return list(SUBPIXELS)
    golden = 0.7548776662466927
    return [((k + 0.5) / num - 0.5, ((k + 0.5) * golden) % 1.0 - 0.5) for k in range(num)]


def _untile(camera: Camera, values: Float[Tensor, "n k"]) -> Float[Tensor, "h w k"]:
    across, down = -(-camera.width_px // TILE_PX), -(-camera.height_px // TILE_PX)
    tiles = values.reshape(down, across, TILE_PX, TILE_PX, -1).permute(0, 2, 1, 3, 4)
    return tiles.reshape(down * TILE_PX, across * TILE_PX, -1)[: camera.height_px, : camera.width_px].contiguous()


def _edges(street: Street, camera: Camera, hits: Hits, colours: Float[Tensor, "h w 3"], gain: float) -> Tensor:
    """Pixels whose neighbours show something else, at another distance, or of quite another brightness."""
    index = _untile(camera, hits.index[:, None].float())[:, :, 0]
    inverse_m = _untile(camera, (1.0 / hits.distance_m)[:, None])[:, :, 0]
    grey = tone(street.imaging, colours * gain).mean(-1)
    is_edge = torch.zeros_like(index, dtype=torch.bool)
    for axis in (0, 1):
        ahead, here = slice(1, None), slice(None, -1)
        a, b = ((ahead, slice(None)), (here, slice(None))) if axis == 0 else ((slice(None), ahead), (slice(None), here))
        jump = (index[a] != index[b]) | ((grey[a] - grey[b]).abs() > EDGE_CONTRAST)
        jump |= (inverse_m[a] - inverse_m[b]).abs() > 0.1 * torch.maximum(inverse_m[a], inverse_m[b])
        is_edge[a] |= jump
        is_edge[b] |= jump
    return is_edge


def street_image(
    street: Street, camera_name: str, camera: Camera, world_from_camera: Float64[Tensor, "4 4"], stamp_ns: int
) -> UInt8[Tensor, "h w 3"]:
    """What a camera sees at a moment; noise is fixed by the seed, the camera's name and the stamp."""
    world = world_at(street, stamp_ns)
    gain = sum(street.imaging.gains[camera_name]) / 3
    radiance = radiance_image(street, world, camera, world_from_camera, gain)
    noise = None
    if street.settings.sensor_noise > 0:
        generator = torch.Generator().manual_seed(noise_seed(street, camera_name, stamp_ns))
        noise = street.settings.sensor_noise * torch.randn(radiance.shape, generator=generator).to(street.device)
    return develop(street.imaging, camera_name, camera, radiance, noise).cpu()


def noise_seed(street: Street, sensor_name: str, stamp_ns: int) -> int:
    """A seed for one sensor reading."""
    name = sum((k + 1) * 131**k * ord(letter) for k, letter in enumerate(sensor_name[:8]))
    return (street.settings.seed * 1_000_003 + name * 7919 + stamp_ns // 1000) % (1 << 62)
