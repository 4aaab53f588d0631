"""One learned step: the networks look at what was heard so far, then every row follows some source views.

The paper's networks turn one summed gradient into one update. Here they set, for each row and channel, a shift and how far
the row follows a view's own gradient, and the views of the step are followed one after the other: views cost less than
networks, and k small moves in turn reach further than one move along their sum. Training and refinement share this.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.reconstruction.g3r.evidence import Evidence, fade, hear, unit_curvature
from gs_sim.reconstruction.g3r.lift import lift, residual_of
from gs_sim.reconstruction.g3r.networks import G3RNetworks, Places, time_embedding
from gs_sim.reconstruction.g3r.state import TURN, NeuralGaussians
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.scene import Scene

RAISED = 1.01
"""A step that multiplies a view's error by more than this is halved."""
PROBED_VIEWS = 4
"""So many views of a step are probed at most: curvature changes slowly, and a probe costs half a view."""
HALVINGS = 3
"""After so many the step is not taken at all."""


@dataclass(frozen=True)
class Moment:
    """Where a step stands among all of a refinement."""

    step: int
    num_steps: int
    step_size: float
    """gamma(t)."""
    probe: torch.Generator | None
    """Draws signs, if this step probes the curvature."""


@dataclass(frozen=True)
class Taken:
    """What a step has come to."""

    state: NeuralGaussians
    evidence: Evidence
    errors: tuple[float, ...]
    """Mean squared error of each of its views when it came to it; of the first one before the step."""


def take_step(
    networks: G3RNetworks,
    start: tuple[NeuralGaussians, Evidence],
    world: tuple[Scene, Places],
    views: Sequence[TrainingView],
    moment: Moment,
) -> Taken:
    """S + gamma(t) G(S, grad S; t), differentiable in weights and state.

    Args:
        networks: G.
        start: the state, and what was heard until now.
        world: the scene that rows are drawn in, and where they lie.
        views: followed one after the other.
        moment: which step this is.
    """
    state, evidence = start
    scene, places = world
    with torch.no_grad():
        first = lift(networks.decode(state), state.layout, scene, views[0], moment.probe)
    evidence, errors = hear(fade(evidence), first), [first.error]
    time = time_embedding(moment.step, moment.num_steps, moment.step_size).to(state.explicit)
    update = networks(state, evidence, places, time)
    latent = state.latent + moment.step_size * update.latent
    explicit = state.explicit + moment.step_size * update.shift
    with torch.no_grad():  # what the latent channels add hardly changes within a step
        added = networks.decode(replace(state, explicit=explicit, latent=latent)) - explicit
    reach, gain = moment.step_size * networks.decoder.reach, update.rate / unit_curvature(evidence)
    explicit = torch.addcmul(explicit, torch.tanh(gain * first.gradient), reach, value=-1)
    for number, view in enumerate(views[1:], 1):
        probe = moment.probe if number < PROBED_VIEWS else None
        lifted = lift(explicit.detach() + added, state.layout, scene, view, probe)
        evidence = hear(evidence, lifted)
        if moment.step == 0 and probe is not None:  # of curvature, too little is known yet
            gain = update.rate / unit_curvature(evidence)
        explicit = torch.addcmul(explicit, torch.tanh(gain * lifted.gradient), reach, value=-1)
        errors.append(lifted.error)
    return Taken(replace(state, explicit=_with_unit_turns(explicit), latent=latent), evidence, tuple(errors))


def settle(
    networks: G3RNetworks, before: NeuralGaussians, taken: Taken, check: tuple[Scene, TrainingView], trust: float
) -> tuple[NeuralGaussians, float]:
    """The state after a step, unless a view of it has become worse: then half of it, at last none; and the new trust.

    Differentiable in the states; the check itself is not.
    """
    scene, view = check
    for _ in range(HALVINGS):
        state = _between(before, taken.state, trust)
        with torch.no_grad():
            error = float(residual_of(networks.decode(state), state.layout, scene, view).square().mean())
        if error <= RAISED * taken.errors[0]:
            return state, min(1.0, 1.5 * trust)
        trust *= 0.5
    return before, trust


def _between(before: NeuralGaussians, after: NeuralGaussians, share: float) -> NeuralGaussians:
    if share == 1.0:
        return after
    explicit = torch.lerp(before.explicit, after.explicit, share)
    return replace(after, explicit=_with_unit_turns(explicit), latent=torch.lerp(before.latent, after.latent, share))


def _with_unit_turns(explicit: Float32[Tensor, "n 14"]) -> Float32[Tensor, "n 14"]:
    turns = torch.nn.functional.normalize(explicit[:, TURN], dim=1)
    return torch.cat([explicit[:, : TURN.start], turns, explicit[:, TURN.stop :]], dim=1)
