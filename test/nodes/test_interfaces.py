"""Every interface that nodes and tests speak is built, is the official one, and travels."""

import importlib
import json
import os
from pathlib import Path
from queue import Queue
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from gs_sim.sources.message_types import ros2_types

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed")

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "gs_sim_msgs", *(path.parent for path in (ROOT / "test/ros_interfaces").glob("*/package.xml"))]
INTERFACES = sorted(
    f"{folder.name}/{kind}/{path.stem}"
    for folder in FOLDERS
    for kind in ("msg", "srv", "action")
    for path in (folder / kind).glob(f"*.{kind}")
)

# From a build of simulation_interfaces 2.1.0 itself.
SIMULATION_INTERFACES = {
    "srv/StepSimulation": "RIHS01_913fe0653690ce6bf8f09f316e6a626747012e9fca31e26719910d417aa8565c",
    "srv/StepSimulation_Request": "RIHS01_cda33f6887815f3dce0f90e61fd8efd39bda13ae264ddede15c33fbad890630e",
    "srv/SpawnEntity_Request": "RIHS01_9bc04fe30d4844466c57b7b090fd7e9aa426995f3eb6ff9a726826ab7223e1fd",
    "srv/SetEntityState_Request": "RIHS01_0ec3cca7e2bde7323c0c7ea4a5a7947f81edb90c144fc0aef5e2052e94e10061",
    "msg/SimulatorFeatures": "RIHS01_8b101c8529bc0ea3dcf056078254768f39832b9ef0adaf93bd5cea96c0de3305",
    "action/SimulateSteps": "RIHS01_f0837c898e1219cd73bf4c041feab41e8c533e8e1057e982744dba7b093467eb",
    "action/SimulateSteps_Goal": "RIHS01_3f02c5df1dcdc7c08efee7f47c953c42c11686e0df8f8bbfb2d7e901f0d440d2",
}


def module_of(name: str) -> ModuleType:
    """Import a module of an interface package; only a ROS 2 of its own may lack one of those that tests bring."""
    if "ROS_DISTRO" in os.environ:
        pytest.importorskip(name)
    return importlib.import_module(name)


def type_hash(interface: str) -> str:
    """The hash that the build of an interface states beside it, in the share folder of its package."""
    package, kind, name = interface.split("/")
    (place,) = module_of(package).__path__
    share = next(folder / "share" for folder in Path(place).parents if (folder / "share" / package).is_dir())
    description = json.loads((share / package / kind / f"{name.partition('_')[0]}.json").read_text("utf-8"))
    hashes: dict[str, str] = {known["type_name"]: known["hash_string"] for known in description["type_hashes"]}
    return hashes[interface]


def hash_on_the_wire(node: "Node", message: type[Any]) -> str:
    """The hash with which a publisher of this message introduces itself."""
    publisher = node.create_publisher(message, "hashed", 1)
    (endpoint,) = node.get_publishers_info_by_topic("hashed")
    node.destroy_publisher(publisher)
    return str(endpoint.topic_type_hash)


def test_every_interface_is_there() -> None:
    assert {name.partition("/")[0] for name in INTERFACES} == {
        "gs_sim_msgs", "simulation_interfaces", "tf2_msgs", "vision_msgs"
    }  # fmt: skip


@pytest.mark.parametrize("interface", INTERFACES)
def test_an_interface_is_built_under_its_name(interface: str) -> None:
    from rclpy.type_support import check_for_type_support

    package, kind, name = interface.split("/")
    check_for_type_support(getattr(module_of(f"{package}.{kind}"), name))


@pytest.mark.parametrize("message", ["tf2_msgs/msg/TFMessage", "vision_msgs/msg/Detection3DArray"])
def test_live_messages_and_bags_mean_the_same_type(ros_node: "Node", message: str) -> None:
    package, kind, name = message.split("/")
    expected = ros2_types().hash_rihs01(message)
    assert type_hash(message) == expected
    assert hash_on_the_wire(ros_node, getattr(module_of(f"{package}.{kind}"), name)) == expected


@pytest.mark.parametrize("name", SIMULATION_INTERFACES)
def test_the_simulation_interfaces_are_the_official_ones(name: str) -> None:
    assert type_hash(f"simulation_interfaces/{name}") == SIMULATION_INTERFACES[name]


def test_constants_and_defaults_are_the_official_ones() -> None:
    # a type hash covers neither
    messages, services = module_of("simulation_interfaces.msg"), module_of("simulation_interfaces.srv")
    assert services.StepSimulation.Request().steps == 1
    assert services.ResetSimulation.Request.SCOPE_ALL == 255
    assert services.SpawnEntities.Response.ENTITIES_SPAWN_FAILED == 150
    assert messages.Result.RESULT_OPERATION_FAILED == 4
    assert messages.SimulationState.STATE_LOADING_WORLD == 5
    assert messages.SimulatorFeatures.SPAWNING_ENTITIES == 50


def test_a_transform_makes_a_round_trip(ros_node: "Node") -> None:
    from geometry_msgs.msg import TransformStamped
    from rclpy.qos import DurabilityPolicy, QoSProfile

    message_type = module_of("tf2_msgs.msg").TFMessage
    kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    received: Queue[Any] = Queue()
    back = ros_node.create_publisher(message_type, "back", kept)
    ros_node.create_subscription(message_type, "there", back.publish, kept)
    ros_node.create_subscription(message_type, "back", received.put, kept)

    transform = TransformStamped(child_frame_id="base_link")
    transform.header.frame_id = "map"
    transform.transform.translation.x = 1.5
    sent = message_type(transforms=[transform])
    ros_node.create_publisher(message_type, "there", kept).publish(sent)

    assert received.get(timeout=20) == sent
