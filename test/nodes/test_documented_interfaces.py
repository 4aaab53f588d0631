"""docs/ros.md and README.md name the topics, services and parameters that the nodes have."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from node_process import NodeProcess, wait_until
from tiny_world import make_tiny_world

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from gs_sim.nodes.reconstructing.settings import ReconstructorSettings
from gs_sim.nodes.simulating.settings import SensorSimSettings
from gs_sim.scene.storage import save_scene

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"reconstructor": ReconstructorSettings(), "sensor_sim": SensorSimSettings()}
OF_EVERY_NODE = {"/rosout", "/parameter_events"}
RIG = "cameras: {front: {like: front, has_depth: true}}"


def tables(node: str) -> dict[str, list[list[str]]]:
    """The rows of each table in a node's section, by the first cell of its head."""
    text = (ROOT / "docs" / "ros.md").read_text("utf-8")
    section = text.split(f"\n## {node}\n")[1].split("\n## ")[0]
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()]
        found[rows[0][0]] = rows[2:]
    return found


def names(rows: list[list[str]], node: str) -> set[str]:
    """What the first cells name, as ROS resolves it."""
    found = re.findall(r"`([^`]+)`", " ".join(row[0] for row in rows))
    return {resolved(name, node) for name in found}


def resolved(name: str, node: str) -> str:
    name = name.replace("<camera>", "front").replace("~/", f"{node}/")
    return name if name.startswith("/") else f"/{name}"


def parameter_names(settings: Any, prefix: str = "") -> set[str]:
    found = set()
    for field in fields(settings):
        value = getattr(settings, field.name)
        is_group = is_dataclass(value)
        found |= parameter_names(value, f"{prefix}{field.name}.") if is_group else {prefix + field.name}
    return found


@pytest.mark.parametrize("node", SETTINGS)
def test_documented_parameters_exist(node: str) -> None:
    documented = set(re.findall(r"`([^`]+)`", " ".join(row[0] for row in tables(node)["parameter"])))
    assert documented
    assert documented - parameter_names(SETTINGS[node]) == set()


def test_documented_topics_and_services_are_those_of_the_node(tmp_path: Path, ros_node: "Node") -> None:
    pytest.importorskip("simulation_interfaces", reason="simulation_interfaces is not installed")
    save_scene(make_tiny_world().scene, tmp_path / "scene")
    (tmp_path / "rig.yaml").write_text(RIG, encoding="utf-8")
    parameters = {"scene": "scene", "rig": "rig.yaml", "publish_clock": True, "pose_source": "log"}
    with NodeProcess("sensor_sim", tmp_path / "log", parameters) as node:
        node.wait_for("seen by")
        documented = tables("sensor_sim")
        published = names(documented["published"], "sensor_sim")
        wait_until(lambda: published_by(ros_node, "sensor_sim") == published, f"only {sorted(published)} are published; there is {sorted(published_by(ros_node, 'sensor_sim'))}", 10.0)  # fmt: skip
        assert services_of(ros_node, "sensor_sim") == names(documented["service or action"], "sensor_sim")
    with NodeProcess("reconstructor", tmp_path / "log_too", {}):
        documented = tables("reconstructor")
        published = names(documented["topic"], "reconstructor")
        wait_until(lambda: published_by(ros_node, "reconstructor") == published, f"only {sorted(published)} are published", 20.0)  # fmt: skip
        actions = names(documented["action"], "reconstructor")
        wait_until(lambda: services_of(ros_node, "reconstructor") == actions, f"only {actions} are offered", 10.0)


def published_by(node: "Node", name: str) -> set[str]:
    """The topics of another node, those of all nodes and of its actions left out."""
    try:
        found = {topic for topic, _ in node.get_publisher_names_and_types_by_node(name, "/")}
    except RuntimeError:  # it is not known yet
        return set()
    return {topic for topic in found if "/_action/" not in topic} - OF_EVERY_NODE


def services_of(node: "Node", name: str) -> set[str]:
    """The services and actions of another node, those for its parameters left out."""
    found = {service for service, _ in node.get_service_names_and_types_by_node(name, "/")}
    of_parameters = {service for service in found if re.fullmatch(rf"/{name}/\w*(parameter|type_description)\w*", service)}  # fmt: skip
    return {service.split("/_action/")[0] for service in found - of_parameters}


def test_the_readme_names_what_docs_ros_names() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").split("\n## ROS 2\n")[1].split("\n## ")[0]
    text = (ROOT / "docs" / "ros.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in readme.splitlines() if line.startswith("|")]
    named = re.findall(r"`([^`]+)`", " ".join(rows))
    assert named
    assert {name for name in named if f"{name}`" not in text and f"## {name}\n" not in text} == set()
    for file in re.findall(r"ros2 launch gs_sim (\S+)", readme):
        assert (ROOT / "launch" / file).is_file()
    for file, given in re.findall(r"ros2 launch gs_sim (\S+) ([^#\n]*)", readme):
        declared = (ROOT / "launch" / file).read_text("utf-8")
        assert all(f'"{name}"' in declared for name in re.findall(r"(\w+):=", given))
