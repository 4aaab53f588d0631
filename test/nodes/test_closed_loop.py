"""The loop closed: sensor_sim, the braking example and a harness, each a process of its own, over DDS."""

import contextlib
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from node_process import NodeProcess, wait_for, wait_until
from tiny_road import MAP_FROM_WORLD, RIG_YAML, make_road_scene
from tiny_world import START_NS, pose

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("simulation_interfaces.srv", reason="simulation_interfaces is not installed")

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image
from simulation_interfaces import srv
from simulation_interfaces.msg import Resource, Result, SimulationState

from gs_sim.nodes.ros.conversions import header_message, pose_message, time_ns
from gs_sim.nodes.ros.qos import latched
from gs_sim.scene.storage import save_scene

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = pytest.mark.ros

STEP_NS = 20_000_000
STEPS_PER_IMAGE = 5
NUM_STEPS = 51
"""One second, from the first image to the eleventh."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ros_domain_id: int) -> Path:
    """The scene and the rig, and that all processes talk in the domain of this test."""
    assert ros_domain_id
    folder = tmp_path_factory.mktemp("closed_loop")
    save_scene(make_road_scene(), folder / "scene")
    (folder / "rig.yaml").write_text(RIG_YAML, encoding="utf-8")
    return folder


def simulator(folder: Path, pose_timeout_s: float = 5.0) -> NodeProcess:
    parameters = {
        "scene": folder / "scene",
        "rig": folder / "rig.yaml",
        "publish_clock": True,
        "step_s": STEP_NS / 1e9,
        "pose_timeout_s": pose_timeout_s,
    }
    return NodeProcess("sensor_sim", folder / f"simulator_{time.monotonic_ns()}.log", parameters)


def vehicle(folder: Path) -> NodeProcess:
    return NodeProcess("examples.braking", folder / f"vehicle_{time.monotonic_ns()}.log", {})


def call(node: "Node", kind: str, name: str, /, **fields: Any) -> Any:
    client: Any = node.create_client(getattr(srv, kind), name)
    assert client.wait_for_service(30.0), f"no service {name}"
    answer = wait_for(client.call_async(getattr(srv, kind).Request(**fields)))
    node.destroy_client(client)
    return answer


def reset(node: "Node") -> None:
    assert call(node, "ResetSimulation", "reset_simulation").result.result == Result.RESULT_OK


def step(node: "Node", num_steps: int) -> Any:
    return call(node, "StepSimulation", "step_simulation", steps=num_steps).result


def pause(node: "Node") -> None:
    state = SimulationState(state=SimulationState.STATE_PAUSED)
    assert call(node, "SetSimulationState", "set_simulation_state", state=state).result.result == Result.RESULT_OK


class Witness:
    """Hears images and poses, in order."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self.images: list[Image] = []
        self.poses: list[Odometry] = []
        self.status: list[DiagnosticStatus] = []
        self._subscriptions = [
            node.create_subscription(Image, "/front/image_raw", self.images.append, 100),
            node.create_subscription(Odometry, "/odometry", self._on_pose, 1000),
            node.create_subscription(DiagnosticStatus, "/braking_example/status", self.status.append, latched()),
        ]

    def _on_pose(self, message: Odometry) -> None:
        """Until it sees, the vehicle says the same pose again."""
        if not self.poses or stamp(self.poses[-1]) != stamp(message):
            self.poses.append(message)

    def is_ready(self) -> bool:
        """Whether the vehicle sees and answers, when some steps are tried."""
        if not self.status or self.status[-1].level != DiagnosticStatus.OK:
            return False
        reset(self._node)
        has_stepped = step(self._node, 3 * STEPS_PER_IMAGE).result == Result.RESULT_OK
        return has_stepped and bool(self.images) and self.status[-1].level == DiagnosticStatus.OK

    def second(self) -> tuple[list[tuple[int, str]], list[tuple[int, ...]]]:
        """A second from the start, braking: stamps and hashes of all images, stamps and numbers of all poses."""
        reset(self._node)
        wait_until(lambda: bool(self.poses) and stamp(self.poses[-1]) == START_NS, "the vehicle is back at the start")
        del self.poses[:-1]
        self.images.clear()
        place = PoseStamped(header=header_message("ego", 0), pose=pose_message(pose(16.0, 0.0, 0.75)))
        car = {"name": "obstacle", "entity_resource": Resource(uri="actor:car-1"), "initial_pose": place}
        assert call(self._node, "SpawnEntity", "spawn_entity", **car).result.result == Result.RESULT_OK
        assert step(self._node, NUM_STEPS).result == Result.RESULT_OK
        wait_until(lambda: len(self.images) >= 11 and len(self.poses) >= NUM_STEPS + 1, "all images and poses", 10.0)
        images = [(stamp(image), hashlib.sha256(image.data).hexdigest()) for image in self.images]
        return images, [numbers(odometry) for odometry in self.poses]

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


