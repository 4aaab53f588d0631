"""`simulation_interfaces` as a test harness uses them: over DDS, against a sensor_sim that owns time."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from node_process import NodeProcess, wait_for, wait_until
from tiny_world import START_NS, make_tiny_world, pose

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("simulation_interfaces.srv", reason="simulation_interfaces is not installed")

from geometry_msgs.msg import PoseStamped
from rclpy.action.client import ActionClient
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from simulation_interfaces import srv
from simulation_interfaces.action import SimulateSteps
from simulation_interfaces.msg import (
    Bounds,
    EntityCategory,
    EntityFilters,
    EntityState,
    Resource,
    Result,
    SimulationState,
    SimulatorFeatures,
    TagsFilter,
)

from gs_sim.nodes.ros.conversions import header_message, pose_message, time_ns, vector_message
from gs_sim.scene.ply import save_ply
from gs_sim.scene.storage import save_scene

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = pytest.mark.ros

OK, NOT_FOUND, FAILED = Result.RESULT_OK, Result.RESULT_NOT_FOUND, Result.RESULT_OPERATION_FAILED
STEP_NS = 20_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes, one asset, a link that leads out, and a broken scene."""
    folder = tmp_path_factory.mktemp("worlds")
    scene = make_tiny_world().scene
    for name in ("first", "second"):
        save_scene(scene, folder / "worlds" / name)
    save_scene(scene, folder / "outside")
    (folder / "worlds" / "link").symlink_to(folder / "outside")
    (folder / "worlds" / "broken").mkdir()
    (folder / "worlds" / "broken" / "scene.json").write_text("{", encoding="utf-8")
    (folder / "assets").mkdir()
    save_ply(scene.actors[0].gaussians_box, folder / "assets" / "barrel.ply")
    (folder / "rig.yaml").write_text("cameras: {front: {like: front, rate_hz: 25}}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def simulator(folder: Path, ros_domain_id: int) -> Iterator[NodeProcess]:
    assert ros_domain_id
    parameters = {
        "scene": folder / "worlds" / "first",
        "rig": folder / "rig.yaml",
        "asset_folder": folder / "assets",
        "publish_clock": True,
        "pose_source": "command",
        "step_s": STEP_NS / 1e9,
        "real_time_factor": 0.0,
    }
    with NodeProcess("sensor_sim", folder / "simulator.log", parameters) as node:
        node.wait_for("seen by: front")
        yield node


class Harness:
    """What a user's harness does: calls services, and expects an answer to each."""

    def __init__(self, node: "Node", process: NodeProcess, namespace: str = "") -> None:
        self.node, self.process, self.namespace = node, process, namespace
        self._clients: dict[str, Any] = {}

    def call(self, kind: str, **fields: Any) -> Any:
        service = getattr(srv, kind)
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("_")
        if kind not in self._clients:
            self._clients[kind] = self.node.create_client(service, f"{self.namespace}/{name}")
            assert self._clients[kind].wait_for_service(30.0), f"no service /{name}"
        answer = wait_for(self._clients[kind].call_async(service.Request(**fields)))
        assert self.process.is_alive()
        return answer

    def code(self, kind: str, **fields: Any) -> int:
        return int(self.call(kind, **fields).result.result)

    def set_state(self, state: int) -> int:
        return self.code("SetSimulationState", state=SimulationState(state=state))

    def state(self) -> int:
        return int(self.call("GetSimulationState").state.state)

    def entities(self, **filters: Any) -> list[str]:
        return list(self.call("GetEntities", filters=EntityFilters(**filters)).entities)

    def restart(self) -> None:
        if self.state() != SimulationState.STATE_STOPPED:
            assert self.set_state(SimulationState.STATE_STOPPED) == OK
        assert self.set_state(SimulationState.STATE_PAUSED) == OK


@pytest.fixture
def harness(simulator: NodeProcess, ros_node: "Node") -> Harness:
    harness = Harness(ros_node, simulator)
    harness.call("LoadWorld", world_resource=Resource(uri="first"))
    harness.restart()
    return harness


def test_the_features_are_those_that_are_offered(harness: Harness) -> None:
    features = set(harness.call("GetSimulatorFeatures").features.features)
    assert {
        SimulatorFeatures.SPAWNING,
        SimulatorFeatures.DELETING,
        SimulatorFeatures.ENTITY_STATE_SETTING,
        SimulatorFeatures.STEP_SIMULATION_ACTION,
        SimulatorFeatures.WORLD_LOADING,
        SimulatorFeatures.SIMULATION_RESET_TIME,
    } <= features
    assert not features & {SimulatorFeatures.NAMED_POSES, SimulatorFeatures.SPAWNING_RESOURCE_STRING}


def test_states_follow_the_standard(harness: Harness) -> None:
    codes = srv.SetSimulationState.Response
    assert harness.set_state(SimulationState.STATE_PAUSED) == codes.ALREADY_IN_TARGET_STATE
    assert harness.set_state(99) == codes.INCORRECT_TRANSITION
    assert harness.set_state(SimulationState.STATE_PLAYING) == OK
    answer = harness.call("StepSimulation", steps=1)
    assert (answer.result.result, answer.result.error_message) == (
        FAILED,
        "the simulation is playing; pause it to step",
    )
    assert harness.set_state(SimulationState.STATE_STOPPED) == OK
    assert harness.state() == SimulationState.STATE_STOPPED


def test_a_step_returns_when_the_images_due_in_it_are_out(harness: Harness) -> None:
    images: list[Any] = []
    clocks: list[int] = []
    harness.node.create_subscription(Image, "/front/image_raw", images.append, 100)
    harness.node.create_subscription(Clock, "/clock", lambda message: clocks.append(time_ns(message.clock)), 1000)
    wait_until(lambda: harness.code("StepSimulation", steps=1) == OK and bool(images and clocks), "everybody listens")
    harness.restart()
    images.clear()
    clocks.clear()
    assert harness.code("StepSimulation", steps=10) == OK
    wait_until(lambda: len(images) >= 5 and len(clocks) >= 10, "images and clocks")
    assert [time_ns(image.header.stamp) - START_NS for image in images] == [STEP_NS * n for n in (1, 3, 5, 7, 9)]
    assert [clock - START_NS for clock in clocks[-10:]] == [STEP_NS * n for n in range(1, 11)]


def test_steps_by_action_feed_back_and_can_be_cancelled(harness: Harness) -> None:
    client: Any = ActionClient(harness.node, SimulateSteps, "/simulate_steps")
    assert client.wait_for_server(30.0)
    heard: list[Any] = []
    goal = wait_for(
        client.send_goal_async(SimulateSteps.Goal(steps=20), lambda message: heard.append(message.feedback))
    )
    answer = wait_for(goal.get_result_async())
    assert (answer.status, answer.result.result.result) == (4, OK)
    assert heard, "rclpy forgets a goal with its result, so the last feedback may go unheard, but not all"
    assert all(feedback.completed_steps + feedback.remaining_steps == 20 for feedback in heard)
    goal = wait_for(client.send_goal_async(SimulateSteps.Goal(steps=1_000_000)))
    wait_for(goal.cancel_goal_async())
    answer = wait_for(goal.get_result_async())
    assert answer.status == 5
    assert "cancelled after" in answer.result.result.error_message
    client.destroy()


@pytest.mark.parametrize("steps", [0, 10**12])
def test_an_absurd_number_of_steps_is_refused(harness: Harness, steps: int) -> None:
    assert harness.code("StepSimulation", steps=steps) == FAILED


def test_entities_are_listed_filtered_and_described(harness: Harness) -> None:
    assert harness.entities() == ["ego", "car-1"]
    assert harness.entities(filter="^car") == ["car-1"]
    assert harness.entities(categories=[EntityCategory(category=EntityCategory.CATEGORY_ROBOT)]) == ["ego"]
    assert harness.entities(tags=TagsFilter(tags=["car", "bus"])) == ["car-1"]
    assert harness.entities(tags=TagsFilter(tags=["car", "bus"], filter_mode=TagsFilter.FILTER_MODE_ALL)) == []
    sphere = Bounds(type=Bounds.TYPE_SPHERE, points=[vector_message((0.0, 0.0, 0.0)), vector_message((1.0, 0.0, 0.0))])
    assert harness.entities(bounds=sphere) == ["ego"]
    box = Bounds(type=Bounds.TYPE_BOX, points=[vector_message((9.0, 5.0, 1.0)), vector_message((7.0, 1.0, -1.0))])
    assert harness.entities(bounds=box) == ["car-1"]
    info = harness.call("GetEntityInfo", entity="car-1").info
    assert (info.category.category, list(info.tags)) == (EntityCategory.CATEGORY_DYNAMIC_OBJECT, ["car"])
    bounds = harness.call("GetEntityBounds", entity="car-1").bounds
    assert (bounds.points[0].x, bounds.points[1].z) == (1.2, -0.9)
    bounds = harness.call("GetEntityBounds", entity="ego").bounds
    assert (bounds.points[0].z, bounds.points[1].z) == (1.5, 0.0), "a vehicle stands on its base_link"


@pytest.mark.parametrize("pattern", ["(a+)+$", "[", "x" * 1000])
def test_a_pattern_that_cannot_be_searched_for_is_refused(harness: Harness, pattern: str) -> None:
    answer = harness.call("GetEntities", filters=EntityFilters(filter=pattern))
    assert answer.result.result == Result.RESULT_FEATURE_UNSUPPORTED
    assert answer.result.error_message


def test_an_entity_moves_as_it_is_told_until_the_reset(harness: Harness) -> None:
    state = EntityState(header=header_message("ego", 0), pose=pose_message(pose(6.0, 0.0, 0.0)))
    state.twist.linear = vector_message((1.0, 0.0, 0.0))
    assert harness.code("SetEntityState", entity="car-1", state=state, set_pose=True, set_twist=True) == OK
    assert harness.code("StepSimulation", steps=50) == OK
    moved = harness.call("GetEntityState", entity="car-1").state
    assert moved.header.frame_id == "map"
    assert (moved.pose.position.x, moved.twist.linear.x) == pytest.approx((7.0, 1.0))
    assert time_ns(moved.header.stamp) == START_NS + 50 * STEP_NS
    assert harness.code("ResetSimulation", scope=srv.ResetSimulation.Request.SCOPE_ALL) == OK
    logged = harness.call("GetEntityState", entity="car-1").state
    assert (logged.pose.position.x, time_ns(logged.header.stamp)) == (pytest.approx(8.0), START_NS)


def test_the_vehicle_itself_can_be_driven(harness: Harness) -> None:
    state = EntityState()
    state.twist.linear = vector_message((2.0, 0.0, 0.0))
    assert harness.code("SetEntityState", entity="ego", state=state, set_twist=True) == OK
    harness.call("StepSimulation", steps=25)
    assert harness.call("GetEntityState", entity="ego").state.pose.position.x == pytest.approx(1.0)


@pytest.mark.parametrize("x_m", [math.nan, math.inf, 1e9])
def test_poses_that_are_none_are_refused(harness: Harness, x_m: float) -> None:
    state = EntityState()
    state.pose.position.x = x_m
    code = srv.SetEntityState.Response.INVALID_POSE
    assert harness.code("SetEntityState", entity="car-1", state=state, set_pose=True) == code
    state = EntityState()
    state.twist.angular.z = x_m if not math.isfinite(x_m) else math.nan
    assert harness.code("SetEntityState", entity="car-1", state=state, set_twist=True) == code


def test_unknown_entities_are_not_found_by_any_service(harness: Harness) -> None:
    for kind in ("GetEntityState", "GetEntityInfo", "GetEntityBounds", "SetEntityState", "DeleteEntity"):
        assert harness.code(kind, entity="no such entity") == NOT_FOUND, kind
    assert harness.code("DeleteEntity", entity="ego") == FAILED


def spawn(harness: Harness, uri: str, **fields: Any) -> Any:
    where = PoseStamped(header=header_message("ego", 0), pose=pose_message(pose(5.0, 0.5, 0.0)))
    return harness.call("SpawnEntity", entity_resource=Resource(uri=uri), **{"initial_pose": where, **fields})


def test_what_is_listed_can_be_spawned_and_deleted(harness: Harness) -> None:
    uris = [spawnable.entity_resource.uri for spawnable in harness.call("GetSpawnables").spawnables]
    assert uris == ["actor:car-1", "asset:barrel.ply"]
    assert spawn(harness, "actor:car-1", name="van").entity_name == "van"
    assert spawn(harness, "asset:barrel.ply", allow_renaming=True).entity_name == "barrel"
    assert spawn(harness, "asset:barrel.ply", name="barrel", allow_renaming=True).entity_name == "barrel_2"
    assert harness.entities() == ["ego", "car-1", "van", "barrel", "barrel_2"]
    assert harness.call("GetEntityState", entity="van").state.pose.position.y == pytest.approx(0.5)
    assert harness.code("DeleteEntity", entity="van") == OK
    assert harness.code("ResetSimulation", scope=srv.ResetSimulation.Request.SCOPE_SPAWNED) == OK
    assert harness.entities() == ["ego", "car-1"]


@pytest.mark.parametrize(
    ("uri", "fields", "code"),
    [
        ("actor:car-1", {"name": "car-1"}, "NAME_NOT_UNIQUE"),
        ("actor:car-1", {"name": ""}, "NAME_INVALID"),
        ("actor:car-1", {"name": "a b/c"}, "NAME_INVALID"),
        ("actor:bus", {"name": "x"}, "MISSING_ASSETS"),
        ("asset:../worlds/first/background.ply", {"name": "x"}, "MISSING_ASSETS"),
        ("/etc/passwd", {"name": "x"}, "MISSING_ASSETS"),
        ("", {"name": "x"}, "NO_RESOURCE"),
        (
            "actor:car-1",
            {"name": "x", "initial_pose": PoseStamped(header=header_message("nowhere", 0))},
            "INVALID_POSE",
        ),
    ],
)
def test_what_cannot_be_spawned_is_refused(harness: Harness, uri: str, fields: dict[str, Any], code: str) -> None:
    answer = spawn(harness, uri, **fields)
    assert answer.result.result == getattr(srv.SpawnEntity.Response, code)
    assert answer.result.error_message
    assert harness.entities() == ["ego", "car-1"]


def test_several_can_be_spawned_at_once_each_with_its_own_answer(harness: Harness) -> None:
    from simulation_interfaces.msg import SpawnEntity as SpawnRequest

    wishes = [SpawnRequest(name=name, entity_resource=Resource(uri="actor:car-1")) for name in ("a", "car-1", "b")]
    answer = harness.call("SpawnEntities", spawn_requests=wishes)
    assert answer.result.result == srv.SpawnEntities.Response.ENTITIES_SPAWN_FAILED
    assert [result.result.result for result in answer.results] == [OK, srv.SpawnEntity.Response.NAME_NOT_UNIQUE, OK]
    assert harness.entities() == ["ego", "car-1", "a", "b"]


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("../outside", "lies outside of"),
        ("link", "lies outside of"),
        ("/etc", "lies outside of"),
        ("file:///etc/passwd", "lies outside of"),
        ("http://example.com/scene", "is no path; name one inside"),
        ("nothing", "is no scene: it has no scene.json"),
        ("broken", "scene.json"),
    ],
)
def test_a_world_that_may_not_or_cannot_be_loaded_leaves_the_old_one(
    harness: Harness, folder: Path, uri: str, sentence: str
) -> None:
    answer = harness.call("LoadWorld", world_resource=Resource(uri=uri))
    assert answer.result.result > 100
    assert sentence in answer.result.error_message
    assert harness.call("GetCurrentWorld").world.world_resource.uri == (folder / "worlds" / "first").as_uri()
    assert harness.code("StepSimulation", steps=1) == OK


