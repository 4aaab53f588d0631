"""Turns images of one camera into images of another that looks the same way: rectifies and re-distorts.

The same function does both, since both ask for each target pixel which ray it sees and where the
source camera saw that ray. The maps are computed once per pair of cameras.
"""

from dataclasses import replace
from functools import lru_cache

import torch
from jaxtyping import Bool, Float32, Float64, Shaped
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.lens import distort, is_within_lens, limit_tangent, undistort

MAX_RECTIFIED_TANGENT = 3**0.5
"""tan(60 degrees): no rectified image reaches further from its axis, where it would be stretched fourfold."""

MAX_COVERING_TANGENT = 3.75
"""About tan(75 degrees): what lies further out in a fisheye image is left invalid when re-distorting."""

MAX_COVERING_SIZE = 2.0
"""A covering pinhole has at most this many times the width and height of the lens camera."""

SAMPLES_PER_EDGE = 257


def ideal_camera(camera: Camera) -> Camera:
    """The same intrinsics without a lens."""
    return replace(camera, lens="none", coefficients=())


def rectified_camera(camera: Camera) -> Camera:
    """The pinhole camera for rectified images: same size, same principal point, every pixel seen by the lens camera.

    Both focal lengths are scaled by the one smallest factor with which no pixel falls outside the lens image, so no
    black border is left, pixels keep their aspect, and as little of the view as possible is lost. No pixel is more
    than 60 degrees to the side of the axis.
    """
    if camera.is_pinhole:
        return ideal_camera(camera)
    edges = border(camera)
    outwards = normalise(ideal_camera(camera), edges)
    low = float(outwards.abs().max()) / MAX_RECTIFIED_TANGENT
    high = max(1.0, 2 * low)
    while not is_seen(camera, outwards / high):
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(camera, outwards / middle) else (middle, high)
    return replace(ideal_camera(camera), fx=camera.fx * high, fy=camera.fy * high)


def pinhole_covering(camera: Camera) -> Camera:
    """A pinhole camera that sees all that a lens camera sees: render with it, then re-distort.

    It has the lens camera's resolution at the axis. Bounded in view (75 degrees to each side) and in size
    (twice the width and height, by a lower resolution): a fisheye camera then keeps an invalid rim.
    """
    if camera.is_pinhole:
        return ideal_camera(camera)
    limit = min(MAX_COVERING_TANGENT, limit_tangent(camera))
    seen = normalise(camera, border(camera))
    ideal, is_valid = undistort(camera, seen)
    sides = torch.where(is_valid[:, None], ideal, limit * torch.sign(seen)).clamp(-limit, limit)
    low, high = sides.amin(dim=0).tolist(), sides.amax(dim=0).tolist()
    spans = (high[0] - low[0], high[1] - low[1])
    factor = min(
        1.0,
        MAX_COVERING_SIZE * camera.width_px / (spans[0] * camera.fx + 2),
        MAX_COVERING_SIZE * camera.height_px / (spans[1] * camera.fy + 2),
    )
    fx, fy = factor * camera.fx, factor * camera.fy
    # one pixel of margin on each side, for the bilinear samples at the rim
    return Camera(int(spans[0] * fx) + 3, int(spans[1] * fy) + 3, fx, fy, 1 - low[0] * fx, 1 - low[1] * fy)


def warp_image(image: Shaped[Tensor, "h w k"], from_camera: Camera, to_camera: Camera) -> Shaped[Tensor, "h2 w2 k"]:
    """Show an image of `from_camera` as `to_camera` at the same place sees it; black where it saw nothing.

    Bilinear samples; uint8 stays uint8, floats stay floats and differentiable.
    """
    return warp_image_with_mask(image, from_camera, to_camera)[0]


def warp_image_with_mask(
    image: Shaped[Tensor, "h w k"], from_camera: Camera, to_camera: Camera
) -> tuple[Shaped[Tensor, "h2 w2 k"], Bool[Tensor, "h2 w2"]]:
    """As `warp_image`; also tell which pixels `from_camera` saw."""
    grid, is_valid = (part.to(image.device) for part in sampling_grid(from_camera, to_camera))
    values = image.movedim(-1, 0)[None]
    if not image.is_floating_point():
        values = values.float()
    # align_corners=False is the convention of pixel centres at +0.5
    warped = torch.nn.functional.grid_sample(
        values, grid.to(values)[None], mode="bilinear", padding_mode="border", align_corners=False
    )[0].movedim(0, -1)
    warped = warped * is_valid[..., None]
    return (warped if image.is_floating_point() else warped.round().to(image.dtype)), is_valid


@lru_cache(maxsize=16)
def sampling_grid(from_camera: Camera, to_camera: Camera) -> tuple[Float32[Tensor, "h w 2"], Bool[Tensor, "h w"]]:
    """Where in `from_camera` each pixel of `to_camera` lies, from -1 to 1 across the image, and whether it does."""
    rows = torch.arange(to_camera.height_px, dtype=torch.float64) + 0.5
    columns = torch.arange(to_camera.width_px, dtype=torch.float64) + 0.5
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    rays, is_valid = undistort(to_camera, normalise(to_camera, torch.stack([u, v], dim=-1)))
    pixels = denormalise(from_camera, distort(from_camera, rays))
    size = torch.tensor([from_camera.width_px, from_camera.height_px], dtype=torch.float64)
    is_valid &= is_within_lens(from_camera, rays) & ((pixels >= 0) & (pixels <= size)).all(dim=-1)
    grid = torch.where(is_valid[..., None], 2 * pixels / size - 1, 0.0)
    return grid.float(), is_valid


def normalise(camera: Camera, pixels: Float64[Tensor, "*batch 2"]) -> Float64[Tensor, "*batch 2"]:
    """Pixels to normalised image coordinates, the lens still in them."""
    return (pixels - pixels.new_tensor([camera.cx, camera.cy])) / pixels.new_tensor([camera.fx, camera.fy])


def denormalise(camera: Camera, normalised: Float64[Tensor, "*batch 2"]) -> Float64[Tensor, "*batch 2"]:
    """Normalised image coordinates, lens applied, to pixels."""
    return normalised * normalised.new_tensor([camera.fx, camera.fy]) + normalised.new_tensor([camera.cx, camera.cy])


def border(camera: Camera) -> Float64[Tensor, "n 2"]:
    """Points along the outer edge of the image, in pixels."""
    along = torch.linspace(0.0, 1.0, SAMPLES_PER_EDGE, dtype=torch.float64)
    zero, one = torch.zeros_like(along), torch.ones_like(along)
    u = torch.cat([along, along, zero, one]) * camera.width_px
    v = torch.cat([zero, one, along, along]) * camera.height_px
    return torch.stack([u, v], dim=-1)


def is_seen(camera: Camera, rays: Float64[Tensor, "n 2"]) -> bool:
    """Whether a lens camera sees all these ideal normalised coordinates."""
    pixels = denormalise(camera, distort(camera, rays))
    size = pixels.new_tensor([camera.width_px, camera.height_px])
    is_inside = ((pixels >= -1e-6) & (pixels <= size + 1e-6)).all(dim=-1)
    return bool((is_inside & is_within_lens(camera, rays)).all())
