"""What no point fills: a shell of Gaussians far away, and behind it a backdrop, a guess at what no view ever saw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from gs_sim.config import Range, check_ranges
from gs_sim.reconstruction.cloud import average_by, nearest, voxel_groups
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.gaussians import SH_C0, Gaussians, empty_gaussians

BLOCK_PX = 4
"""The guess looks at images averaged over blocks of this size."""
NEIGHBOURS = 12
"""The guess is the mean of so many blocks."""
BEHIND = 1.25
"""The backdrop's radius beside the shell's."""


@dataclass(frozen=True)
class ShellSettings:
    """Where the shell lies and how fine it is."""

    radius_m: Annotated[float, Range(1, 1_000_000)] = 400.0
    """Its radius, beyond half the length of the drive."""
    spacing_px: Annotated[float, Range(0.1, 1000)] = 3.0
    """Spacing of its Gaussians in pixels of a training view."""
    opacity: Annotated[float, Range(0.01, 0.99)] = 0.7
    """First opacity of its Gaussians."""
    backdrop_deg: Annotated[float, Range(0, 180)] = 0.0
    """How far the backdrop reaches beyond the borders of all images, such as 30; 0 leaves black what no view saw.

    Off until it is kept out of depth: where a surface lets a little light through, it draws the depth away from it."""
    backdrop_spacing_deg: Annotated[float, Range(0.2, 30)] = 1.5
    """Spacing of the backdrop's Gaussians."""

    def __post_init__(self) -> None:
        check_ranges(self)


def distant_shell(
    views: Sequence[TrainingView], is_filled: Sequence[Bool[Tensor, "h w"]], most: int, settings: ShellSettings
) -> Gaussians:
    """At most so many Gaussians on a sphere around the drive, in every direction whose pixels no nearer point fills."""
    directions, colours = [], []
    for view, filled in zip(views, is_filled, strict=True):
        row, column = (~filled).nonzero().unbind(-1)
        directions.append(_directions(view, column + 0.5, row + 0.5))
        colours.append(view.rgb[row, column].float() / 255)
    spacing_rad = settings.spacing_px / views[0].camera.fx
    unit, rgb = torch.cat(directions), torch.cat(colours)
    if not len(unit):
        return empty_gaussians()
    while int((groups := voxel_groups(unit, spacing_rad)).max()) >= most:
        spacing_rad *= 1.2
    merged = average_by(groups, torch.cat([unit, rgb], dim=1))
    unit, rgb = torch.nn.functional.normalize(merged[:, :3], dim=-1), merged[:, 3:]
    return _on_sphere(views, unit, rgb, spacing_rad, settings)


def backdrop(views: Sequence[TrainingView], most: int, settings: ShellSettings) -> Gaussians:
    """At most so many Gaussians behind everything, in every direction that an image shows or nearly shows.

    A camera beside the path, or turned away from it, looks past what was seen and beyond the borders of all images. A soft
    continuation of what lies next to it is nearer to the truth there than black.
    """
    if settings.backdrop_deg == 0:
        return empty_gaussians()
    shown, rgb = _blocks(views)
    spacing_rad = math.radians(settings.backdrop_spacing_deg)
    while True:
        unit = _even_directions(round(4 * math.pi / spacing_rad**2))
        index, squared = nearest(shown, unit, NEIGHBOURS)
        is_near = squared[:, 0].sqrt() <= 2 * math.sin(math.radians(settings.backdrop_deg) / 2)
        if int(is_near.sum()) <= most:
            guess = rgb[index].mean(dim=1)
            behind = replace(settings, radius_m=BEHIND * settings.radius_m)
            return _on_sphere(views, unit[is_near], guess[is_near], spacing_rad, behind)
        spacing_rad *= 1.2


def _on_sphere(
    views: Sequence[TrainingView],
    unit: Float32[Tensor, "n 3"],
    rgb: Float32[Tensor, "n 3"],
    spacing_rad: float,
    settings: ShellSettings,
) -> Gaussians:
    centres = torch.stack([view.world_from_camera[:3, 3] for view in views]).float()
    centre = (centres.amin(dim=0) + centres.amax(dim=0)) / 2
    radius_m = settings.radius_m + float((centres - centre).norm(dim=-1).max())
    return Gaussians(
        means=centre + radius_m * unit,
        log_scales=torch.full((len(unit), 3), 0.6 * spacing_rad * radius_m).log(),
        quaternions=torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(len(unit), 1),
        opacity_logits=torch.full((len(unit),), settings.opacity).logit(),
        sh=((rgb - 0.5) / SH_C0)[:, None, :],
    )


def _directions(
    view: TrainingView, x_px: Float32[Tensor, "*n"], y_px: Float32[Tensor, "*n"]
) -> Float32[Tensor, "*n 3"]:
    """Unit directions in the world of points of an image."""
    x = (x_px - view.camera.cx) / view.camera.fx
    y = (y_px - view.camera.cy) / view.camera.fy
    rays = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    return torch.nn.functional.normalize(rays @ view.world_from_camera[:3, :3].T.float(), dim=-1)


def _even_directions(count: int) -> Float32[Tensor, "n 3"]:
    """Directions spread evenly over the sphere (Fibonacci lattice)."""
    number = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * number + 1) / count
    angle = math.pi * (3 - math.sqrt(5)) * number
    flat = (1 - z * z).sqrt()
    return torch.stack([flat * angle.cos(), flat * angle.sin(), z], dim=1).float()


def _blocks(views: Sequence[TrainingView]) -> tuple[Float32[Tensor, "n 3"], Float32[Tensor, "n 3"]]:
    """Directions and mean colours of the blocks of all images."""
    directions, colours = [], []
    for view in views:
        height, width = view.camera.height_px, view.camera.width_px
        rows, columns = max(1, height // BLOCK_PX), max(1, width // BLOCK_PX)
        planes = view.rgb.permute(2, 0, 1)[None].float() / 255
        small = torch.nn.functional.adaptive_avg_pool2d(planes, (rows, columns))[0]
        y, x = torch.meshgrid(
            (torch.arange(rows) + 0.5) * (height / rows),
            (torch.arange(columns) + 0.5) * (width / columns),
            indexing="ij",
        )
        directions.append(_directions(view, x.flatten(), y.flatten()))
        colours.append(small.flatten(1).T)
    return torch.cat(directions), torch.cat(colours)
