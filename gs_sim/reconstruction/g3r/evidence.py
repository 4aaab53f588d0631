"""What a row has heard so far, and how a network is told: lifted gradients over steps, in units that fit every scene."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.reconstruction.g3r.lift import Lifted
from gs_sim.reconstruction.g3r.state import COLOUR, GROUPS, NUM_EXPLICIT, OFFSET, REACH, SCALE, TURN

MOMENTUM, CURVATURE_MEMORY = 0.7, 0.85
"""How much of the gradients and of the curvature of earlier steps is kept at each step."""
DAMPING = 0.5
"""Curvature added to each row's own, as a share of the mean over all rows (Levenberg-Marquardt)."""
NUM_FEATURES = 3 * NUM_EXPLICIT + 2 * len(GROUPS) + 1
"""Channels of `features_of`; the latent ones come on top."""


@dataclass(frozen=True)
class Evidence:
    """Fading sums over the steps so far."""

    fresh: Lifted
    """Of the last step alone."""
    gradient: Float32[Tensor, "n 14"]
    curvature: Float32[Tensor, "n 14"]
    weight: float
    """What the fading curvature sums up to for a curvature of one at each step."""


def gather_evidence(earlier: Evidence | None, lifted: Lifted, *, with_curvature: bool = True) -> Evidence:
    """Add one step's gradients; without its curvature the earlier one stands."""
    if earlier is None:
        return Evidence(lifted, lifted.gradient, lifted.curvature, 1.0)
    gradient = MOMENTUM * earlier.gradient + lifted.gradient
    if not with_curvature:
        return Evidence(lifted, gradient, earlier.curvature, earlier.weight)
    curvature = CURVATURE_MEMORY * earlier.curvature + lifted.curvature
    return Evidence(lifted, gradient, curvature, CURVATURE_MEMORY * earlier.weight + 1)


def newton_steps(evidence: Evidence) -> tuple[Float32[Tensor, "n 14"], Float32[Tensor, "n 14"]]:
    """Gradient over damped curvature, of the last step and of all with momentum, in units of each channel's reach."""
    curvature = _shared_by_group(evidence.curvature / evidence.weight)
    seen = (curvature > 0).float()
    mean = (curvature * seen).sum(dim=0) / seen.sum(dim=0).clamp(min=1)
    scale = (curvature + DAMPING * mean).clamp(min=1e-12) * curvature.new_tensor(REACH)
    return evidence.fresh.gradient / scale, evidence.gradient / scale


def features_of(
    explicit: Float32[Tensor, "n 14"],
    evidence: Evidence,
    steps: tuple[Float32[Tensor, "n 14"], Float32[Tensor, "n 14"]],
) -> Float32[Tensor, "n f"]:
    """State and evidence as a network reads them; every channel is of the order of one."""
    fresh, smooth = steps
    curvature = _by_group(evidence.curvature)
    mean = curvature.mean(dim=0).clamp(min=1e-20)
    agreement = _by_group(evidence.fresh.gradient.square()) / _squared_mean(evidence.fresh)
    return torch.cat(
        [
            explicit * explicit.new_tensor(_EXPLICIT_UNITS),
            _squash(fresh),
            _squash((1 - MOMENTUM) * smooth),
            0.5 * torch.log10(curvature / mean + 1e-4),
            agreement.clamp(0, 1),
            evidence.fresh.seen[:, None],
        ],
        dim=1,
    )


_EXPLICIT_UNITS = (0.5,) * 3 + (0.5,) * 3 + (1.0,) * 4 + (0.5,) * 3 + (0.3,)


def _squash(values: Tensor) -> Tensor:
    return values / (1 + values.abs())


def _shared_by_group(curvature: Float32[Tensor, "n 14"]) -> Float32[Tensor, "n 14"]:
    """Channels of a group share half of their curvature: one probe per view is a rough estimate."""
    shared = curvature.clone()
    for group, own in ((OFFSET, 0.5), (SCALE, 0.5), (TURN, 0.5), (COLOUR, 0.0)):
        shared[:, group] = own * curvature[:, group] + (1 - own) * curvature[:, group].mean(dim=1, keepdim=True)
    return shared


def _by_group(channels: Float32[Tensor, "n 14"]) -> Float32[Tensor, "n 5"]:
    return torch.stack([channels[:, group].mean(dim=1) for group in GROUPS], dim=1)


def _squared_mean(fresh: Lifted) -> Float32[Tensor, "n 5"]:
    """What the squared sum of gradients would be if all views that see a row agreed."""
    sizes = fresh.squared.new_tensor([group.stop - group.start for group in GROUPS])
    views = (fresh.seen * len(fresh.errors)).clamp(min=1)[:, None]
    return fresh.squared * views / sizes + 1e-20
