"""The backdrop is seen by every method, and moved by none."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from tiny_world import TinyWorld

from gs_sim.reconstruction.g3r.refine import G3RSettings
from gs_sim.reconstruction.initialise import InitialiseSettings
from gs_sim.reconstruction.optimise import OptimiseSettings
from gs_sim.reconstruction.reconstruct import Hooks, ReconstructionSettings, count_gaussians, prepare, refine
from gs_sim.reconstruction.shell import ShellSettings

SETTINGS = ReconstructionSettings(
    max_gaussians=3000,
    initialise=InitialiseSettings(shell=ShellSettings(backdrop_deg=30.0)),
    device="cpu",
    optimise=OptimiseSettings(steps=12),
    g3r=G3RSettings(steps=3, polish_steps=4),
)


@pytest.mark.parametrize("method", ["optimise", "g3r"])
def test_refining_leaves_the_backdrop_as_it_was(tiny_world: TinyWorld, method: Literal["optimise", "g3r"]) -> None:
    hooks = Hooks(clock=lambda: 0.0)
    prepared = prepare(tiny_world.recording, SETTINGS, hooks)
    first = prepared.first
    assert 0 < first.num_backdrop < len(first.distant)
    result = refine(prepared, replace(SETTINGS, method=method), hooks)
    assert result.scene.num_backdrop == first.num_backdrop
    assert torch.equal(result.scene.backdrop.means, first.backdrop.means)
    assert torch.equal(result.scene.backdrop.sh[:, :1], first.backdrop.sh)
    assert result.num_gaussians == result.checkpoints[-1].num_gaussians == count_gaussians(result.scene)
