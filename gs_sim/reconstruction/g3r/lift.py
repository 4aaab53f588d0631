"""What a source view says about each row: 2D residuals lifted to 3D by rendering and back-propagation (G3R, section 3.2).

Beside the gradient g of the squared error this gives its curvature: the diagonal of J^T J, estimated without bias by one
more back-propagation, of a random sign for every pixel and channel (Hutchinson 1990). g / curvature is a step in the
row's own units whatever the number of pixels; the paper's division by the largest gradient of all rows leaves most of
them near zero.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.reconstruction.g3r.state import plain_rows
from gs_sim.reconstruction.trainable import Trainable, gaussians_at_view
from gs_sim.reconstruction.views import TrainingView, rasterizer_views
from gs_sim.rendering.rasterize import Rendering, rasterize
from gs_sim.scene.scene import Scene


@dataclass(frozen=True)
class Lifted:
    """What one view says."""

    gradient: Float32[Tensor, "n 14"]
    """Of half the squared error of all pixels and channels, colours in [0, 1]; zero for rows the view does not see."""
    curvature: Float32[Tensor, "n 14"] | None
    """Estimate of diag(J^T J), where it was asked for."""
    error: float
    """Mean squared error of the view."""


def lift(
    decoded: Float32[Tensor, "n 14"],
    layout: Trainable,
    scene: Scene,
    view: TrainingView,
    probe: torch.Generator | None = None,
) -> Lifted:
    """Render a view, back-propagate what differs; rows whose gradient is not finite get zeros.

    With a generator to draw signs from, the curvature is probed too.
    """
    with torch.enable_grad():
        leaf = decoded.detach().clone().requires_grad_(True)
        residual = residual_of(leaf, layout, scene, view)
        loss = 0.5 * residual.square().sum()
        (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=probe is not None)
        curvature = None
        if probe is not None:
            signs = torch.randint(0, 2, residual.shape, generator=probe).to(residual) * 2 - 1
            (probed,) = torch.autograd.grad((residual * signs).sum(), leaf)
            curvature = probed.nan_to_num(0.0, 0.0, 0.0).square()
    error = 2 * float(loss.detach()) / residual.numel()
    return Lifted(gradient.nan_to_num(0.0, 0.0, 0.0), curvature, error)


def residual_of(
    decoded: Float32[Tensor, "n 14"], layout: Trainable, scene: Scene, view: TrainingView
) -> Float32[Tensor, "1 h w 3"]:
    """What decoded rows show more than a view saw; differentiable."""
    return render_rows(decoded, layout, scene, view).colour - target_of(view, decoded.device)


def render_rows(decoded: Float32[Tensor, "n 14"], layout: Trainable, scene: Scene, view: TrainingView) -> Rendering:
    """Draw decoded rows as a view saw them, moving actors where they were then; differentiable."""
    rows = plain_rows(decoded, layout)
    gaussians = gaussians_at_view(rows, scene, view.stamp_ns, 0)
    return rasterize(gaussians, rasterizer_views(view, view.world_from_camera, decoded.device))


def target_of(view: TrainingView, device: torch.device) -> Float32[Tensor, "1 h w 3"]:
    """The image of a view in [0, 1]."""
    return view.rgb.to(device)[None].float() / 255
