"""G: untrained it follows damped Newton steps; the order of rows does not matter; every part has its own network."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from g3r_start import SMALL, Start

from gs_sim.errors import ConfigError
from gs_sim.reconstruction.g3r.evidence import Evidence, fade, features_of, hear, no_evidence
from gs_sim.reconstruction.g3r.lift import lift
from gs_sim.reconstruction.g3r.networks import (
    FIRST_RATE,
    G3RNetworks,
    NetworkSettings,
    Update,
    find_places,
    time_embedding,
)
from gs_sim.reconstruction.g3r.state import REACH, NeuralGaussians, neural_gaussians
from gs_sim.reconstruction.trainable import BACKGROUND, DISTANT, FIRST_ACTOR, Trainable

CENTRE = torch.zeros(3)
TIME = time_embedding(3, 12, 0.8)


def heard(start: Start) -> Evidence:
    state, evidence = neural_gaussians(start.layout, SMALL.num_latent), no_evidence(len(start.layout), torch.zeros(1))
    generator = torch.Generator().manual_seed(2)
    for view in start.views[:2]:
        evidence = hear(fade(evidence), lift(state.explicit, start.layout, start.scene, view, generator))
    return evidence


def trained(networks: G3RNetworks) -> G3RNetworks:
    """Any weights but the first ones."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for p in networks.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return networks


def answer(networks: G3RNetworks, layout: Trainable, evidence: Evidence, latent: torch.Tensor) -> Update:
    state = NeuralGaussians(neural_gaussians(layout, 0).explicit, latent, layout)
    with torch.no_grad():
        update: Update = networks(state, evidence, find_places(layout, CENTRE, SMALL), TIME)
    return update


def test_an_untrained_network_follows_a_share_of_the_newton_step_and_shifts_nothing(
    start: Start, networks: G3RNetworks
) -> None:
    update = answer(networks, start.layout, heard(start), torch.zeros(len(start.layout), SMALL.num_latent))
    assert torch.allclose(update.rate, torch.full_like(update.rate, FIRST_RATE))
    assert not bool(update.shift.any())


def test_the_order_of_rows_within_a_part_does_not_matter(start: Start, networks: G3RNetworks) -> None:
    networks, evidence = trained(networks), heard(start)
    mixed = torch.randperm(len(start.layout), generator=torch.Generator().manual_seed(4))
    order = mixed[start.layout.segment[mixed].clamp(max=FIRST_ACTOR).argsort(stable=True)]
    latent = torch.randn(len(order), SMALL.num_latent, generator=torch.Generator().manual_seed(5))
    shuffled = Trainable(**{name: value[order] for name, value in vars(start.layout).items()})
    rows: dict[str, Any] = {n: v[order] for n, v in vars(evidence).items() if isinstance(v, torch.Tensor)}
    turned = replace(evidence, **rows)
    plain = answer(networks, start.layout, evidence, latent)
    other = answer(networks, shuffled, turned, latent[order])
    for name, value in vars(plain).items():
        assert torch.allclose(value[order], getattr(other, name), atol=1e-5)
        assert float(value.std()) > 0


def test_background_actors_and_shell_each_answer_by_their_own_weights(start: Start, networks: G3RNetworks) -> None:
    networks, evidence = trained(networks), heard(start)
    latent = torch.zeros(len(start.layout), SMALL.num_latent)
    before = answer(networks, start.layout, evidence, latent).shift
    segment = start.layout.segment
    for part, mine in (
        (networks.background, segment == BACKGROUND),
        (networks.distant, segment == DISTANT),
        (networks.actors, segment >= FIRST_ACTOR),
    ):
        with torch.no_grad():
            part.out.bias.add_(1.0)
        after = answer(networks, start.layout, evidence, latent).shift
        assert bool((after != before)[mine].any())
        assert torch.equal(after[~mine], before[~mine])
        before = after


def test_rows_of_mixed_parts_are_refused(start: Start) -> None:
    backwards = Trainable(**{name: value.flip(0) for name, value in vars(start.layout).items()})
    with pytest.raises(ValueError, match="in the order background, distant, actors"):
        find_places(backwards, CENTRE, SMALL)


def test_a_scene_of_background_alone_is_answered(start: Start, networks: G3RNetworks) -> None:
    rows = (start.layout.segment == BACKGROUND).nonzero()[:, 0]
    layout = Trainable(**{name: value[rows] for name, value in vars(start.layout).items()})
    latent = torch.zeros(len(rows), SMALL.num_latent)
    update = answer(networks, layout, no_evidence(len(rows), torch.zeros(1)), latent)
    assert update.rate.shape == (len(rows), 14)


def test_shifts_stay_within_their_reach(start: Start, networks: G3RNetworks) -> None:
    with torch.no_grad():
        networks.background.out.weight.mul_(0).add_(1e4)
    latent = torch.randn(len(start.layout), SMALL.num_latent)
    update = answer(networks, start.layout, heard(start), latent)
    assert bool((update.shift.abs() <= torch.tensor(REACH)).all())
    assert bool((update.rate <= FIRST_RATE * 21).all())


def test_features_do_not_depend_on_the_size_of_the_world_or_of_the_images(start: Start) -> None:
    """Gradients and curvatures scale with pixels; what a network reads of them does not."""
    evidence = heard(start)
    explicit = neural_gaussians(start.layout, 0).explicit
    scaled = replace(
        evidence,
        gradient=9 * evidence.gradient,
        curvature=9 * evidence.curvature,
        fresh_gradient=9 * evidence.fresh_gradient,
        fresh_squared=81 * evidence.fresh_squared,
    )
    assert torch.allclose(features_of(explicit, evidence), features_of(explicit, scaled), atol=1e-4)


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="voxel_m"):
        NetworkSettings(voxel_m=0.0)
    with pytest.raises(ConfigError, match="num_latent"):
        NetworkSettings(num_latent=-1)
