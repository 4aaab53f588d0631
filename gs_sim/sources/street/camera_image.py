"""One camera image: rays through tiles of pixels, then more rays where surfaces meet."""

import torch
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.lens import undistort
from gs_sim.sources.street.bundles import Bundles
from gs_sim.sources.street.imaging import develop, tone
from gs_sim.sources.street.street import Street, world_at
from gs_sim.sources.street.trace import World, radiance_of, trace
from gs_sim.sources.street.workers import map_pieces

TILE_PX = 16
PIECE_TILES = 128
"""Tiles cast together by one worker on a CPU."""
PIECE_SQUARE = 8
"""They lie in squares of this many tiles, so that they see the same things."""
EDGE_CONTRAST = 0.15
"""Difference of developed brightness between neighbours from which a pixel gets more rays."""
SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
"""Rotated grid."""

View = tuple[Camera, Float64[Tensor, "4 4"]]
"""A camera, lens included, and `world_from_camera`."""


def pixel_directions(camera: Camera, u_px: Float[Tensor, "n"], v_px: Float[Tensor, "n"]) -> Float[Tensor, "n 3"]:
    """Rays (z = 1) of the optical frame through image positions, the lens undone."""
    ideal = torch.stack([(u_px - camera.cx) / camera.fx, (v_px - camera.cy) / camera.fy], dim=1)
    if not camera.is_pinhole:
        ideal = undistort(camera, ideal.cpu().double())[0].to(ideal)
    return torch.cat([ideal, torch.ones_like(ideal[:, :1])], dim=1)


def ray_bundles(view: View, u_px: Float[Tensor, "b r"], v_px: Float[Tensor, "b r"]) -> Bundles:
    """Unit rays in the world through image positions, one bundle per row."""
    camera, world_from_camera = view
    turn = world_from_camera[:3, :3].to(u_px)
    rays = torch.nn.functional.normalize(pixel_directions(camera, u_px.flatten(), v_px.flatten()), dim=1) @ turn.T
    directions = rays.reshape(*u_px.shape, 3).transpose(1, 2).contiguous()
    origins = world_from_camera[:3, 3].to(u_px).expand(len(directions), 3)[:, :, None].contiguous()
    return Bundles(origins, directions, 1.0 / camera.fx)