def test_worlds_are_listed_loaded_and_unloaded(harness: Harness) -> None:
    worlds = harness.call("GetAvailableWorlds").worlds
    assert {"first", "second"} <= {world.name for world in worlds}
    second = next(world for world in worlds if world.name == "second")
    answer = harness.call("LoadWorld", world_resource=second.world_resource)
    assert (answer.result.result, answer.world.name) == (OK, "second")
    assert harness.state() == SimulationState.STATE_STOPPED
    assert harness.code("UnloadWorld") == OK
    assert harness.state() == SimulationState.STATE_NO_WORLD
    assert harness.code("UnloadWorld") == srv.UnloadWorld.Response.NO_WORLD_LOADED
    assert harness.code("GetEntities") == Result.RESULT_INCORRECT_STATE
    assert harness.set_state(SimulationState.STATE_PLAYING) == Result.RESULT_INCORRECT_STATE


@pytest.mark.slow
def test_memory_does_not_grow_in_half_an_hour_of_steps(folder: Path, ros_domain_id: int, ros_node: "Node") -> None:
    """18 000 steps of 0.1 s, an image in every tenth, as fast as they go; what is spawned goes again."""
    assert ros_domain_id
    parameters = {
        "scene": folder / "worlds" / "first",
        "publish_clock": True,
        "pose_source": "log",
        "step_s": 0.1,
    }
    rig = folder / "slow.yaml"
    rig.write_text("cameras: {front: {like: front, rate_hz: 1}}", encoding="utf-8")
    with NodeProcess("sensor_sim", folder / "long.log", parameters | {"rig": rig}, "-r", "__ns:=/long") as node:
        harness = Harness(ros_node, node, "/long")
        images: list[int] = []
        ros_node.create_subscription(Image, "/long/front/image_raw", lambda image: images.append(image.width), 10)
        harness.restart()
        wait_until(lambda: harness.code("StepSimulation", steps=100) == OK and len(images) > 20, "images")
        before_mb = node.rss_mb()
        for _ in range(18):
            assert spawn(harness, "actor:car-1", name="guest").result.result == OK
            assert harness.code("StepSimulation", steps=1000) == OK
            assert harness.code("DeleteEntity", entity="guest") == OK
        assert len(images) > 1800
        assert node.rss_mb() - before_mb < 5.0


