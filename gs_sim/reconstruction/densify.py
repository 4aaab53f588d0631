"""Where Gaussians are added and removed while optimising (adaptive density control, Kerbl et al. 2023, 5.2).

The delicate part, editing leaf tensors together with their Adam state, is written once in `keep_and_append`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from gs_sim.errors import ConfigError
from gs_sim.geometry.pose import rotation_from_quaternion
from gs_sim.reconstruction.trainable import DISTANT, LEAVES, Trainable


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
    generator: torch.Generator,
) -> int:
    """Clone or split the most pulled Gaussians, at most `room` of them; returns how many were added."""
    pull = gradients.mean()
    pull = torch.where(trainable.segment == DISTANT, pull * 0.5, pull)
    most = min(room, int(len(trainable) * settings.grow_fraction))
    most = min(most, int((pull > settings.min_gradient).sum()))
    if most <= 0:
        return 0
    chosen = pull.topk(most).indices
    with torch.no_grad():
        width_px = trainable.log_scales[chosen].exp().amax(dim=-1) / trainable.pixel_m[chosen]
        is_wide = width_px > settings.split_above_px
        _halve(trainable, chosen[is_wide])
        offsets = _spread(trainable, chosen, generator)
    added = keep_and_append(trainable, optimiser, torch.ones_like(pull, dtype=torch.bool), chosen)
    with torch.no_grad():
        copies = torch.arange(len(trainable) - added, len(trainable), device=chosen.device)
        wide_old, wide_new = chosen[is_wide], copies[is_wide]
        trainable.offsets_px[wide_old] += offsets[is_wide]
        trainable.offsets_px[wide_new] -= offsets[is_wide]
        narrow_old, narrow_new = chosen[~is_wide], copies[~is_wide]
        # Two copies of one Gaussian with the opacity that together equals the old one (Rota Bulo et al. 2024).
        opacity = trainable.opacity_logits[narrow_old].sigmoid()
        shared = (1 - (1 - opacity).sqrt()).clamp(1e-4, 0.9999).logit()
        trainable.opacity_logits[narrow_old] = shared
        trainable.opacity_logits[narrow_new] = shared
        trainable.offsets_px[narrow_new] += 0.3 * offsets[~is_wide]
    return added


def prune(trainable: Trainable, optimiser: torch.optim.Optimizer, settings: DensifySettings) -> int:
    """Remove faint and non-finite Gaussians; returns how many."""
    with torch.no_grad():
        is_finite = torch.stack(
            [
                getattr(trainable, n).flatten(1).isfinite().all(1)
                if getattr(trainable, n).dim() > 1
                else getattr(trainable, n).isfinite()
                for n in LEAVES
            ]
        ).all(dim=0)
        keep = is_finite & (trainable.opacity_logits.sigmoid() > settings.prune_opacity)
    removed = int((~keep).sum())
    if removed:
        keep_and_append(trainable, optimiser, keep, keep.new_zeros(0, dtype=torch.int64))
    return removed


def _halve(trainable: Trainable, index: Int64[Tensor, "m"]) -> None:
    """Shrink Gaussians along their longest axis, as their two halves will be."""
    axis = trainable.log_scales[index].argmax(dim=-1)
    trainable.log_scales[index, axis] -= 0.69


def _spread(trainable: Trainable, index: Int64[Tensor, "m"], generator: torch.Generator) -> Float32[Tensor, "m 3"]:
    """A random shift for each pair, one standard deviation of its shape, in pixels."""
    noise = torch.randn(len(index), 3, generator=generator).to(index.device) * trainable.log_scales[index].exp()
    rotated = torch.einsum("nij,nj->ni", rotation_from_quaternion(trainable.quaternions[index]), noise)
    return rotated / trainable.pixel_m[index, None]


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