def radiance_image(street: Street, world: World, view: View, gain: float) -> Float[Tensor, "h w 3"]:
    """Linear colours of every pixel; `gain` tells how bright the camera will show them."""
    camera = view[0]
    u, v = _tile_pixels(camera, street.device)
    whole = street.device != "cpu"
    pieces = list(zip(*((part for part in x.split(len(u) if whole else PIECE_TILES)) for x in (u, v)), strict=True))

    def cast(piece: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        bundles = ray_bundles(view, piece[0] + 0.5, piece[1] + 0.5)
        hits = trace(world, bundles)
        return radiance_of(world, hits, bundles.footprint), hits.index, hits.distance_m

    # Tiles at the right and lower border reach beyond the image: room for whole tiles is kept, then cut off.
    size_hw = (-(-camera.height_px // TILE_PX) * TILE_PX, -(-camera.width_px // TILE_PX) * TILE_PX)
    place = (v.long() * size_hw[1] + u.long()).flatten()
    colours, index, distance_m = (
        _placed(torch.cat(parts), place, size_hw)[: camera.height_px, : camera.width_px]
        for parts in zip(*map_pieces(cast, pieces, street.device), strict=True)
    )
    num_samples = street.settings.samples_per_edge_pixel
    if num_samples > 1:
        is_edge = _edges(tone(street.imaging, colours * gain).mean(-1), index, distance_m)
        _refine(street, world, view, (colours, is_edge), 4.0 / gain)
    return colours


def _tile_pixels(camera: Camera, device: str) -> tuple[Float[Tensor, "b r"], Float[Tensor, "b r"]]:
    """Column and row of every pixel, tile by tile, square of tiles by square of tiles."""
    across, down = -(-camera.width_px // TILE_PX), -(-camera.height_px // TILE_PX)
    row, column = torch.meshgrid(torch.arange(down), torch.arange(across), indexing="ij")
    order = ((row // PIECE_SQUARE) * 4096 + column // PIECE_SQUARE).flatten().argsort(stable=True)
    inner_v, inner_u = torch.meshgrid(torch.arange(TILE_PX), torch.arange(TILE_PX), indexing="ij")
    u = TILE_PX * column.flatten()[order, None] + inner_u.flatten()
    v = TILE_PX * row.flatten()[order, None] + inner_v.flatten()
    return u.float().to(device), v.float().to(device)


def _placed(values: Tensor, place: Int64[Tensor, "n"], size_hw: tuple[int, int]) -> Tensor:
    """Put values of pixels in tile order into an image."""
    image = torch.empty(size_hw[0] * size_hw[1], *values.shape[1:], dtype=values.dtype, device=values.device)
    image[place] = values
    return image.reshape(*size_hw, *values.shape[1:])


def _refine(street: Street, world: World, view: View, image: tuple[Tensor, Bool[Tensor, "h w"]], limit: float) -> None:
    """Replace marked pixels by the mean of several rays.

    Samples are limited before the mean, or one bright highlight would outweigh its neighbours.
    """
    colours, is_edge = image
    v, u = is_edge.nonzero(as_tuple=True)
    shifts = torch.tensor(_subpixels(street.settings.samples_per_edge_pixel), device=u.device)
    order = ((v // TILE_PX) * 4096 + u // TILE_PX).argsort(stable=True)
    per_bundle = max(1, TILE_PX**2 // len(shifts))
    per_piece = (len(u) + 1) if street.device != "cpu" else per_bundle * PIECE_TILES

    def cast(rows: Int64[Tensor, "p"]) -> None:
        padded = torch.cat([rows, rows[-1:].expand(-len(rows) % per_bundle)])
        fine_u = (u[padded, None] + 0.5 + shifts[:, 0]).reshape(-1, per_bundle * len(shifts))
        fine_v = (v[padded, None] + 0.5 + shifts[:, 1]).reshape(-1, per_bundle * len(shifts))
        bundles = ray_bundles(view, fine_u, fine_v)
        samples = radiance_of(world, trace(world, bundles), bundles.footprint).clamp(max=limit)
        colours[v[rows], u[rows]] = samples.reshape(-1, len(shifts), 3).mean(1)[: len(rows)]

    map_pieces(cast, order.split(per_piece) if len(order) else [], street.device)


def _subpixels(num: int) -> list[tuple[float, float]]:
    if num == len(SUBPIXELS):
        return list(SUBPIXELS)
    golden = 0.7548776662466927
    return [((k + 0.5) / num - 0.5, ((k + 0.5) * golden) % 1.0 - 0.5) for k in range(num)]


def _edges(
    grey: Float[Tensor, "h w"], index: Int64[Tensor, "h w"], distance_m: Float[Tensor, "h w"]
) -> Bool[Tensor, "h w"]:
    """Pixels whose neighbours show something else, at another distance, or of quite another brightness."""
    inverse_m = 1.0 / distance_m
    is_edge = torch.zeros_like(index, dtype=torch.bool)
    for axis in (0, 1):
        size = index.shape[axis] - 1
        a, b = (tuple(x.narrow(axis, start, size) for x in (index, inverse_m, grey)) for start in (0, 1))
        jump = (a[0] != b[0]) | ((a[2] - b[2]).abs() > EDGE_CONTRAST)
        jump |= (a[1] - b[1]).abs() > 0.1 * torch.maximum(a[1], b[1])
        for start in (0, 1):
            is_edge.narrow(axis, start, size).logical_or_(jump)
    return is_edge


def street_image(street: Street, camera_name: str, view: View, stamp_ns: int) -> UInt8[Tensor, "h w 3"]:
    """What a camera sees at a moment; noise is fixed by the seed, the camera's name and the stamp."""
    gain = sum(street.imaging.gains[camera_name]) / 3
    radiance = radiance_image(street, world_at(street, stamp_ns), view, gain)
    noise = None
    if street.settings.sensor_noise > 0:
        generator = torch.Generator().manual_seed(noise_seed(street, camera_name, stamp_ns))
        noise = street.settings.sensor_noise * torch.randn(radiance.shape, generator=generator).to(street.device)
    return develop(street.imaging, camera_name, view[0], radiance, noise).cpu()


def noise_seed(street: Street, sensor_name: str, stamp_ns: int) -> int:
    """A seed for one sensor reading."""
    name = int.from_bytes(sensor_name.encode(), "little") % 1_000_000_007
    return (street.settings.seed * 1_000_003 + name * 7919 + stamp_ns // 1000) % (1 << 62)
