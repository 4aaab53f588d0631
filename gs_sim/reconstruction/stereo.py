"""Depth where LiDAR does not reach: plane-sweep stereo over neighbouring training views.

A roof-mounted LiDAR sees little above its own height, which leaves upper facades and trees
without points. Each view is compared with its neighbours at many inverse depths (Collins 1996)
by normalised cross-correlation; only depths that several views agree on are kept.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from numpy.typing import NDArray
from torch import Tensor

from gs_sim.errors import ConfigError
from gs_sim.geometry.camera import intrinsic_matrix
from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.reconstruction.cloud import Cloud, project
from gs_sim.reconstruction.views import TrainingView, reduce_view

OUTSIDE, OUTSIDE_BELOW = -100.0, -1e-3
"""Grey beyond the border of a warped image, and what a pixel that has any of it lies below."""

OnView = Callable[[int, int], None]
"""Hears how many views are done, and how many there are."""


@dataclass(frozen=True)
class StereoSettings:
    """How stereo depth is searched and accepted."""

    num_planes: int = 96
    """Inverse depths tried; more is finer and slower."""
    nearest_m: float = 3.0
    """Smallest depth tried."""
    farthest_m: float = 250.0
    """Largest depth tried; further is the distant region's."""
    neighbours: int = 4
    """Views each view is compared with; more is more reliable and slower."""
    min_baseline_m: float = 0.8
    """Views nearer to each other than this show too little parallax."""
    max_baseline_m: float = 8.0
    """Views further apart see too different things."""
    min_spacing_m: float = 0.9
    """Views of one camera nearer to the one before are passed over."""
    working_width_px: int = 224
    """Images are reduced to about this width for the search."""
    min_correlation: float = 0.6
    """Weaker matches are dropped; raising it keeps fewer, surer points."""
    agreeing_views: int = 2
    """Other views whose depth must agree within 5 %."""

    def __post_init__(self) -> None:
        if self.num_planes < 8 or self.neighbours < 1:
            raise ConfigError(
                f"stereo needs at least 8 planes and 1 neighbour, got {self.num_planes} and {self.neighbours}"
            )
        if not 0 < self.nearest_m < self.farthest_m:
            raise ConfigError(f"stereo needs 0 < nearest_m < farthest_m, got {self.nearest_m} and {self.farthest_m}")


@dataclass(frozen=True)
class DepthMap:
    """Stereo depth of one reduced view; `is_sure` marks what correlated well."""

    view: TrainingView
    depth_m: Float32[Tensor, "h w"]
    is_sure: Bool[Tensor, "h w"]


def stereo_cloud(
    views: Sequence[TrainingView],
    is_known: Sequence[Bool[Tensor, "h w"]],
    settings: StereoSettings,
    on_view: OnView = lambda done, count: None,
) -> Cloud:
    """Coloured world points at depths that neighbouring views agree on, where a view's pixels are not known yet.

    `on_view` hears how many views are done of how many, which takes nearly all the time.
    """
    factor = max(1, round(views[0].camera.width_px / settings.working_width_px))
    chosen_views = spaced(views, settings.min_spacing_m)
    small = [reduce_view(views[index], factor) for index in chosen_views]
    neighbours = [_neighbours(index, small, settings) for index in range(len(small))]
    maps = []
    for view, others in zip(small, neighbours, strict=True):
        maps.append(_sweep_planes(view, [small[other] for other in others], settings) if others else None)
        on_view(len(maps), len(small))
    points, colours, depths = [], [], []
    for depth_map, others, index in zip(maps, neighbours, chosen_views, strict=True):
        if depth_map is None:
            continue
        agreeing = _count_agreement(depth_map, [m for other in others if (m := maps[other]) is not None])
        chosen = depth_map.is_sure & (agreeing >= min(settings.agreeing_views, len(others)))
        chosen &= ~reduce_mask(is_known[index], factor)
        points.append(_back_project(depth_map)[chosen])
        colours.append(depth_map.view.rgb[chosen].float() / 255)
        depths.append(depth_map.depth_m[chosen])
    if not points:
        return Cloud(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0))
    return Cloud(torch.cat(points), torch.cat(colours), torch.cat(depths))


