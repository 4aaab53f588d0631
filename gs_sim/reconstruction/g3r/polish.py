"""Learned steps first, then ordinary optimisation for a while: it sharpens, and corrects the path of the rig."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from gs_sim.reconstruction.g3r.refine import G3RSettings, Refinement
from gs_sim.reconstruction.optimise import Optimisation, OptimiseSettings, Step
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.scene import Scene


class PolishedRefinement:
    """A refinement whose scene is then optimised. Iterate over `run`, then call `scene`."""

    def __init__(
        self,
        refinement: Refinement,
        views: Sequence[TrainingView],
        settings: tuple[G3RSettings, OptimiseSettings],
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self._refinement, self._views, self._device, self._generator = refinement, views, device, generator
        self._settings, self._optimise = settings
        self._polish: Optimisation | None = None

    def run(self, max_gaussians: int, clock: Callable[[], float]) -> Iterator[Step]:
        """Take the learned steps, then `polish_steps` of optimisation, or as many as what is left of the budget allows."""
        settings, start_s = self._settings, clock()
        learned = settings.steps * self._refinement.views_per_step
        share = learned / (learned + settings.polish_steps)
        number = 0
        for step in self._refinement.run(max_gaussians, clock):
            number = step.number
            yield replace(step, fraction_done=share * step.fraction_done)
        left_s = settings.budget_s - (clock() - start_s) if settings.budget_s > 0 else 0.0
        if settings.budget_s > 0 and left_s <= 0:
            return
        optimise = replace(self._optimise, steps=settings.polish_steps, budget_s=left_s)
        self._polish = Optimisation(self._refinement.scene(), self._views, optimise, self._generator, self._device)
        for step in self._polish.run(max_gaussians, clock):
            done = share + (1 - share) * step.fraction_done
            yield replace(step, number=number + step.number, fraction_done=done)

    def scene(self) -> Scene:
        """The scene as it stands."""
        return self._refinement.scene() if self._polish is None else self._polish.scene()
