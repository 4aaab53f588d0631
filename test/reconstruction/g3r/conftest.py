"""A first scene of the tiny world that is worth refining, and networks small enough for tests."""

from dataclasses import replace

import pytest
import torch
from g3r_start import SMALL, Start, shaken, start_of
from tiny_world import TinyWorld, make_tiny_world

from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.views import load_training_views


@pytest.fixture(scope="session")
def start() -> Start:
    world: TinyWorld = make_tiny_world()
    actors = tuple(
        replace(actor, gaussians_box=shaken(actor.gaussians_box, 3 + index))
        for index, actor in enumerate(world.scene.actors)
    )
    sky = replace(world.scene.background.select(torch.arange(0, 400, 4)))
    sky = replace(sky, means=sky.means * torch.tensor([8.0, 8.0, 8.0]), log_scales=sky.log_scales + 2.5)
    scene = replace(world.scene, background=shaken(world.scene.background, 2), distant=sky, actors=actors)
    return start_of(scene, load_training_views(world.recording, ("front",), 48, 4))


@pytest.fixture
def networks() -> G3RNetworks:
    return G3RNetworks(SMALL, torch.Generator().manual_seed(7))
