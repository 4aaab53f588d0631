"""The reconstructor node as its users meet it: processes of their own, talking over DDS."""

import json
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from drive_player import Player
from node_process import NodeProcess, is_running, wait_until
from reconstruct_client import ABORTED, SUCCEEDED, Client
from small_drive import NUM_FRAMES, write_drive

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from spun_node import spun_node

from gs_sim.scene.storage import load_scene
from gs_sim.sources.bag_file import BagFile

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = pytest.mark.ros

QUICK = {
    "reconstruct.optimise.steps": "20",
    "reconstruct.path.correct_with_lidar": "false",
    "reconstruct.initialise.stereo.num_planes": "8",
    "reconstruct.initialise.stereo.neighbours": "1",
    "reconstruct.initialise.stereo.working_width_px": "32",
}
FOREVER = 1_000_000
"""Steps that no test waits for."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where goals may read and write: a small drive, and a link that leads out."""
    folder = tmp_path_factory.mktemp("drives")
    write_drive(folder / "drive")
    (folder / "escape").symlink_to("/usr")
    return folder


@pytest.fixture(scope="module")
def node(ros_domain_id: int) -> Iterator["Node"]:
    """As `ros_node`, but for all tests here: finding each other takes seconds when the machine is busy."""
    with spun_node("test_reconstructor", ros_domain_id) as node:
        yield node


def start(name: str, log: Path, parameters: dict[str, str]) -> NodeProcess:
    return NodeProcess("reconstructor", log, parameters, "-r", f"__node:={name}")


@pytest.fixture(scope="module")
def shared() -> Iterator[list[NodeProcess]]:
    """The node that the tests share is the last one of these."""
    nodes: list[NodeProcess] = []
    yield nodes
    for process in nodes:
        process.end()


@pytest.fixture
def reconstructor(shared: list[NodeProcess], ros_domain_id: int, folder: Path) -> NodeProcess:
    """One node for many tests: each goal is the next one for a node that has been through the others."""
    assert ros_domain_id
    if not shared or not shared[-1].is_alive():
        parameters = {"bag_folder": str(folder), "reconstruct.holdout": "5", "max_cloud_points": "50", **QUICK}
        log = folder.parent / f"{folder.name}.log"
        shared.append(start("shared", log, parameters))
    return shared[-1]


@pytest.fixture
def client(node: "Node", reconstructor: NodeProcess) -> Iterator[Client]:
    assert reconstructor.is_alive()
    client = Client(node, "shared")
    yield client
    client.close()


def hidden_files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def receive_latched(node: "Node", message_type: Any, topic: str) -> Any:
    """The last message of a latched topic, for one who comes late."""
    from gs_sim.nodes.ros.qos import latched

    received: list[Any] = []
    subscription = node.create_subscription(message_type, topic, received.append, latched())
    wait_until(lambda: bool(received), f"a message on {topic}")
    node.destroy_subscription(subscription)
    return received[-1]


def test_a_bag_becomes_a_scene_with_feedback_and_pictures(node: "Node", client: Client, folder: Path) -> None:
    from nav_msgs.msg import Path as PathMessage
    from sensor_msgs.msg import PointCloud2
    from visualization_msgs.msg import MarkerArray

    from gs_sim_msgs.msg import SceneInfo

    goal = client.send(bag="drive", scene_path="scenes/first")
    second = client.send(bag="drive")
    assert not second.handle.accepted
    status, result = goal.result()
    assert (status, result.success, result.message) == (SUCCEEDED, True, "")
    scene = load_scene(folder / "scenes" / "first")
    assert result.scene.path == str(folder / "scenes" / "first")
    assert result.scene.num_gaussians_background == len(scene.background) > 0
    assert list(result.scene.camera_names) == ["left", "right"]
    assert math.isfinite(result.psnr_db)
    assert 0 < result.seconds_refine < result.seconds

    assert {heard.stage for heard in goal.feedback} >= {"start", "refine"}
    fractions = [heard.progress for heard in goal.feedback]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1
    gaps_s = [after - before for before, after in zip(goal.times_s, goal.times_s[1:], strict=False)]
    assert sum(gaps_s) / len(gaps_s) > 0.18, "feedback comes about five times a second"
    assert any(heard.num_gaussians > 0 and math.isfinite(heard.psnr_db) for heard in goal.feedback)

    assert receive_latched(node, SceneInfo, "/shared/scene_info") == result.scene
    cloud = receive_latched(node, PointCloud2, "/shared/centres")
    assert (cloud.header.frame_id, cloud.width) == ("map", 50)
    path = receive_latched(node, PathMessage, "/shared/path")
    assert abs(path.poses[0].pose.position.x - 450_000) < 5, "in the coordinates of the map"
    assert len(receive_latched(node, MarkerArray, "/shared/cameras").markers) == 3
    assert receive_latched(node, MarkerArray, "/shared/actors").markers[0].action == 3


