"""Per-scene optimisation of every Gaussian by rendering the training views (Kerbl et al. 2023).

This is the baseline that learned refinement must beat.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.config import Range, check_ranges
from gs_sim.geometry.pose import inverse
from gs_sim.reconstruction.densify import DensifySettings, ScreenGradients, densify, prune
from gs_sim.reconstruction.losses import depth_loss, l1_loss, ssim_loss
from gs_sim.reconstruction.refine_poses import (
    PoseKnots,
    PoseSettings,
    corrections_at,
    knots_over,
    refined_trajectory,
    roughness,
)
from gs_sim.reconstruction.trainable import (
    LEAVES,
    Trainable,
    claim_parked,
    gaussians_at_view,
    scene_of,
    trainable_from,
)
from gs_sim.reconstruction.views import TrainingView, dense_depth, rasterizer_views
from gs_sim.rendering.rasterize import Rendering, rasterize
from gs_sim.scene.scene import Scene


@dataclass(frozen=True)
class OptimiseSettings:
    """What is optimised, for how long and how strongly."""

    steps: Annotated[int, Range(1, 10_000_000)] = 6000
    """Renderings of one training view each; more is better and slower. Ignored where a budget is set."""
    budget_s: Annotated[float, Range(0, 1_000_000)] = 0.0
    """Wall time of the refining loop in seconds; 0 lets `steps` decide."""
    sh_degree: Annotated[int, Range(0, 3)] = 1
    """Degree of the spherical harmonics, 0 (no view dependence) to 3."""
    ssim_weight: Annotated[float, Range(0, 1)] = 0.2
    """Share of the SSIM loss beside L1."""
    depth_weight: float = 0.05
    """Weight of the LiDAR depth loss; 0 leaves it out."""
    opacity_weight: float = 0.05
    """Pull of all opacities to zero, which removes what no view needs."""
    offset_rate_px: float = 0.6
    """Learning rate of centres, in pixels; falls to 1/30 over the optimisation, as all rates fall to 1/5."""
    scale_rate: float = 0.03
    """Learning rate of log scales."""
    quaternion_rate: float = 0.005
    """Learning rate of quaternions."""
    opacity_rate: float = 0.1
    """Learning rate of opacity logits."""
    colour_rate: float = 0.03
    """Learning rate of the base colour; higher harmonics learn 20 times slower."""
    densify: DensifySettings = field(default_factory=DensifySettings)
    poses: PoseSettings = field(default_factory=PoseSettings)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Step:
    """What is known after one step of the loop."""

    number: int
    fraction_done: float
    psnr_db: float
    """Running mean over recent training views."""
    num_gaussians: int
    snapshot: Callable[[], Scene]
    """Makes the scene as it stands; costs a copy."""


class Optimisation:
    """The optimiser loop: owns leaf tensors, Adam state and pose knots. Iterate over `run`, then call `scene`."""

    def __init__(
        self,
        scene: Scene,
        views: Sequence[TrainingView],
        settings: OptimiseSettings,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self._scene, self._views, self._settings, self._generator = scene, views, settings, generator
        self._device = device
        self._depths = [dense_depth(view).to(device) for view in views]
        self._targets = [view.rgb.to(device) for view in views]
        centres = torch.stack([view.world_from_camera[:3, 3] for view in views]).float()
        self.trainable = trainable_from(scene, centres, views[0].camera.fx, settings.sh_degree).to(device)
        self.knots = knots_over(views[0].stamp_ns, views[-1].stamp_ns, settings.poses)
        self._optimiser = _adam(self.trainable, self.knots, settings)
        self._first_rates = [group["lr"] for group in self._optimiser.param_groups]
        self._gradients = ScreenGradients(len(self.trainable), self._device)
        self._squared_error = 0.0

    def run(self, max_gaussians: int, clock: Callable[[], float]) -> Iterator[Step]:
        """Optimise for `steps`, or as long as the budget lasts; yields after each step."""
        start_s, budget_s = clock(), self._settings.budget_s
        order: list[int] = []
        done = 0.0
        for number in itertools.count(1):
            self._set_rates(done)
            order = order or torch.randperm(len(self._views), generator=self._generator).tolist()
            self._step(order.pop(), done)
            if number % self._settings.densify.every_steps == 0:
                self._adapt(max_gaussians, done)
            done = (clock() - start_s) / budget_s if budget_s > 0 else number / self._settings.steps
            psnr_db = -10 * math.log10(max(self._squared_error, 1e-10))
            num_gaussians = len(self.trainable) + self._scene.num_backdrop
            yield Step(number, min(1.0, done), psnr_db, num_gaussians, self.scene)
            if done >= 1:
                return

    def scene(self) -> Scene:
        """The scene as it stands, on the corrected path."""
        stamps_ns = torch.tensor(sorted({view.stamp_ns for view in self._views}), dtype=torch.int64)
        path = refined_trajectory(self._scene.world_from_rig, self.knots, stamps_ns, 1_000_000_000)
        claim_parked(self.trainable, self._scene)
        return replace(scene_of(self.trainable, self._scene), world_from_rig=path)

    def _step(self, index: int, done: float) -> None:
        view = self._views[index]
        gaussians = gaussians_at_view(self.trainable, self._scene, view.stamp_ns, self._active_degree(done))
        shift_px = torch.zeros(1, len(gaussians), 2, requires_grad=True, device=self._device)
        correction = corrections_at(self.knots, torch.tensor([view.stamp_ns]))[0]
        rig_from_camera = self._scene.rig.camera(view.camera_name).rig_from_camera
        world_from_rig = view.world_from_camera @ inverse(rig_from_camera)
        world_from_camera = world_from_rig @ correction @ rig_from_camera
        rendering = rasterize(
            gaussians, rasterizer_views(view, world_from_camera, self._device), screen_offsets=shift_px
        )
        loss = self._loss(rendering, index)
        loss.backward()
        assert shift_px.grad is not None
        num_rows = len(self.trainable)
        self._gradients.add(shift_px.grad[:, :num_rows], rendering.radii_px[:, :num_rows])
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

    def _loss(self, rendering: Rendering, index: int) -> Float32[Tensor, ""]:
        settings = self._settings
        colour = rendering.colour
        target = self._targets[index][None].float() / 255
        loss = (1 - settings.ssim_weight) * l1_loss(colour, target)
        if settings.ssim_weight > 0:
            loss = loss + settings.ssim_weight * ssim_loss(colour, target)
        if settings.depth_weight > 0:
            lidar = self._depths[index]
            loss = loss + settings.depth_weight * depth_loss(rendering.depth_m, lidar, lidar > 0)
        if settings.opacity_weight > 0:
            loss = loss + settings.opacity_weight * self.trainable.opacity_logits.sigmoid().mean()
        loss = loss + settings.poses.smoothness * roughness(self.knots)
        error = float(((colour.detach().clamp(0, 1) - target) ** 2).mean())
        self._squared_error = error if self._squared_error == 0 else 0.97 * self._squared_error + 0.03 * error
        return loss

    def _active_degree(self, done: float) -> int:
        """Higher harmonics join one by one over the first third."""
        return min(self._settings.sh_degree, int(done * 3 * (self._settings.sh_degree + 1)))

    def _set_rates(self, done: float) -> None:
        for group, first in zip(self._optimiser.param_groups, self._first_rates, strict=True):
            last = 1 / 30 if group["name"] == "offsets_px" else 1 / 5
            group["lr"] = first * last ** min(1.0, done)

    def _adapt(self, max_gaussians: int, done: float) -> None:
        settings = self._settings.densify
        if settings.from_fraction <= done <= settings.until_fraction:
            room = max_gaussians - len(self.trainable) - self._scene.num_backdrop
            densify(self.trainable, self._optimiser, self._gradients, room, settings)
        prune(self.trainable, self._optimiser, settings)
        claim_parked(self.trainable, self._scene)
        self._gradients = ScreenGradients(len(self.trainable), self._device)


def _adam(trainable: Trainable, knots: PoseKnots, settings: OptimiseSettings) -> torch.optim.Optimizer:
    rates = {
        "offsets_px": settings.offset_rate_px,
        "log_scales": settings.scale_rate,
        "quaternions": settings.quaternion_rate,
        "opacity_logits": settings.opacity_rate,
        "sh_base": settings.colour_rate,
        "sh_rest": settings.colour_rate / 20,
    }
    groups = []
    for name in LEAVES:
        leaf = getattr(trainable, name).requires_grad_(True)
        groups.append({"params": [leaf], "lr": rates[name], "name": name})
    if settings.poses.learning_rate > 0:
        groups.append(
            {"params": [knots.twists.requires_grad_(True)], "lr": settings.poses.learning_rate, "name": "poses"}
        )
    return torch.optim.Adam(groups, eps=1e-15, fused=True)
