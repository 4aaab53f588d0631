"""What rows have heard so far, and how a network is told: lifted gradients in units that fit every scene."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.reconstruction.g3r.lift import Lifted
from gs_sim.reconstruction.g3r.state import COLOUR, GROUPS, NUM_EXPLICIT, OFFSET, OPACITY, REACH, SCALE, TURN

GRADIENT_MEMORY, CURVATURE_MEMORY = 0.7, 0.85
"""How much of the gradients and of the curvature of earlier steps is kept at each step."""
DAMPING = 1.0
"""Curvature added to each row's own, as a share of the mean over all rows (Levenberg-Marquardt)."""
NOISE = 1e-5
"""Channels whose mean is below this share of the largest one have nothing to say."""
NUM_FEATURES = 3 * NUM_EXPLICIT + 2 * len(GROUPS) + 1
"""Channels of `features_of`; the latent ones come on top."""


@dataclass(frozen=True)
class Evidence:
    """Sums over views: of the last step (`fresh`), or of all steps so far, fading."""

    gradient: Float32[Tensor, "n 14"]
    """Fading."""
    curvature: Float32[Tensor, "n 14"]
    """Fading."""
    probes: Float32[Tensor, "n"]
    """How many views the curvature of each row comes from; fading likewise."""
    fresh_gradient: Float32[Tensor, "n 14"]
    fresh_squared: Float32[Tensor, "n 5"]
    """Squared gradient of each view, summed over views and a group's channels: large where views disagree."""
    fresh_views: Float32[Tensor, "n"]
    """How many of the step's views see each row."""
    num_views: int
    """Views of the step."""


def no_evidence(num_rows: int, like: Tensor) -> Evidence:
    """Before anything was heard."""
    channels, rows = like.new_zeros(num_rows, NUM_EXPLICIT), like.new_zeros(num_rows)
    return Evidence(channels, channels, rows, channels, like.new_zeros(num_rows, len(GROUPS)), rows, 0)


def fade(evidence: Evidence) -> Evidence:
    """Begin a step: nothing is fresh, and what was heard before counts less."""
    return replace(
        no_evidence(len(evidence.probes), evidence.probes),
        gradient=GRADIENT_MEMORY * evidence.gradient,
        curvature=CURVATURE_MEMORY * evidence.curvature,
        probes=CURVATURE_MEMORY * evidence.probes,
    )


def hear(evidence: Evidence, lifted: Lifted) -> Evidence:
    """Add what one view says."""
    gradient, curvature, probes = lifted.gradient, evidence.curvature, evidence.probes
    is_seen = (gradient[:, OPACITY.start] != 0).float()
    if lifted.curvature is not None:
        curvature, probes = curvature + lifted.curvature, probes + is_seen
    return Evidence(
        gradient=evidence.gradient + gradient,
        curvature=curvature,
        probes=probes,
        fresh_gradient=evidence.fresh_gradient + gradient,
        fresh_squared=evidence.fresh_squared + gradient.square() @ _membership(gradient),
        fresh_views=evidence.fresh_views + is_seen,
        num_views=evidence.num_views + 1,
    )


def unit_curvature(evidence: Evidence) -> Float32[Tensor, "n 14"]:
    """What a gradient of one view is divided by to give a step in units of each channel's reach."""
    curvature = _shared_by_group(evidence.curvature / evidence.probes.clamp(min=0.1)[:, None])
    is_known = (evidence.probes > 0).float()[:, None]
    mean = (curvature * is_known).sum(dim=0) / is_known.sum().clamp(min=1)
    return (curvature + DAMPING * _no_noise(mean)) * curvature.new_tensor(REACH)


def features_of(explicit: Float32[Tensor, "n 14"], evidence: Evidence) -> Float32[Tensor, "n f"]:
    """State and evidence as a network reads them; every channel is of the order of one."""
    unit = unit_curvature(evidence)
    members = _membership(explicit)
    by_group = members / members.sum(dim=0)
    curvature = evidence.curvature @ by_group
    mean = _no_noise(curvature.mean(dim=0))
    views = evidence.fresh_views.clamp(min=1)[:, None]
    agreement = (evidence.fresh_gradient.square() @ members) / (
        evidence.fresh_squared * views + NOISE * _no_noise(evidence.fresh_squared.mean(dim=0))
    )
    return torch.cat(
        [
            explicit * explicit.new_tensor(_EXPLICIT_UNITS),
            _squash(evidence.fresh_gradient / (unit * views)),
            _squash((1 - GRADIENT_MEMORY) * evidence.gradient / unit),
            0.5 * torch.log10(curvature / mean + 1e-4),
            agreement.clamp(0, 1),
            evidence.fresh_views[:, None] / max(1, evidence.num_views),
        ],
        dim=1,
    )


_EXPLICIT_UNITS = (0.5,) * 3 + (0.5,) * 3 + (1.0,) * 4 + (0.5,) * 3 + (0.3,)


def _no_noise(means: Float32[Tensor, "c"]) -> Float32[Tensor, "c"]:
    """Means of channels, those that are but rounding errors beside the largest one raised above them."""
    return torch.maximum(means, NOISE * means.max()).clamp(min=1e-30)


def _squash(values: Tensor) -> Tensor:
    return values / (1 + values.abs())


def _membership(like: Tensor) -> Float32[Tensor, "14 5"]:
    """1 where a channel belongs to a group."""
    matrix = like.new_zeros(NUM_EXPLICIT, len(GROUPS))
    for column, group in enumerate(GROUPS):
        matrix[group, column] = 1
    return matrix


def _shared_by_group(curvature: Float32[Tensor, "n 14"]) -> Float32[Tensor, "n 14"]:
    """Channels of a group share half of their curvature, colours all of it: a probe is a rough estimate."""
    shared = curvature.clone()
    for group, own in ((OFFSET, 0.5), (SCALE, 0.5), (TURN, 0.5), (COLOUR, 0.0)):
        shared[:, group] = own * curvature[:, group] + (1 - own) * curvature[:, group].mean(dim=1, keepdim=True)
    return shared
