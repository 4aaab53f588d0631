"""One learned step: listen to some source views, then move every row. Training and refinement share it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.reconstruction.g3r.evidence import Evidence, gather_evidence
from gs_sim.reconstruction.g3r.lift import lift, render_rows, target_of
from gs_sim.reconstruction.g3r.networks import G3RNetworks, Places, Update, time_embedding
from gs_sim.reconstruction.g3r.state import TURN, NeuralGaussians
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.scene import Scene

RAISED = 1.01
"""A step that multiplies a view's error by more than this is halved."""
HALVINGS = 3
"""After so many the step is not taken at all."""


@dataclass(frozen=True)
class Moment:
    """Where a step stands among all of a refinement."""

    step: int
    num_steps: int
    step_size: float
    """gamma(t)."""


def listen(
    networks: G3RNetworks,
    state: NeuralGaussians,
    earlier: Evidence | None,
    seen: tuple[Scene, Sequence[TrainingView]],
    generator: torch.Generator,
    *,
    with_curvature: bool,
) -> Evidence:
    """Lift what some views say about the state as it stands; nothing here carries a gradient."""
    scene, views = seen
    with torch.no_grad():
        decoded = networks.decode(state)
    lifted = lift(decoded, state.layout, scene, views, generator, with_curvature=with_curvature)
    return gather_evidence(earlier, lifted, with_curvature=with_curvature)


def propose(
    networks: G3RNetworks, state: NeuralGaussians, evidence: Evidence, places: Places, moment: Moment
) -> Update:
    """gamma(t) G(S, grad S; t), differentiable in weights and state; what is not finite becomes zero."""
    time = time_embedding(moment.step, moment.num_steps, moment.step_size).to(state.explicit)
    update = networks(state, evidence, places, time)
    return Update(
        (moment.step_size * update.explicit).nan_to_num(0.0, 0.0, 0.0),
        (moment.step_size * update.latent).nan_to_num(0.0, 0.0, 0.0),
    )


@dataclass(frozen=True)
class Check:
    """A view that a step must not make worse."""

    scene: Scene
    view: TrainingView
    error: float
    """Its mean squared error before the step."""

    def residual(self, decoded: Float32[Tensor, "n 14"], state: NeuralGaussians) -> Float32[Tensor, "1 h w 3"]:
        """What the view lacks in a state."""
        return render_rows(decoded, state.layout, self.scene, self.view).colour - target_of(self.view, decoded.device)


def settle(
    networks: G3RNetworks, state: NeuralGaussians, update: Update, check: Check, trust: float
) -> tuple[NeuralGaussians, float]:
    """Move, unless that makes a view worse: then half as far, at last not at all; gives the trust for the next step too.

    The moved state is differentiable in the update, the check is not.
    """
    for _ in range(HALVINGS):
        moved = move(state, update, trust)
        with torch.no_grad():
            residual = check.residual(networks.decode(moved), state)
        if float(residual.square().mean()) <= RAISED * check.error:
            return moved, min(1.0, 1.5 * trust)
        trust *= 0.5
    return state, trust


def move(state: NeuralGaussians, update: Update, share: float = 1.0) -> NeuralGaussians:
    """The state after (a share of) an update; quaternions stay of length one."""
    explicit = state.explicit + share * update.explicit
    turned = torch.nn.functional.normalize(explicit[:, TURN], dim=1)
    explicit = torch.cat([explicit[:, : TURN.start], turned, explicit[:, TURN.stop :]], dim=1)
    return replace(state, explicit=explicit, latent=state.latent + share * update.latent)
