"""A scene laid out for optimisation, and put together again."""

from dataclasses import fields, replace

import pytest
import torch
from tiny_world import CAMERA, NUM_FRAMES, START_NS, STEP_NS, TinyWorld, optical_from, path, pose, splats

from gs_sim.geometry.pose import pose_from_twist
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.reconstruction.trainable import (
    BACKGROUND,
    DISTANT,
    FIRST_ACTOR,
    gaussians_of,
    moving_actors,
    pixel_sizes,
    place_moving,
    scene_of,
    trainable_from,
)
from gs_sim.rendering.rasterize import rasterize
from gs_sim.rendering.render import render, views_of
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.scene import Scene, gaussians_at

CENTRES = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
MOVING, PARKED = FIRST_ACTOR, FIRST_ACTOR + 1


@pytest.fixture(scope="module")
def scene(tiny_world: TinyWorld) -> Scene:
    """Every kind of part: background with harmonics, distant, one moving and one parked actor."""
    generator = torch.Generator().manual_seed(8)
    background = tiny_world.scene.background
    rest = 0.1 * torch.randn(len(background), 3, 3, generator=generator)
    background = replace(background, sh=torch.cat([background.sh, rest], dim=1))
    distant = splats(torch.randn(40, 3, generator=generator) * 300, torch.rand(40, 3, generator=generator), 4.0)
    turned = pose_from_twist(torch.tensor([0.0, 0.0, 0.0, 0.1, 0.0, 2.0], dtype=torch.float64))
    turned[:3, 3] = torch.tensor([9.0, -3.0, 0.2])
    body = splats(torch.randn(50, 3, generator=generator) * 0.4, torch.rand(50, 3, generator=generator), 0.2)
    body = replace(body, quaternions=torch.nn.functional.normalize(torch.randn(50, 4, generator=generator), dim=-1))
    ends_ns = torch.tensor([START_NS, START_NS + (NUM_FRAMES - 1) * STEP_NS])
    parked = Actor("parked", "car", (2.0, 2.0, 2.0), body, Trajectory(ends_ns, turned.repeat(2, 1, 1)))
    actors = (*tiny_world.scene.actors, parked)
    return replace(tiny_world.scene, background=background, distant=distant, actors=actors)


def assert_equal(one: Gaussians, other: Gaussians, tolerance: float = 0.0) -> None:
    for field in fields(Gaussians):
        assert torch.allclose(getattr(one, field.name), getattr(other, field.name), rtol=0, atol=tolerance), field.name


def test_each_row_knows_its_part(scene: Scene) -> None:
    trainable = trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=1)
    counts = torch.bincount(trainable.segment).tolist()
    assert counts == [len(scene.background), len(scene.distant), *(len(a.gaussians_box) for a in scene.actors)]
    assert (BACKGROUND, DISTANT, FIRST_ACTOR) == (0, 1, 2)
    assert moving_actors(scene) == (0,)


def test_a_scene_comes_back_as_it_went_in(scene: Scene) -> None:
    back = scene_of(trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=1), scene)
    assert_equal(back.background, scene.background)
    assert_equal(replace(back.distant, sh=back.distant.sh[:, :1]), scene.distant)
    assert not bool(back.distant.sh[:, 1:].any())
    moving, parked = back.actors
    assert_equal(moving.gaussians_box, scene.actors[0].gaussians_box)
    # into the world and back again, in float32; a quaternion and its negative are one rotation
    sign = (parked.gaussians_box.quaternions * scene.actors[1].gaussians_box.quaternions).sum(-1, keepdim=True).sign()
    upright = replace(parked.gaussians_box, quaternions=parked.gaussians_box.quaternions * sign)
    assert_equal(upright, scene.actors[1].gaussians_box, tolerance=5e-6)
    assert back.world_from_rig is scene.world_from_rig


