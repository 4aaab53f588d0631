"""Entities: logged, commanded, spawned, deleted; and what the world looks like then."""

import math

import pytest
import torch
from tiny_world import CAMERA, START_NS, STEP_NS, TinyWorld, optical_from, pose

from gs_sim.rendering.image import to_rgb8
from gs_sim.rendering.render import render
from gs_sim.scene.scene import gaussians_at
from gs_sim.simulation.entity import Motion, moved_on, rotation_vector, still
from gs_sim.simulation.simulator import EVERYTHING, Simulator
from gs_sim.simulation.virtual_camera import VirtualCamera
from gs_sim.simulation.world import EGO, RefusedError, Spawn, World

NOW_NS = START_NS + 3 * STEP_NS + STEP_NS // 3
FRONT = VirtualCamera("front", CAMERA, optical_from())


def vector(x: float, y: float, z: float) -> torch.Tensor:
    return torch.tensor([x, y, z], dtype=torch.float64)


@pytest.fixture
def world(tiny_world: TinyWorld) -> World:
    return World(tiny_world.scene)


def test_untouched_it_is_the_logged_scene_to_the_bit(world: World, tiny_world: TinyWorld) -> None:
    logged, simulated = gaussians_at(tiny_world.scene, NOW_NS), world.gaussians_at(NOW_NS)
    for name in ("means", "log_scales", "quaternions", "opacity_logits", "sh"):
        assert torch.equal(getattr(logged, name), getattr(simulated, name)), name


def test_a_moment_is_a_scene_that_renders_alike(world: World) -> None:
    world.command("car-1", still(NOW_NS, pose(9.0, 1.0, 0.0)))
    moment = world.scene_at(NOW_NS)
    offline = render(moment, CAMERA, optical_from(), NOW_NS).colour[0]
    simulator = Simulator(10_000_000)
    simulator.load(world.scene, [FRONT])
    simulator.world.command("car-1", still(NOW_NS, pose(9.0, 1.0, 0.0)))
    image = simulator.look(CAMERA, optical_from(), NOW_NS)
    assert (image.rgb == to_rgb8(offline)).all()


def test_depth_is_that_of_surfaces_and_zero_where_nothing_is(tiny_world: TinyWorld) -> None:
    simulator = Simulator(10_000_000)
    simulator.load(tiny_world.scene, [FRONT])
    wall_m = simulator.look(CAMERA, optical_from(y=6.0), START_NS - 1).depth_m
    assert abs(float(wall_m[20:44, 40:56].mean()) - 12.0) < 0.2
    nothing_m = simulator.look(CAMERA, optical_from(x=14.0), START_NS - 1).depth_m
    assert nothing_m.max() == 0.0


def test_a_logged_actor_is_there_while_it_was_seen(world: World) -> None:
    names = [entity.name for entity, _ in world.present_at(START_NS)]
    assert names == ["car-1"]
    assert world.present_at(START_NS - 1) == []
    with pytest.raises(RefusedError, match=r"'car-1' was seen from .* give it a pose to have it now") as refused:
        world.motion_of("car-1", START_NS - 1)
    assert refused.value.reason == "absent"


def test_logged_speed_is_that_of_the_path(world: World) -> None:
    motion = world.motion_of("car-1", NOW_NS)
    assert torch.allclose(motion.velocity_mps, vector(0.0, -8.0, 0.0), atol=1e-9)
    assert torch.allclose(motion.turn_rate_radps, vector(0.0, 0.0, 0.0), atol=1e-9)


def test_the_vehicle_stays_at_the_ends_of_its_path(world: World) -> None:
    late = world.motion_of(EGO, START_NS + 1000 * STEP_NS)
    assert torch.allclose(late.world_from_box[:3, 3], vector(0.7, 0.0, 0.0))
    assert late.velocity_mps.norm() == 0


def test_a_command_moves_on_at_constant_speed_and_turn_rate() -> None:
    start = Motion(0, pose(1.0, 2.0, 3.0), vector(2.0, 0.0, 0.0), vector(0.0, 0.0, math.pi / 4))
    after = moved_on(start, 2_000_000_000)
    assert torch.allclose(after.world_from_box[:3, 3], vector(5.0, 2.0, 3.0))
    assert torch.allclose(after.world_from_box[:3, :3] @ vector(1.0, 0.0, 0.0), vector(0.0, 1.0, 0.0), atol=1e-12)
    before = moved_on(start, -5)
    assert torch.equal(before.world_from_box, start.world_from_box)


def test_a_rotation_vector_undoes_the_exponential() -> None:
    turned = moved_on(Motion(0, pose(0, 0, 0), vector(0, 0, 0), vector(0.3, -1.2, 0.8)), 10**9)
    assert torch.allclose(rotation_vector(turned.world_from_box[:3, :3]), vector(0.3, -1.2, 0.8), atol=1e-9)
    assert torch.equal(rotation_vector(torch.eye(3, dtype=torch.float64)), vector(0.0, 0.0, 0.0))