def spaced(views: Sequence[TrainingView], spacing_m: float) -> list[int]:
    """Indices of views that are this far from the last one taken of the same camera."""
    last: dict[str, Float64[Tensor, "3"]] = {}
    taken = []
    for index, view in enumerate(views):
        here = view.world_from_camera[:3, 3]
        if view.camera_name not in last or float((here - last[view.camera_name]).norm()) >= spacing_m:
            last[view.camera_name] = here
            taken.append(index)
    return taken


def reduce_mask(mask: Bool[Tensor, "h w"], factor: int) -> Bool[Tensor, "h2 w2"]:
    """A mask at 1/factor of its size; a pixel is set where any of its parts is."""
    height, width = mask.shape[0] // factor, mask.shape[1] // factor
    return torch.nn.functional.adaptive_max_pool2d(mask[None].float(), (height, width))[0] > 0


def _neighbours(index: int, views: Sequence[TrainingView], settings: StereoSettings) -> list[int]:
    """The views with a useful baseline that look the same way, nearest baselines to 2 m first."""
    here = views[index].world_from_camera
    candidates = []
    for other, view in enumerate(views):
        baseline_m = float((view.world_from_camera[:3, 3] - here[:3, 3]).norm())
        is_aligned = float(view.world_from_camera[:3, 2] @ here[:3, 2]) > 0.9
        if other != index and is_aligned and settings.min_baseline_m <= baseline_m <= settings.max_baseline_m:
            candidates.append((abs(baseline_m - 2.0), other))
    return [other for _, other in sorted(candidates)[: settings.neighbours]]


def _grey(view: TrainingView) -> Float32[Tensor, "h w"]:
    return view.rgb.float() @ torch.tensor([0.299, 0.587, 0.114]) / 255


def _box(images: Float32[Tensor, "d h w"], size: int) -> Float32[Tensor, "d h w"]:
    """Mean over a square window, its part inside the image at the border."""
    count = torch.from_numpy(_window_sum(np.ones(tuple(images.shape[1:]), np.float32), size))
    sums = [torch.from_numpy(_window_sum(image, size)) for image in images.contiguous().numpy()]
    return torch.stack(sums) / count


