"""The loop of learned steps: better than its start, never worse, the same for the same seed, whatever it is given."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from g3r_start import SMALL, Start, error, start_of

from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.refine import G3RSettings, Refinement

TICKS = itertools.count()


def refine(start: Start, networks: G3RNetworks, **changes: Any) -> tuple[Refinement, list[float]]:
    settings = replace(G3RSettings(steps=6, views_per_step=2), **changes)
    loop = Refinement(start.scene, start.views, networks, settings, torch.Generator().manual_seed(0))
    return loop, [step.psnr_db for step in loop.run(10_000, lambda: float(next(TICKS)))]


def test_even_untrained_steps_bring_a_scene_nearer_to_its_views(start: Start, networks: G3RNetworks) -> None:
    loop, psnr_db = refine(start, networks, steps=12)
    assert len(psnr_db) == 12
    assert error(loop.scene(), start) < 0.6 * error(start.scene, start)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_network_that_only_does_harm_leaves_the_scene_no_worse(
    start: Start, networks: G3RNetworks, sign: float
) -> None:
    with torch.no_grad():
        for part in (networks.background, networks.actors, networks.distant):
            part.out.bias[14:28] = sign * 5.0
    loop, _ = refine(start, networks)
    assert loop.damped > 0
    assert error(loop.scene(), start) <= 1.0001 * error(start.scene, start)


def test_weights_that_are_no_numbers_leave_a_finite_scene(start: Start, networks: G3RNetworks) -> None:
    with torch.no_grad():
        networks.background.out.bias.fill_(float("nan"))
    loop, _ = refine(start, networks)
    assert bool(loop.scene().background.means.isfinite().all())
    assert error(loop.scene(), start) <= 1.0001 * error(start.scene, start)


@pytest.mark.parametrize("name", ["means", "log_scales", "opacity_logits", "sh"])
def test_rows_that_are_no_numbers_do_not_spread(start: Start, networks: G3RNetworks, name: str) -> None:
    broken = getattr(start.scene.background, name).clone()
    broken[5] = float("nan")
    scene = replace(start.scene, background=replace(start.scene.background, **{name: broken}))
    loop, _ = refine(start_of(scene, start.views), networks)
    background = loop.scene().background
    rest = torch.arange(len(background)) != 5
    assert all(bool(value[rest].isfinite().all()) for value in vars(background).values())


def test_black_views_and_scenes_without_actors_or_shell_are_refined(start: Start, networks: G3RNetworks) -> None:
    views = tuple(replace(view, rgb=torch.zeros_like(view.rgb)) for view in start.views)
    empty = replace(start.scene.distant, **{n: v[:0] for n, v in vars(start.scene.distant).items()})
    bare = start_of(replace(start.scene, actors=(), distant=empty), views)
    loop, _ = refine(bare, networks)
    assert error(loop.scene(), bare) < error(bare.scene, bare)


def test_equal_seeds_give_equal_scenes(start: Start, networks: G3RNetworks) -> None:
    first, second = (refine(start, networks)[0].scene() for _ in range(2))
    for name, value in vars(first.background).items():
        assert torch.equal(value, getattr(second.background, name))


def test_what_comes_out_are_plain_gaussians_where_they_were(start: Start, networks: G3RNetworks) -> None:
    scene = refine(start, networks)[0].scene()
    assert len(scene.background) == len(start.scene.background)
    assert len(scene.distant) == len(start.scene.distant)
    assert [actor.actor_id for actor in scene.actors] == [actor.actor_id for actor in start.scene.actors]
    assert scene.background.sh.shape[1] == 1
    assert torch.allclose(scene.background.quaternions.norm(dim=1), torch.ones(len(scene.background)), atol=1e-4)


def test_no_step_is_begun_once_the_budget_is_spent(start: Start, networks: G3RNetworks) -> None:
    _, psnr_db = refine(start, networks, steps=50, budget_s=3.5)
    assert len(psnr_db) == 4, "the clock of these tests ticks once a look"


def test_one_view_a_step_and_more_views_than_there_are_both_work(start: Start, networks: G3RNetworks) -> None:
    for views_per_step in (1, 100):
        loop, _ = refine(start, networks, views_per_step=views_per_step)
        assert error(loop.scene(), start) < error(start.scene, start)


def test_networks_without_latent_channels_refine_too(start: Start) -> None:
    networks = G3RNetworks(replace(SMALL, num_latent=0), torch.Generator().manual_seed(7))
    loop, _ = refine(start, networks)
    assert error(loop.scene(), start) < error(start.scene, start)
