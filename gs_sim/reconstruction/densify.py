"""Where Gaussians are added and removed while optimising (adaptive density control, Kerbl et al. 2023, 5.2).

The delicate part, editing leaf tensors together with their Adam state, is written once in `keep_and_append`.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from gs_sim.errors import ConfigError
from gs_sim.geometry.pose import rotation_from_quaternion
from gs_sim.reconstruction.trainable import LEAVES, Trainable


@dataclass(frozen=True)
class DensifySettings:
    """When and how much to densify."""

    every_steps: int = 150
    """Steps between two rounds."""
    from_fraction: float = 0.04
    """Part of the whole optimisation before the first round."""
    until_fraction: float = 0.6
    """Part of the whole optimisation after which only pruning goes on."""
    grow_fraction: float = 0.04
    """At most this share of the Gaussians is added in a round, those with the largest screen gradients."""
    min_gradient: float = 2e-6
    """Mean screen-space gradient (loss per pixel of shift) below which a Gaussian is left alone."""
    split_above_px: float = 2.5
    """Wider Gaussians are split in two, narrower ones cloned."""
    prune_opacity: float = 0.01
    """Fainter Gaussians are removed."""

    def __post_init__(self) -> None:
        if self.every_steps < 1:
            raise ConfigError(f"densify.every_steps must be at least 1, got {self.every_steps}")
        if not 0 <= self.from_fraction <= self.until_fraction <= 1:
            raise ConfigError("densify needs 0 <= from_fraction <= until_fraction <= 1")


class ScreenGradients:
    """Running mean of how strongly each Gaussian is pulled across the screen."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.total = torch.zeros(count, device=device)
        self.views = torch.zeros(count, device=device)

    def add(self, gradient: Float32[Tensor, "1 n 2"], radii_px: Float32[Tensor, "1 n"]) -> None:
        """Count one rendering."""
        is_drawn = (radii_px[0] > 0).float()
        self.total += gradient[0].norm(dim=-1) * is_drawn
        self.views += is_drawn

    def mean(self) -> Float32[Tensor, "n"]:
        """Mean gradient over the renderings that drew each Gaussian; 0 where none did."""
        return self.total / self.views.clamp(min=1)


def densify(
    trainable: Trainable,
    optimiser: torch.optim.Optimizer,
    gradients: ScreenGradients,
    room: int,
    settings: DensifySettings,
) -> int:
    """Clone or split the most pulled Gaussians, at most `room` of them; returns how many were added."""
    pull = gradients.mean()
    most = min(room, int(len(trainable) * settings.grow_fraction), int((pull > settings.min_gradient).sum()))
    if most <= 0:
        return 0
    chosen = pull.topk(most).indices
    with torch.no_grad():
        axis = trainable.log_scales[chosen].argmax(dim=-1)
        width_px = trainable.log_scales[chosen].exp().amax(dim=-1) / trainable.pixel_m[chosen]
        is_wide = width_px > settings.split_above_px
        rotation = rotation_from_quaternion(trainable.quaternions[chosen])
        along = rotation[torch.arange(most, device=axis.device), :, axis] * width_px[:, None]
        # A wide one becomes two halves along its longest axis. Copies of a narrow one share an opacity that
        # together equals the old one (Rota Bulo et al. 2024) and part a little, or their gradients stay equal.
        trainable.log_scales[chosen[is_wide], axis[is_wide]] -= math.log(1.6)
        opacity = trainable.opacity_logits[chosen].sigmoid()
        shared = (1 - (1 - opacity).sqrt()).clamp(1e-4, 0.9999).logit()
        trainable.opacity_logits[chosen] = torch.where(is_wide, trainable.opacity_logits[chosen], shared)
    keep_and_append(trainable, optimiser, torch.ones_like(pull, dtype=torch.bool), chosen)
    with torch.no_grad():
        shift_px = along * torch.where(is_wide, 0.5, 0.2)[:, None]
        trainable.offsets_px[chosen] += shift_px
        trainable.offsets_px[-most:] -= shift_px
    return most


def prune(trainable: Trainable, optimiser: torch.optim.Optimizer, settings: DensifySettings) -> int:
    """Remove faint and non-finite Gaussians; returns how many."""
    with torch.no_grad():
        leaves = [getattr(trainable, name) for name in LEAVES]
        is_finite = torch.stack([leaf.reshape(len(leaf), -1).isfinite().all(dim=-1) for leaf in leaves]).all(dim=0)
        keep = is_finite & (trainable.opacity_logits.sigmoid() > settings.prune_opacity)
    removed = int((~keep).sum())
    if removed:
        keep_and_append(trainable, optimiser, keep, keep.new_zeros(0, dtype=torch.int64))
    return removed


def keep_and_append(
    trainable: Trainable,
    optimiser: torch.optim.Optimizer,
    keep: Bool[Tensor, "n"],
    copy_index: Int64[Tensor, "m"],
) -> int:
    """Keep rows under a mask and append copies of others, in tensors and Adam state alike; new state is zero."""
    copied = {name: getattr(trainable, name)[copy_index] for name in ("anchors", "pixel_m", "segment")}
    for name, rows in copied.items():
        setattr(trainable, name, torch.cat([getattr(trainable, name)[keep], rows]))
    for group in optimiser.param_groups:
        name = group["name"]
        if name not in LEAVES:
            continue
        old = group["params"][0]
        new = torch.cat([old.detach()[keep], old.detach()[copy_index]]).requires_grad_(True)
        state = optimiser.state.pop(old, None)
        if state:
            for moment in ("exp_avg", "exp_avg_sq"):
                fresh = torch.zeros_like(old.detach()[copy_index])
                state[moment] = torch.cat([state[moment][keep], fresh])
            optimiser.state[new] = state
        group["params"][0] = new
        setattr(trainable, name, new)
    return len(copy_index)
