"""Refinement of a first scene in a few learned steps."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch

from gs_sim.config import Range, check_ranges
from gs_sim.reconstruction.g3r.evidence import no_evidence
from gs_sim.reconstruction.g3r.lift import residual_of
from gs_sim.reconstruction.g3r.networks import G3RNetworks, find_places
from gs_sim.reconstruction.g3r.schedule import step_sizes
from gs_sim.reconstruction.g3r.state import NeuralGaussians, neural_gaussians, plain_rows
from gs_sim.reconstruction.g3r.step import Moment, settle, take_step
from gs_sim.reconstruction.optimise import Step
from gs_sim.reconstruction.trainable import scene_of, trainable_from
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.scene import Scene

ROUNDS = 2
"""So often each source view is followed at least, if there are steps enough."""
NUM_JUDGES = 4
"""About as many source views decide in the end whether the refined scene is better than the first one."""


@dataclass(frozen=True)
class G3RSettings:
    """How many learned steps are taken and what each of them looks at."""

    steps: Annotated[int, Range(1, 1000)] = 6
    """T, the number of learned steps; 2 is the turbo setting."""
    views_per_step: Annotated[int, Range(1, 1000)] = 16
    """Source views that are followed at each step, one after the other; as many more as it takes to follow each view twice."""
    curvature_every: Annotated[int, Range(1, 1000)] = 2
    """Curvature is estimated at every n-th step."""
    polish_steps: Annotated[int, Range(0, 10_000_000)] = 0
    """Steps of ordinary optimisation afterwards; with a budget, polishing takes all that learned steps leave of it."""
    weights: str = ""
    """A safetensors file of network weights; empty takes those that came with gs_sim."""
    budget_s: Annotated[float, Range(0, 1_000_000)] = 0.0
    """Wall time in seconds after which no further step is begun; 0 lets the numbers of steps decide."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Refinement:
    """The loop of learned steps. Iterate over `run`, then call `scene`."""

    def __init__(
        self,
        scene: Scene,
        views: Sequence[TrainingView],
        networks: G3RNetworks,
        settings: G3RSettings,
        generator: torch.Generator,
    ) -> None:
        device = next(networks.parameters()).device
        self._scene, self._views, self._networks, self._settings = scene, views, networks, settings
        self._generator = generator
        centres = torch.stack([view.world_from_camera[:3, 3] for view in views]).float()
        layout = trainable_from(scene, centres, views[0].camera.fx, 0).to(device)
        self._places = find_places(layout, centres.mean(dim=0).to(device), networks.settings)
        self.state = neural_gaussians(layout, networks.settings.num_latent)
        self._start = self.state
        self._judges = [views[index] for index in range(0, len(views), max(1, len(views) // NUM_JUDGES))]
        enough = max(settings.views_per_step, math.ceil(ROUNDS * len(views) / settings.steps))
        self.views_per_step = min(enough, len(views))
        """So many are followed at each step."""
        self._trust = 1.0
        self.damped = 0
        """Steps that went less far, or nowhere, because they raised the error of a source view."""

    def run(self, max_gaussians: int, clock: Callable[[], float]) -> Iterator[Step]:
        """Take the learned steps, or as many as the budget allows; yields after each. None adds Gaussians."""
        del max_gaussians  # the first scene keeps to it already
        start_s, budget_s = clock(), self._settings.budget_s
        count = self._settings.steps
        sizes = step_sizes(count, self._networks.settings.schedule)
        order: list[int] = []
        evidence = no_evidence(len(self.state), self.state.explicit)
        for number, size in enumerate(sizes):
            views = [self._views[index] for index in self._next(order)]
            probe = self._generator if number % self._settings.curvature_every == 0 else None
            with torch.no_grad():
                start, world = (self.state, evidence), (self._scene, self._places)
                taken = take_step(self._networks, start, world, views, Moment(number, count, size, probe))
                trust = self._trust
                self.state, self._trust = settle(self._networks, self.state, taken, (self._scene, views[0]), trust)
            evidence = taken.evidence
            self.damped += self._trust < trust
            psnr_db = -10 * math.log10(max(1e-10, sum(taken.errors) / len(views)))
            done = (number + 1) / count
            if budget_s > 0 and clock() - start_s >= budget_s:
                done = 1.0
            if done >= 1:
                self._keep_the_better()
            num_gaussians = len(self.state) + self._scene.num_backdrop
            yield Step(number + 1, done, psnr_db, num_gaussians, self.scene)
            if done >= 1:
                return

    def scene(self) -> Scene:
        """The scene as it stands: plain Gaussians, the latent channels decoded away."""
        with torch.no_grad():
            decoded = self._networks.decode(self.state)
        return scene_of(plain_rows(decoded, self.state.layout), self._scene)

    def _keep_the_better(self) -> None:
        """Go back to the first scene if views all along the drive say that it was better."""
        if not self._error(self.state) <= self._error(self._start):
            self.state = self._start

    def _error(self, state: NeuralGaussians) -> float:
        """Mean squared error over some views, evenly spread."""
        with torch.no_grad():
            decoded = self._networks.decode(state)
            residuals = (residual_of(decoded, state.layout, self._scene, view) for view in self._judges)
            return sum(float(residual.square().mean()) for residual in residuals)

    def _next(self, order: list[int]) -> list[int]:
        """Indices of the next views; every view comes once before any comes again."""
        chosen: list[int] = []
        while len(chosen) < self.views_per_step:
            if not order:
                order.extend(torch.randperm(len(self._views), generator=self._generator).tolist())
            chosen.append(order.pop())
        return chosen