def test_a_long_series_of_steps_ends_when_somebody_wants_something_else(harness: Harness) -> None:
    service = srv.StepSimulation
    client: Any = harness.node.create_client(service, "/step_simulation")
    assert client.wait_for_service(20.0)
    ends: list[Callable[[], int]] = [
        lambda: harness.set_state(SimulationState.STATE_PAUSED),
        lambda: harness.set_state(SimulationState.STATE_STOPPED),
        lambda: harness.code("LoadWorld", world_resource=Resource(uri="second")),
    ]

    def now_ns() -> int:
        return time_ns(harness.call("GetEntityState", entity="ego").state.header.stamp)

    for end in ends:
        if harness.state() != SimulationState.STATE_PAUSED:
            harness.set_state(SimulationState.STATE_PAUSED)
        start_ns = now_ns()
        steps = client.call_async(service.Request(steps=1_000_000))
        wait_until(lambda since_ns=start_ns: now_ns() > since_ns, "time moves")  # type: ignore[misc]  # a default
        assert end() == OK
        answer = wait_for(steps, 10.0)
        assert answer.result.result == FAILED
        assert "of 1000000 steps, as somebody asked" in answer.result.error_message
    harness.node.destroy_client(client)


def test_names_of_frames_are_no_names_of_entities(harness: Harness) -> None:
    for name in ("map", "base_link", "world"):
        assert spawn(harness, "actor:car-1", name=name).result.result == srv.SpawnEntity.Response.NAME_INVALID
