"""What the source views say about each row: 2D residuals lifted to 3D by rendering and back-propagation (G3R, section 3.2).

Beside the gradient g of the squared error this gives its curvature: the diagonal of J^T J, estimated without bias by one
more back-propagation per view, of a random sign for every pixel and channel (Hutchinson 1990). g / curvature is a step in
the row's own units whatever the number of pixels and views; the paper's division by the largest gradient of all rows
leaves most of them near zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from gs_sim.reconstruction.g3r.state import GROUPS, OPACITY, plain_rows
from gs_sim.reconstruction.trainable import Trainable, gaussians_of, place_moving
from gs_sim.reconstruction.views import TrainingView, rasterizer_views
from gs_sim.rendering.rasterize import Rendering, rasterize
from gs_sim.scene.scene import Scene

PoseOf = Callable[[TrainingView], Float64[Tensor, "4 4"]]
"""Gives `world_from_camera` of a view; it may be differentiable."""


@dataclass(frozen=True)
class Lifted:
    """Sums over the views of a batch."""

    gradient: Float32[Tensor, "n 14"]
    """Of half the squared error of all pixels and channels, colours in [0, 1]."""
    squared: Float32[Tensor, "n 5"]
    """Squared gradient of each view, summed over views and the channels of a group: large where views disagree."""
    curvature: Float32[Tensor, "n 14"]
    """Estimate of diag(J^T J)."""
    seen: Float32[Tensor, "n"]
    """Share of the views that the row shows up in."""
    errors: tuple[float, ...]
    """Mean squared error of each view."""


def lift(
    decoded: Float32[Tensor, "n 14"],
    layout: Trainable,
    scene: Scene,
    views: Sequence[TrainingView],
    generator: torch.Generator,
    *,
    with_curvature: bool = True,
) -> Lifted:
    """Render the views, back-propagate what differs, and sum it up for each row; rows that are not finite get zeros."""
    leaf = decoded.detach().clone().requires_grad_(True)
    gradient, curvature = torch.zeros_like(leaf), torch.zeros_like(leaf)
    squared, seen = leaf.new_zeros(len(leaf), len(GROUPS)), leaf.new_zeros(len(leaf))
    errors = []
    for view in views:
        residual = render_rows(leaf, layout, scene, view).colour - target_of(view, leaf.device)
        errors.append(float(residual.detach().square().mean()))
        (own,) = torch.autograd.grad(0.5 * residual.square().sum(), leaf, retain_graph=with_curvature)
        own = own.nan_to_num(0.0, 0.0, 0.0)
        gradient += own
        squared += torch.stack([own[:, group].square().sum(dim=1) for group in GROUPS], dim=1)
        seen += (own[:, OPACITY.start] != 0).float() / len(views)
        if with_curvature:
            signs = torch.randint(0, 2, residual.shape, generator=generator).to(residual) * 2 - 1
            (probe,) = torch.autograd.grad((residual * signs).sum(), leaf)
            curvature += probe.nan_to_num(0.0, 0.0, 0.0).square()
    return Lifted(gradient, squared, curvature, seen, tuple(errors))


def render_rows(
    decoded: Float32[Tensor, "n 14"],
    layout: Trainable,
    scene: Scene,
    view: TrainingView,
    world_from_camera: Float64[Tensor, "4 4"] | None = None,
) -> Rendering:
    """Draw decoded rows as a view saw them, moving actors where they were then; differentiable."""
    rows = plain_rows(decoded, layout)
    gaussians = place_moving(gaussians_of(rows, 0), rows, scene, view.stamp_ns)
    pose = view.world_from_camera if world_from_camera is None else world_from_camera
    return rasterize(gaussians, rasterizer_views(view, pose, decoded.device))


def target_of(view: TrainingView, device: torch.device) -> Float32[Tensor, "1 h w 3"]:
    """The image of a view in [0, 1]."""
    return view.rgb.to(device)[None].float() / 255