def test_spawned_entities_are_drawn_where_they_stand_and_go_with_a_reset(world: World, tiny_world: TinyWorld) -> None:
    shape = tiny_world.scene.actors[0]
    spawn = Spawn("cone 1".replace(" ", "_"), "cone", shape.size_m, shape.gaussians_box)
    world.spawn(spawn, NOW_NS, pose(6.0, 0.0, 0.0))
    placed = {entity.name: at for entity, at in world.present_at(NOW_NS + 10**12)}
    assert torch.equal(placed["cone_1"], pose(6.0, 0.0, 0.0))
    world.reset_state()
    assert "cone_1" in world.entities
    world.remove_spawned()
    assert list(world.entities) == [EGO, "car-1"]


def test_a_deleted_actor_comes_back_with_a_reset(world: World) -> None:
    world.delete("car-1")
    assert world.present_at(NOW_NS) == []
    world.reset_state()
    assert len(world.present_at(NOW_NS)) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [("car-1", "name_taken"), ("", "name_invalid"), ("../x", "name_invalid"), ("a" * 65, "name_invalid")],
)
def test_names_that_cannot_be_used_are_refused(world: World, tiny_world: TinyWorld, name: str, reason: str) -> None:
    shape = tiny_world.scene.actors[0]
    with pytest.raises(RefusedError) as refused:
        world.spawn(Spawn(name, "car", shape.size_m, shape.gaussians_box), NOW_NS, pose(0, 0, 0))
    assert refused.value.reason == reason


@pytest.mark.parametrize("x_m", [math.nan, math.inf, 2e5])
def test_poses_that_cannot_be_drawn_are_refused_and_change_nothing(world: World, x_m: float) -> None:
    before = world.entities["car-1"]
    with pytest.raises(RefusedError) as refused:
        world.command("car-1", still(NOW_NS, pose(x_m, 0.0, 0.0)))
    assert refused.value.reason == "pose_invalid"
    assert world.entities["car-1"] is before


def test_unknown_entities_and_the_vehicle_itself_are_refused(world: World) -> None:
    with pytest.raises(RefusedError, match=r"there is no entity 'bus'; there are: ego, car-1"):
        world.delete("bus")
    with pytest.raises(RefusedError, match=r"cannot be deleted"):
        world.delete(EGO)


def test_a_free_name_has_the_first_number_that_is_free(world: World) -> None:
    assert world.free_name("van") == "van"
    assert world.free_name("car-1") == "car-1_2"


def test_steps_and_resets_move_time_and_state(tiny_world: TinyWorld) -> None:
    simulator = Simulator(10_000_000)
    simulator.load(tiny_world.scene, [FRONT])
    assert (simulator.state, simulator.now_ns) == ("stopped", START_NS)
    for _ in range(5):
        simulator.step()
    assert simulator.now_ns == START_NS + 50_000_000
    simulator.world.command("car-1", still(simulator.now_ns, pose(5, 5, 5)))
    simulator.reset(frozenset({"time"}))
    assert simulator.now_ns == START_NS
    assert simulator.world.entities["car-1"].command is not None
    simulator.reset(EVERYTHING)
    assert simulator.world.entities["car-1"].command is None


def test_without_a_world_nothing_moves(tiny_world: TinyWorld) -> None:
    simulator = Simulator(10_000_000)
    simulator.load(tiny_world.scene, [FRONT])
    simulator.unload()
    for wish in (simulator.step, simulator.unload, lambda: simulator.set_state("playing")):
        with pytest.raises(RefusedError, match=r"no world is loaded") as refused:
            wish()
        assert refused.value.reason == "no_world"


def test_equal_inputs_give_equal_images_to_the_bit(tiny_world: TinyWorld) -> None:
    def run() -> list[bytes]:
        simulator = Simulator(10_000_000)
        simulator.load(tiny_world.scene, [FRONT, VirtualCamera("slow", CAMERA, optical_from(y=0.3), 5.0)])
        seen = []
        for number in range(60):
            simulator.step()
            if number == 20:
                simulator.world.command(
                    EGO, Motion(simulator.now_ns, pose(0, 0, 0), vector(3, 0.5, 0), vector(0, 0, 1))
                )
            due = simulator.due_cameras(simulator.now_ns)
            seen += [image.rgb.tobytes() + image.depth_m.tobytes() for image in simulator.sense(due, simulator.now_ns)]
        return seen

    first = run()
    assert len(first) == 6 + 3
    assert first == run()
    assert len(set(first)) == len(first)
