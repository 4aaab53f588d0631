"""Gaussians are added where the images pull and removed where they are not needed; Adam's memory follows."""

import pytest
import torch
from tiny_world import CAMERA, TinyWorld, optical_from, pose

from gs_sim.errors import ConfigError
from gs_sim.reconstruction.densify import DensifySettings, ScreenGradients, densify, keep_and_append, prune
from gs_sim.reconstruction.trainable import LEAVES, Trainable, gaussians_of, trainable_from
from gs_sim.rendering.rasterize import rasterize
from gs_sim.rendering.render import views_of
from gs_sim.scene.scene import Scene

EVERYTHING = DensifySettings(grow_fraction=1.0, min_gradient=0.0)


def prepared(scene: Scene) -> tuple[Trainable, torch.optim.Adam]:
    """Rows with an optimiser that has taken a step, so that its state is not empty."""
    trainable = trainable_from(scene, torch.zeros(1, 3), CAMERA.fx, sh_degree=1)
    groups = [{"params": [getattr(trainable, name).requires_grad_(True)], "lr": 1e-3, "name": name} for name in LEAVES]
    other = torch.zeros(3, requires_grad=True)
    groups.append({"params": [other], "lr": 1e-3, "name": "poses"})
    optimiser = torch.optim.Adam(groups, eps=1e-15, fused=True)
    generator = torch.Generator().manual_seed(4)
    for group in optimiser.param_groups:
        leaf = group["params"][0]
        leaf.grad = torch.randn(leaf.shape, generator=generator)
    optimiser.step()
    optimiser.zero_grad()
    return trainable, optimiser


def pulled(trainable: Trainable, rows: list[int]) -> ScreenGradients:
    """As if the images pulled at these rows, the first one most."""
    gradients = ScreenGradients(len(trainable), torch.device("cpu"))
    shift = torch.zeros(1, len(trainable), 2)
    for rank, row in enumerate(rows):
        shift[0, row, 0] = 1.0 - 0.01 * rank
    gradients.add(shift, torch.ones(1, len(trainable)))
    return gradients


def image_of(trainable: Trainable) -> torch.Tensor:
    views = views_of(CAMERA, (pose(0.0, 0.0, 0.0) @ optical_from())[None], "cpu")
    with torch.no_grad():
        return rasterize(gaussians_of(trainable, 0), views).colour[0]


def test_rows_keep_their_own_adam_state_and_copies_start_afresh(tiny_world: TinyWorld) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    count = len(trainable)
    before = {group["name"]: optimiser.state[group["params"][0]] for group in optimiser.param_groups}
    moments = {name: (state["exp_avg"].clone(), state["exp_avg_sq"].clone()) for name, state in before.items()}
    values = {name: getattr(trainable, name).detach().clone() for name in LEAVES}
    keep = torch.ones(count, dtype=torch.bool)
    keep[[0, 5, 17]] = False
    assert keep_and_append(trainable, optimiser, keep, torch.tensor([3, 3, 40])) == 3
    assert len(trainable) == count
    for group in optimiser.param_groups[:-1]:
        name, leaf = group["name"], group["params"][0]
        assert leaf is getattr(trainable, name)
        assert torch.equal(leaf, torch.cat([values[name][keep], values[name][[3, 3, 40]]]))
        state = optimiser.state[leaf]
        for key, moment in zip(("exp_avg", "exp_avg_sq"), moments[name], strict=True):
            assert state[key].shape == leaf.shape
            assert torch.equal(state[key][:-3], moment[keep])
            assert not bool(state[key][-3:].any())
    assert torch.equal(trainable.segment[-3:], trainable.segment[[3, 3, 40]])
    poses = optimiser.param_groups[-1]["params"][0]
    assert torch.equal(optimiser.state[poses]["exp_avg"], moments["poses"][0])
    assert len(optimiser.state) == len(LEAVES) + 1  # nothing of the old leaves is kept alive


def test_the_optimiser_goes_on_with_the_new_rows(tiny_world: TinyWorld) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    keep_and_append(trainable, optimiser, torch.ones(len(trainable), dtype=torch.bool), torch.tensor([1, 2]))
    before = trainable.sh_base.detach().clone()
    trainable.sh_base.sum().backward()
    optimiser.step()
    assert bool((trainable.sh_base < before)[-2:].all())


def test_before_the_first_step_there_is_no_state_to_carry(tiny_world: TinyWorld) -> None:
    trainable = trainable_from(tiny_world.scene, torch.zeros(1, 3), CAMERA.fx, sh_degree=0)
    groups = [{"params": [getattr(trainable, name).requires_grad_(True)], "name": name} for name in LEAVES]
    optimiser = torch.optim.Adam(groups, lr=1e-3)
    count = len(trainable)
    keep_and_append(trainable, optimiser, torch.ones(count, dtype=torch.bool), torch.tensor([0]))
    assert len(trainable) == count + 1
    assert not optimiser.state