def _window_sum(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """OpenCV's running sums: their cost does not grow with the window."""
    border = cv2.BORDER_CONSTANT
    return np.asarray(cv2.boxFilter(image, -1, (size, size), normalize=False, borderType=border), np.float32)


def _correlation(reference: Float32[Tensor, "1 h w"], warped: Float32[Tensor, "d h w"]) -> Float32[Tensor, "d h w"]:
    """Normalised cross-correlation over 5 and 9 pixel windows, averaged."""
    total = torch.zeros_like(warped)
    for size in (5, 9):
        mean_r, mean_w = _box(reference, size), _box(warped, size)
        variance_r = _box(reference**2, size) - mean_r**2
        variance_w = _box(warped**2, size) - mean_w**2
        covariance = _box(reference * warped, size) - mean_r * mean_w
        total += covariance / (variance_r.clamp(min=0) * variance_w.clamp(min=0) + 1e-7).sqrt()
    return total / 2


def _rays(view: TrainingView) -> Float32[Tensor, "h w 3"]:
    rows, columns = torch.meshgrid(
        torch.arange(view.camera.height_px) + 0.5, torch.arange(view.camera.width_px) + 0.5, indexing="ij"
    )
    x = (columns - view.camera.cx) / view.camera.fx
    y = (rows - view.camera.cy) / view.camera.fy
    return torch.stack([x, y, torch.ones_like(x)], dim=-1)


def _inverse_depths(settings: StereoSettings) -> Float32[Tensor, "d"]:
    return torch.linspace(1 / settings.farthest_m, 1 / settings.nearest_m, settings.num_planes)


def _warp_to_planes(
    view: TrainingView, other: TrainingView, settings: StereoSettings
) -> tuple[Float32[Tensor, "d h w"], Bool[Tensor, "d h w"]]:
    """What `other` shows at each pixel of `view` for each inverse depth, and where that is inside its image.

    For one depth the two images are a homography apart (Hartley and Zisserman, 13.1).
    """
    other_from_view = inverse(other.world_from_camera) @ view.world_from_camera
    image, size_wh = _grey(other).numpy(), (view.camera.width_px, view.camera.height_px)
    from_pixels = torch.linalg.inv(_opencv_intrinsics(view))
    warped = np.empty((settings.num_planes, size_wh[1], size_wh[0]), np.float32)
    for inverse_depth, target in zip(_inverse_depths(settings).double(), warped, strict=True):
        shifted = other_from_view[:3, :3].clone()
        shifted[:, 2] += inverse_depth * other_from_view[:3, 3]
        homography = (_opencv_intrinsics(other) @ shifted @ from_pixels).numpy()
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpPerspective(image, homography, size_wh, target, flags, cv2.BORDER_CONSTANT, OUTSIDE)
    facing = (_rays(view) @ other_from_view[2, :3].float())[None]
    depth = facing + _inverse_depths(settings)[:, None, None] * float(other_from_view[2, 3])
    planes = torch.from_numpy(warped)
    return planes.clamp(min=0), (planes > OUTSIDE_BELOW) & (depth > 1e-3)


def _opencv_intrinsics(view: TrainingView) -> Float64[Tensor, "3 3"]:
    """Intrinsics for pixel centres at whole numbers."""
    matrix = intrinsic_matrix(view.camera).double()
    matrix[:2, 2] -= 0.5
    return matrix


def _sweep_planes(view: TrainingView, others: Sequence[TrainingView], settings: StereoSettings) -> DepthMap:
    """Take the inverse depth whose correlation, averaged over the better half of the neighbours, is best."""
    reference = _grey(view)[None]
    scores = []
    for other in others:
        warped, inside = _warp_to_planes(view, other, settings)
        scores.append(torch.where(inside, _correlation(reference, warped), torch.full_like(warped, -1.0)))
    better_half = _mean_of_best(scores, (len(scores) + 1) // 2)
    best, plane = better_half.max(dim=0)
    is_interior = (plane > 0) & (plane < settings.num_planes - 1)
    middle = plane.clamp(1, settings.num_planes - 2)[None]
    before, after = better_half.gather(0, middle - 1)[0], better_half.gather(0, middle + 1)[0]
    curvature = (before - 2 * best + after).clamp(max=-1e-6)
    shift = (0.5 * (before - after) / curvature).clamp(-0.5, 0.5)
    inverse_depths = _inverse_depths(settings)
    step = inverse_depths[1] - inverse_depths[0]
    inverse_depth = inverse_depths[plane] + torch.where(is_interior, shift, torch.zeros_like(shift)) * step
    has_texture = (_box(reference**2, 9) - _box(reference, 9) ** 2)[0] > 1e-4
    return DepthMap(view, 1 / inverse_depth, is_interior & (best > settings.min_correlation) & has_texture)


def _mean_of_best(scores: Sequence[Float32[Tensor, "d h w"]], count: int) -> Float32[Tensor, "d h w"]:
    """Mean of the `count` largest at each place: the largest sum of any so many, since there are few."""
    best = sum(scores[:count], torch.zeros(()))
    for some in itertools.combinations(scores, count):
        best = torch.maximum(best, sum(some, torch.zeros(())))
    return best / count


def _back_project(depth_map: DepthMap) -> Float32[Tensor, "h w 3"]:
    points_camera = _rays(depth_map.view) * depth_map.depth_m[..., None]
    flat = transform_points(depth_map.view.world_from_camera, points_camera.reshape(-1, 3))
    return flat.reshape(points_camera.shape)


def _count_agreement(depth_map: DepthMap, others: Sequence[DepthMap]) -> Tensor:
    """How many other views have, where they see a point, a sure depth within 5 % of its own."""
    points = _back_project(depth_map).reshape(-1, 3)
    count = torch.zeros(len(points), dtype=torch.int64)
    for other in others:
        pixels, depth_m = project(points, other.view)
        column = pixels[:, 0].long().clamp(0, other.view.camera.width_px - 1)
        row = pixels[:, 1].long().clamp(0, other.view.camera.height_px - 1)
        is_inside = (pixels[:, 0].long() == column) & (pixels[:, 1].long() == row) & (depth_m > 0)
        agrees = (other.depth_m[row, column] / depth_m - 1).abs() < 0.05
        count += (is_inside & agrees & other.is_sure[row, column]).long()
    return count.reshape(depth_map.depth_m.shape)
