"""A first scene of the tiny world that is worth refining, and the views it may be refined from."""

from dataclasses import dataclass, replace

import torch

from gs_sim.reconstruction.g3r.networks import NetworkSettings
from gs_sim.reconstruction.trainable import Trainable, trainable_from
from gs_sim.reconstruction.views import TrainingView
from gs_sim.rendering.render import render
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.scene import Scene

SMALL = NetworkSettings(num_latent=6, width=12, unet_widths=(8, 12), voxel_m=1.0, actor_voxel_m=0.5, direction_deg=10.0)


@dataclass(frozen=True)
class Start:
    """Where a refinement starts."""

    scene: Scene
    views: tuple[TrainingView, ...]
    layout: Trainable


def start_of(scene: Scene, views: tuple[TrainingView, ...]) -> Start:
    centres = torch.stack([view.world_from_camera[:3, 3] for view in views]).float()
    return Start(scene, views, trainable_from(scene, centres, views[0].camera.fx, 0))


def shaken(gaussians: Gaussians, seed: int) -> Gaussians:
    """Colours, opacities and centres a little off."""
    generator = torch.Generator().manual_seed(seed)

    def noise(like: torch.Tensor, size: float) -> torch.Tensor:
        return size * torch.randn(like.shape, generator=generator)

    return replace(
        gaussians,
        means=gaussians.means + noise(gaussians.means, 0.03),
        sh=gaussians.sh + noise(gaussians.sh, 0.6),
        opacity_logits=gaussians.opacity_logits - 3.0,
    )


def error(scene: Scene, start: Start) -> float:
    """Mean squared error over all source views."""
    total = 0.0
    for view in start.views:
        seen = render(scene, view.camera, view.world_from_camera, view.stamp_ns).colour[0]
        total += float((seen - view.rgb.float() / 255).square().mean()) / len(start.views)
    return total