def stamp(message: Any) -> int:
    return time_ns(message.header.stamp)


def numbers(odometry: Odometry) -> tuple[Any, ...]:
    place, turn, speed = odometry.pose.pose.position, odometry.pose.pose.orientation, odometry.twist.twist
    return (stamp(odometry), place.x, place.y, place.z, turn.w, turn.x, turn.y, turn.z, speed.linear.x, speed.angular.z)


@contextlib.contextmanager
def closed_loop(folder: Path, node: "Node") -> Iterator[Witness]:
    with simulator(folder) as first, vehicle(folder) as second:
        pause(node)
        witness = Witness(node)
        wait_until(witness.is_ready, "the loop is closed")
        yield witness
        witness.close()
        # who is killed is missed for seconds: requests would still go there
        assert (second.interrupt(signal.SIGINT), first.interrupt(signal.SIGINT)) == (0, 0)
    wait_until(lambda: node.count_publishers("/clock") == 0, "the simulator is gone")


def test_the_vehicle_stops_before_an_inserted_one_and_for_nothing_else(folder: Path) -> None:
    given = {"output": folder / "pictures", "distance_m": 25.0, "steps_per_look": STEPS_PER_IMAGE}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    scenario = [sys.executable, "-m", "gs_sim.nodes.examples.braking_scenario", "--ros-args", *words]
    with simulator(folder) as first, vehicle(folder) as second:
        done = subprocess.run(scenario, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + first.text() + second.text()
        assert (second.interrupt(signal.SIGINT), first.interrupt(signal.SIGINT)) == (0, 0)
    report = json.loads((folder / "pictures" / "report.json").read_text(encoding="utf-8"))
    before, without = report["runs"]
    assert report["faults"] == []
    assert before["has_stopped"]
    assert 1.5 < before["smallest_gap_m"] < 2.6
    assert before["num_collisions"] == 0
    assert not without["has_stopped"]
    assert without["lowest_mps"] == pytest.approx(8.0, rel=0.01)
    assert without["num_images"] == without["num_steps"] // STEPS_PER_IMAGE + 1
    for picture in ("with_a_vehicle_in_the_way.mp4", "with_a_vehicle_in_the_way_last.png", "without_first.png"):
        assert (folder / "pictures" / picture).stat().st_size > 1000


def test_equal_runs_give_equal_images_and_poses_after_a_reset_and_in_new_processes(
    folder: Path, ros_node: "Node"
) -> None:
    with closed_loop(folder, ros_node) as witness:
        images, poses = witness.second()
        again = witness.second()
    with closed_loop(folder, ros_node) as witness:
        elsewhere = witness.second()
    period_ns = STEPS_PER_IMAGE * STEP_NS
    assert [stamp_ns for stamp_ns, _ in images] == [START_NS + STEP_NS + k * period_ns for k in range(11)]
    assert len({digest for _, digest in images}) == 11
    assert [each[0] for each in poses] == [START_NS + k * STEP_NS for k in range(NUM_STEPS + 1)]
    assert list(poses[0][1:4]) == MAP_FROM_WORLD[:3, 3].tolist()
    speeds_mps = [each[-2] for each in poses]
    assert speeds_mps[1] == pytest.approx(8.0, rel=0.01)
    assert 3.5 < speeds_mps[-1] < 5.5, "it brakes by what it sees: at the tick where it sees it, equally each time"
    assert again == (images, poses)
    assert elsewhere == (images, poses)


def test_without_a_vehicle_a_step_is_refused_in_time_and_the_simulator_lives(folder: Path, ros_node: "Node") -> None:
    with simulator(folder, pose_timeout_s=1.0) as node:
        pause(ros_node)
        witness = Witness(ros_node)
        wait_until(lambda: ros_node.count_publishers("/front/image_raw") > 0, "the camera's topic")
        time.sleep(0.5)
        start_s = time.monotonic()
        answer = step(ros_node, 1)
        assert time.monotonic() - start_s < 3.0
        assert answer.result == Result.RESULT_OPERATION_FAILED
        assert "no pose of the vehicle for 1700000000.020 s came on 'odometry' within 1 s" in answer.error_message
        assert "(none came at all)" in answer.error_message
        reset(ros_node)
        assert call(ros_node, "GetSimulationState", "get_simulation_state").state.state == SimulationState.STATE_PAUSED
        assert node.is_alive()
        witness.close()