REFUSALS: dict[str, dict[str, Any]] = {
    "lies outside of": {"bag": "../../etc"},
    "lies outside of ": {"bag": "/etc/passwd"},
    " lies outside of": {"bag": "escape/share"},
    "scene_path '../scene' lies outside": {"bag": "drive", "scene_path": "../scene"},
    "scene_path 'escape/scene' lies outside": {"bag": "drive", "scene_path": "escape/scene"},
    "not that folder itself": {"bag": "drive", "scene_path": "."},
    "cannot be used as a path": {"bag": "drive" * 10_000},
    "there is no bag": {"bag": "nothing"},
    "did you mean 'optimise'?": {"bag": "drive", "config_yaml": "optimize: {steps: 3}"},
    "is no valid YAML": {"bag": "drive", "config_yaml": "a: ["},
    "expected a mapping": {"bag": "drive", "config_yaml": "- 1"},
    "!!python/object": {"bag": "drive", "config_yaml": "!!python/object/apply:os.system ['true']"},
    "budget_s must be a finite number": {"bag": "drive", "budget_s": math.nan},
    "steps must be between": {"bag": "drive", "steps": 2**32 - 1},
    "not built yet": {"bag": "drive", "config_yaml": "poses: ggrt"},
    "g3r.weights names a file": {"bag": "drive", "config_yaml": "g3r: {weights: /etc/passwd}"},
    "method must be one of": {"bag": "drive", "method": "magic"},
    "live_duration_s must be between 0.1 and 86400 s, got nan": {"live_duration_s": math.nan},
    "live_duration_s must be between 0.1 and 86400 s, got 1e+09": {"live_duration_s": 1e9},
}


def test_a_goal_may_ask_for_learned_steps(client: Client, folder: Path) -> None:
    status, result = client.send(bag="drive", scene_path="learned", method="g3r", steps=3).result()
    assert (status, result.success, result.message) == (SUCCEEDED, True, "")
    report = json.loads((folder / "learned" / "report.json").read_text())
    assert (report["method"], report["steps"]) == ("g3r", 3)


def test_what_cannot_be_done_is_refused_in_one_sentence(client: Client, folder: Path) -> None:
    before = sorted(folder.iterdir())
    for expected, fields in REFUSALS.items():
        status, result = client.send(**fields).result()
        assert (status, result.success) == (ABORTED, False)
        assert expected.strip() in result.message
        assert "\n" not in result.message
    assert sorted(folder.iterdir()) == before


def test_a_killed_process_is_one_sentence_and_the_next_goal_can_be_cancelled_at_work(
    client: Client, reconstructor: NodeProcess, folder: Path
) -> None:
    goal = client.send(bag="drive", scene_path="killed")
    wait_until(lambda: len(reconstructor.children()) == 1, "the process of the reconstruction")
    os.kill(reconstructor.children()[0], signal.SIGKILL)
    status, result = goal.result()
    assert status == ABORTED
    assert "ended by SIGKILL; memory may have run out" in result.message
    assert not (folder / "killed").exists()

    goal = client.send(bag="drive", scene_path="cancelled", steps=FOREVER)
    goal.wait_for_stage("refine")
    assert goal.cancel() < 2.0
    assert not (folder / "cancelled").exists()
    assert hidden_files(folder) == []
    assert reconstructor.children() == []


def test_a_goal_can_be_cancelled_while_its_process_starts(client: Client, reconstructor: NodeProcess) -> None:
    goal = client.send(bag="drive", scene_path="cancelled", steps=FOREVER)
    wait_until(lambda: len(reconstructor.children()) == 1, "the process of the reconstruction")
    assert goal.cancel() < 2.0
    assert reconstructor.children() == []