def test_rows_of_a_parked_actor_lie_in_the_world_and_those_of_a_moving_one_in_its_box(scene: Scene) -> None:
    trainable = trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=0)
    assert float((trainable.anchors[trainable.segment == PARKED].mean(0) - torch.tensor([9.0, -3.0, 0.2])).norm()) < 0.5
    assert float(trainable.anchors[trainable.segment == MOVING].mean(0).norm()) < 0.2


@pytest.mark.parametrize("index", [0, 3])
def test_what_is_optimised_is_what_is_rendered_later(scene: Scene, index: int) -> None:
    stamp_ns = START_NS + index * STEP_NS
    scene = replace(scene, background=replace(scene.background, sh=scene.background.sh[:, :1]))
    trainable = trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=0)
    placed = place_moving(gaussians_of(trainable, 0), trainable, scene, stamp_ns)
    assert_equal(placed, gaussians_at(scene, stamp_ns), tolerance=1e-5)


def test_a_moving_actor_is_not_drawn_at_times_when_it_is_not_there(scene: Scene) -> None:
    trainable = trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=0)
    views = views_of(CAMERA, (pose(0.0, 0.0, 0.0) @ optical_from())[None], "cpu")
    late_ns = START_NS + NUM_FRAMES * STEP_NS
    placed = place_moving(gaussians_of(trainable, 0), trainable, scene, late_ns)
    rendering = rasterize(placed, views)
    assert not bool(rendering.radii_px[0, trainable.segment == MOVING].any())
    without = replace(
        scene, actors=scene.actors[1:], background=replace(scene.background, sh=scene.background.sh[:, :1])
    )
    expected = render(without, CAMERA, pose(0.0, 0.0, 0.0) @ optical_from(), START_NS)
    assert torch.allclose(rendering.colour, expected.colour, atol=1e-4)


def test_gradients_flow_through_a_moving_box_and_none_to_an_absent_one(scene: Scene) -> None:
    trainable = trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=0)
    trainable.offsets_px.requires_grad_(True)
    views = views_of(CAMERA, (pose(0.0, 0.0, 0.0) @ optical_from())[None], "cpu")
    mine = trainable.segment == MOVING
    for stamp_ns, is_there in ((START_NS + 3 * STEP_NS, True), (START_NS + NUM_FRAMES * STEP_NS, False)):
        placed = place_moving(gaussians_of(trainable, 0), trainable, scene, stamp_ns)
        (gradient,) = torch.autograd.grad((rasterize(placed, views).colour ** 2).sum(), [trainable.offsets_px])
        assert bool(gradient.isfinite().all())
        assert bool(gradient[mine].any()) is is_there


def test_a_pixel_spans_more_metres_the_further_away_it_looks() -> None:
    points = torch.tensor([[1.0, 0.0, 0.0], [10.0, 0.0, 0.0], [100.0, 0.0, 0.0]])
    sizes = pixel_sizes(points, torch.tensor([[0.0, 0.0, 0.0], [-50.0, 0.0, 0.0]]), 100.0)
    assert sizes.tolist() == pytest.approx([0.02, 0.1, 1.0])  # nothing is nearer than 2 m


def test_one_step_in_pixels_moves_far_gaussians_further(scene: Scene) -> None:
    trainable = trainable_from(scene, CENTRES, CAMERA.fx, sh_degree=0)
    trainable.offsets_px[:] = torch.tensor([0.0, 1.0, 0.0])
    moved = gaussians_of(trainable, 0).means - trainable.anchors
    wall, sky = trainable.segment == BACKGROUND, trainable.segment == DISTANT
    assert torch.allclose(moved[:, 1], trainable.pixel_m, atol=1e-4)
    assert float(moved[sky, 1].median()) > 10 * float(moved[wall, 1].median())


def test_an_actor_with_a_single_pose_comes_back_too(scene: Scene) -> None:
    once = replace(scene.actors[0], world_from_box=path([(8.0, 1.0, 0.0)]))
    single = replace(scene, actors=(once,))
    back = scene_of(trainable_from(single, CENTRES, CAMERA.fx, sh_degree=0), single)
    assert_equal(back.actors[0].gaussians_box, once.gaussians_box, tolerance=5e-6)