@pytest.mark.parametrize("split_above_px", [0.0, 1000.0])
def test_splits_and_clones_hardly_change_the_image(tiny_world: TinyWorld, split_above_px: float) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    before = image_of(trainable)
    count = len(trainable)
    settings = DensifySettings(grow_fraction=1.0, min_gradient=0.0, split_above_px=split_above_px)
    added = densify(trainable, optimiser, pulled(trainable, list(range(count))), count, settings)
    assert added > 0.9 * count
    assert len(trainable) == count + added
    difference = (image_of(trainable) - before).abs().mean()
    assert float(difference) < 0.05
    naive, naive_optimiser = prepared(tiny_world.scene)
    keep_and_append(naive, naive_optimiser, torch.ones(count, dtype=torch.bool), torch.arange(count))
    with torch.no_grad():
        naive.offsets_px[count:] += 3.0
    assert float(difference) < float((image_of(naive) - before).abs().mean())


def test_the_two_halves_of_a_split_part_along_the_longest_axis_and_keep_their_centre(tiny_world: TinyWorld) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    row, longest = 100, 1
    with torch.no_grad():
        trainable.log_scales[row] = torch.tensor([0.1, 0.8, 0.1]).log()
        trainable.quaternions[row] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    centre = gaussians_of(trainable, 0).means[row].detach().clone()
    assert densify(trainable, optimiser, pulled(trainable, [row]), 1, EVERYTHING) == 1
    one, other = gaussians_of(trainable, 0).means[[row, len(trainable) - 1]].detach()
    assert torch.allclose((one + other) / 2, centre, atol=1e-5)
    assert (one - other).abs().argmax() == longest
    scales_m = trainable.log_scales[[row, len(trainable) - 1]].exp().detach()
    assert torch.allclose(scales_m, torch.tensor([[0.1, 0.5, 0.1]]).expand(2, 3), atol=1e-4)


def test_the_most_pulled_rows_are_taken_first_and_room_is_respected(tiny_world: TinyWorld) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    count = len(trainable)
    assert densify(trainable, optimiser, pulled(trainable, [7, 9, 11, 13]), 2, EVERYTHING) == 2
    assert len(trainable) == count + 2
    assert torch.equal(trainable.anchors[-2:], trainable.anchors[[7, 9]])


@pytest.mark.parametrize("room", [0, -50])
def test_without_room_nothing_is_added(tiny_world: TinyWorld, room: int) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    leaves = [getattr(trainable, name) for name in LEAVES]
    values = [leaf.detach().clone() for leaf in leaves]
    assert densify(trainable, optimiser, pulled(trainable, [1, 2]), room, EVERYTHING) == 0
    assert all(getattr(trainable, name) is leaf for name, leaf in zip(LEAVES, leaves, strict=True))
    assert all(torch.equal(leaf, value) for leaf, value in zip(leaves, values, strict=True))


def test_rows_that_nothing_pulls_are_left_alone(tiny_world: TinyWorld) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    settings = DensifySettings(grow_fraction=1.0)
    assert densify(trainable, optimiser, pulled(trainable, [3]), 1000, settings) == 1


def test_gradients_are_averaged_over_the_views_that_draw_a_row() -> None:
    gradients = ScreenGradients(3, torch.device("cpu"))
    gradients.add(torch.tensor([[[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[2.0, 0.0, 1.0]]))
    gradients.add(torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[2.0, 0.0, 1.0]]))
    assert gradients.mean().tolist() == pytest.approx([3.0, 0.0, 0.0])


def test_faint_and_broken_rows_are_pruned_and_no_others(tiny_world: TinyWorld) -> None:
    trainable, optimiser = prepared(tiny_world.scene)
    count = len(trainable)
    with torch.no_grad():
        trainable.opacity_logits[2] = torch.tensor(0.001).logit()
        trainable.offsets_px[4, 1] = float("nan")
        trainable.log_scales[6, 0] = float("inf")
        trainable.sh_rest[8, 0, 0] = float("nan")
    anchors = trainable.anchors.clone()
    assert prune(trainable, optimiser, DensifySettings()) == 4
    kept = [row for row in range(count) if row not in (2, 4, 6, 8)]
    assert torch.equal(trainable.anchors, anchors[kept])
    assert bool(image_of(trainable).isfinite().all())
    leaves = [getattr(trainable, name) for name in LEAVES]
    assert prune(trainable, optimiser, DensifySettings()) == 0
    assert all(getattr(trainable, name) is leaf for name, leaf in zip(LEAVES, leaves, strict=True))


def test_settings_out_of_bounds_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"densify.every_steps must be at least 1, got 0"):
        DensifySettings(every_steps=0)
    with pytest.raises(ConfigError, match=r"densify needs 0 <= from_fraction <= until_fraction <= 1"):
        DensifySettings(from_fraction=0.7, until_fraction=0.2)