def test_a_live_drive_becomes_a_scene(node: "Node", client: Client, reconstructor: NodeProcess, folder: Path) -> None:
    for package in ("tf2_msgs.msg", "vision_msgs.msg"):
        pytest.importorskip(package, reason="needs the interfaces of test/ros_interfaces, or a ROS distribution")
    with BagFile(folder / "drive") as bag:
        topics = [topic.name for topic in bag.topics]
        messages = [message._replace(data=bytes(message.data)) for message in bag.messages(topics)]
    player = Player(node, messages)
    late = "/tracks"
    player.offer([topic for topic in topics if topic != late])
    goal = client.send(live_duration_s=5.0, scene_path="live")
    player.wait_for_subscribers()
    player.offer([late])
    player.wait_for_subscribers()
    player.play()
    status, result = goal.result()
    player.close()
    assert (status, result.message) == (SUCCEEDED, "")
    assert {heard.stage for heard in goal.feedback} >= {"record", "refine"}
    report = json.loads((folder / "live" / "report.json").read_text(encoding="utf-8"))
    assert report["num_views"] == 2 * (NUM_FRAMES - NUM_FRAMES // 5), "every image arrived, and every fifth is held out"
    assert len(load_scene(folder / "live").rig.cameras) == 2
    assert (result.num_skipped, list(result.skipped_reasons)) == (0, [])
    assert hidden_files(folder) == []
    assert "recording /left/image_rect" in reconstructor.text()
    assert "recording /shared/centres" not in reconstructor.text(), "a map is no sweep"


def test_recordings_can_be_cancelled_again_and_again(
    node: "Node", client: Client, reconstructor: NodeProcess, folder: Path
) -> None:
    from nav_msgs.msg import Odometry

    publisher = node.create_publisher(Odometry, "/odometry", 10)
    timer = node.create_timer(0.005, lambda: publisher.publish(Odometry()))
    for _ in range(8):
        goal = client.send(live_duration_s=100.0, scene_path="cancelled")
        wait_until(lambda: publisher.get_subscription_count() == 1, "the subscription")
        assert goal.cancel() < 2.0
    node.destroy_timer(timer)
    node.destroy_publisher(publisher)
    assert hidden_files(folder) == []
    assert "Traceback" not in reconstructor.text()


def test_a_live_goal_without_publishers_ends_in_a_sentence(client: Client, folder: Path) -> None:
    status, result = client.send(live_duration_s=0.3, scene_path="nothing").result()
    assert status == ABORTED
    assert "not one message arrived" in result.message
    assert hidden_files(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_node_leaves_cleanly_from_whatever_it_does(
    node: "Node", folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    common = {"bag_folder": str(folder), "scene_folder": str(tmp_path), **QUICK}
    busy = {"bag": str(folder / "drive"), "scene": str(tmp_path / "scene"), "exit_when_done": "true"}
    busy |= {"reconstruct.optimise.budget_s": "1000.0"}
    processes = [
        start("idle", tmp_path / "idle.log", common),
        start("recording", tmp_path / "recording.log", common),
        start("working", tmp_path / "working.log", {**common, **busy}),
    ]
    try:
        clients = [Client(node, name) for name in ("idle", "recording", "working")]
        clients[1].send(live_duration_s=1000.0, scene_path="live").wait_for_stage("record")
        wait_until(lambda: len(processes[2].children()) == 1, "the process of the reconstruction")
        (child,) = processes[2].children()
        for process in processes:
            process.send(number)
        assert [process.process.wait(10) for process in processes] == [0, 0, 0]
        assert not is_running(child)
        assert {path.suffix for path in tmp_path.iterdir()} == {".log"}, "nothing but the logs is left"
        for client in clients:
            client.close()
    finally:
        for process in processes:
            process.end()


@pytest.mark.usefixtures("ros_domain_id")
def test_a_bag_given_at_start_is_reconstructed_and_the_code_says_how_it_went(folder: Path, tmp_path: Path) -> None:
    common = {"exit_when_done": "true", **QUICK}
    good = {"bag": str(folder / "drive"), "scene": str(tmp_path / "scene")}
    processes = [
        start("good", tmp_path / "good.log", {**common, **good}),
        start("bad", tmp_path / "bad.log", {**common, "bag": str(tmp_path / "nothing")}),
    ]
    try:
        assert [process.process.wait(60) for process in processes] == [0, 2]
        assert len(load_scene(tmp_path / "scene").rig.cameras) == 2
        assert f"there is no bag at {tmp_path / 'nothing'}" in processes[1].text()
    finally:
        for process in processes:
            process.end()


def test_a_node_that_dies_takes_its_reconstruction_with_it(client: Client, reconstructor: NodeProcess) -> None:
    client.send(bag="drive", scene_path="orphan", steps=FOREVER)
    wait_until(lambda: len(reconstructor.children()) == 1, "the process of the reconstruction")
    (child,) = reconstructor.children()
    reconstructor.process.kill()
    wait_until(lambda: not is_running(child), "the end of the orphan", 20.0)
