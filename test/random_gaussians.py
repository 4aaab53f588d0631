"""Random Gaussians and views for the rasterizers' tests, and the comparison of a rasterizer with the oracle."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from rasterizer_torch import rasterize_torch
from torch import Tensor

from gs_sim.rendering.rasterize import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

Rasterizer = Callable[[Gaussians, Views, Tensor], Rendering]
PARAMETERS = [field.name for field in fields(Gaussians)]


def random_gaussians(num: int, degree: int, seed: int, mean_logit: float = 0.0) -> Gaussians:
    """Around and behind the camera, of sizes from below a pixel to beyond the image."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Gaussians(
        means=normal(num, 3) * torch.tensor([3.0, 2.0, 3.0]) + torch.tensor([0.0, 0.0, 4.0]),
        log_scales=normal(num, 3) * 0.7 - 1.5,
        quaternions=normal(num, 4),
        opacity_logits=normal(num) * 2 + mean_logit,
        sh=normal(num, (degree + 1) ** 2, 3) * 0.3,
    )


def random_views(num: int, seed: int, size_hw: tuple[int, int] = (39, 53)) -> Views:
    """Views of one small image size, not a multiple of a tile, from near the origin along z."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size_hw
    poses = torch.eye(4).repeat(num, 1, 1)
    for pose in poses:
        rotation, _ = torch.linalg.qr(torch.eye(3) + 0.1 * torch.randn(3, 3, generator=generator))
        pose[:3, :3] = rotation * torch.diagonal(rotation).sign()
        pose[:3, 3] = 0.3 * torch.randn(3, generator=generator)
    intrinsics = torch.tensor([[45.0, 0.0, width / 2 + 1], [0.0, 47.0, height / 2 - 2], [0.0, 0.0, 1.0]])
    return Views(intrinsics.repeat(num, 1, 1), poses, width, height)


@dataclass(frozen=True)
class Differentiated:
    """A rendering and the gradients of a random linear function of it."""

    rendering: Rendering
    gradients: dict[str, Tensor]
    """By parameter; `camera_from_world` and `screen_offsets` too."""


def differentiate(
    rasterizer: Rasterizer, gaussians: Gaussians, views: Views, dtype: torch.dtype = torch.float32
) -> Differentiated:
    """Render, and take the gradient with respect to everything."""
    inputs = {name: getattr(gaussians, name).to(dtype).clone().requires_grad_() for name in PARAMETERS}
    pose = views.camera_from_world.to(dtype).clone().requires_grad_()
    offsets = pose.new_zeros(len(pose), len(gaussians), 2).requires_grad_()
    seen = Views(views.intrinsics.to(dtype), pose, views.width_px, views.height_px)
    rendering = rasterizer(Gaussians(**inputs), seen, offsets)
    generator = torch.Generator().manual_seed(1)
    loss = pose.new_zeros(())
    for image in (rendering.colour, rendering.depth_m, rendering.opacity):
        loss = loss + (image * torch.randn(image.shape, generator=generator).to(image)).sum()
    inputs |= {"camera_from_world": pose, "screen_offsets": offsets}
    return Differentiated(rendering, dict(zip(inputs, torch.autograd.grad(loss, list(inputs.values())), strict=True)))


def assert_like_the_oracle(rasterizer: Rasterizer, gaussians: Gaussians, views: Views, tolerance: float = 3e-5) -> None:
    """Compare images and gradients with the oracle's in float64; gradients relative to the largest of their kind."""
    found = differentiate(rasterizer, gaussians, views)
    expected = differentiate(rasterize_torch, to_cpu(gaussians), views_to_cpu(views), torch.float64)
    for name in ("colour", "depth_m", "opacity"):
        image, truth = getattr(found.rendering, name).cpu().double(), getattr(expected.rendering, name)
        difference = (image - truth).abs() - tolerance * truth.abs()
        assert difference.max() <= tolerance, f"{name} is off by {difference.max()}"
    for name, truth in expected.gradients.items():
        difference = (found.gradients[name].cpu().double() - truth).abs().max()
        assert difference <= tolerance * truth.abs().max().clamp_min(1e-12), (
            f"gradient of {name} is off by {difference}"
        )
    radii, least = found.rendering.radii_px.cpu(), expected.rendering.radii_px
    assert (radii[least > 0] >= least[least > 0] - 1).all(), "a Gaussian that is seen has too small a radius"


def to_cpu(gaussians: Gaussians) -> Gaussians:
    return gaussians.to("cpu")


def views_to_cpu(views: Views) -> Views:
    return Views(views.intrinsics.cpu(), views.camera_from_world.cpu(), views.width_px, views.height_px)
