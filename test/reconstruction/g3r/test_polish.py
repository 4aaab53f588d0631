"""Polishing: learned steps, then optimisation, as one loop."""

from dataclasses import replace

import torch
from g3r_start import Start, error

from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.polish import PolishedRefinement
from gs_sim.reconstruction.g3r.refine import G3RSettings, Refinement
from gs_sim.reconstruction.optimise import OptimiseSettings


def polished(start: Start, networks: G3RNetworks, settings: G3RSettings) -> PolishedRefinement:
    generator = torch.Generator().manual_seed(0)
    learned = Refinement(start.scene, start.views, networks, settings, generator)
    both = settings, OptimiseSettings(sh_degree=0)
    return PolishedRefinement(learned, start.views, both, generator, torch.device("cpu"))


def test_steps_are_counted_through_and_the_scene_gets_better(start: Start, networks: G3RNetworks) -> None:
    loop = polished(start, networks, G3RSettings(steps=4, views_per_step=2, polish_steps=30))
    steps = list(loop.run(10_000, lambda: 0.0))
    assert [step.number for step in steps] == list(range(1, 35))
    done = [step.fraction_done for step in steps]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert error(loop.scene(), start) < error(steps[3].snapshot(), start)
    assert torch.equal(loop.scene().background.means, steps[-1].snapshot().background.means)


def test_polishing_takes_what_the_budget_leaves(start: Start, networks: G3RNetworks) -> None:
    ticks = iter(range(10_000))
    settings = G3RSettings(steps=2, views_per_step=1, polish_steps=5, budget_s=40.0)
    steps = list(polished(start, networks, settings).run(10_000, lambda: float(next(ticks))))
    assert 10 < len(steps) < 40
    ticks = iter(range(10_000))
    spent = replace(settings, budget_s=1.0)
    assert len(list(polished(start, networks, spent).run(10_000, lambda: float(next(ticks))))) == 1
