"""What lies in config/ and rviz/ is what the nodes understand, and the executables start them."""

import ast
import os
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_world import make_tiny_world

pytest.importorskip("rclpy", reason="ROS 2 is not installed, and settings of nodes name what it offers")

from gs_sim.config import load_config, override
from gs_sim.errors import ConfigError
from gs_sim.geometry.rig import Rig
from gs_sim.nodes.reconstructing.settings import ReconstructorSettings
from gs_sim.nodes.simulating.settings import SensorSimSettings
from gs_sim.simulation.simulator import Simulator
from gs_sim.simulation.virtual_camera import load_rig
from gs_sim.training.train_g3r import TrainG3RSettings

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config"
NODES = ROOT / "gs_sim" / "nodes"
SETTINGS = {"reconstructor.param.yaml": ReconstructorSettings(), "sensor_sim.param.yaml": SensorSimSettings()}
RIGS = sorted((CONFIG / "rigs").glob("*.yaml"))
EXECUTABLES = sorted(path for path in (NODES / "executables").iterdir() if path.is_file())


def parameters_of(path: Path) -> Any:
    """The parameters in a file as ROS reads it."""
    document = yaml.safe_load(path.read_text("utf-8"))
    assert set(document) == {"/**"}, "under the name of a node, a file would win over launch arguments"
    assert set(document["/**"]) == {"ros__parameters"}
    return document["/**"]["ros__parameters"]


def equal_to_default(defaults: Any, values: dict[str, Any], prefix: str = "") -> list[str]:
    """Which values of a file say nothing."""
    found = []
    for name, value in values.items():
        default = getattr(defaults, name)
        if is_dataclass(default):
            found += equal_to_default(default, value, f"{prefix}{name}.")
        elif override(defaults, {name: value}) == defaults:
            found.append(prefix + name)
    return found


def test_there_is_a_parameter_file_for_each_node_and_every_file_is_known() -> None:
    files = {str(path.relative_to(CONFIG)) for path in CONFIG.rglob("*") if path.is_file()}
    others = {"fastdds_shm.xml", "README.md", "train_g3r_gpu.yaml"}
    assert files == {*SETTINGS, *(f"rigs/{path.name}" for path in RIGS), *others}


def test_the_larger_training_is_one_that_settings_allow() -> None:
    settings = load_config(CONFIG / "train_g3r_gpu.yaml", TrainG3RSettings())
    assert settings.networks.width > TrainG3RSettings().networks.width


@pytest.mark.parametrize("name", SETTINGS)
def test_a_parameter_file_holds_known_parameters_that_differ_from_their_defaults(name: str) -> None:
    values = parameters_of(CONFIG / name)
    assert values
    override(SETTINGS[name], values, where=name)
    assert equal_to_default(SETTINGS[name], values) == []


def test_what_a_parameter_file_must_not_hold_is_found() -> None:
    defaults = SensorSimSettings()
    assert equal_to_default(defaults, {"jpeg_quality": defaults.jpeg_quality}) == ["jpeg_quality"]
    nested = {"reconstruct": {"optimise": {"steps": ReconstructorSettings().reconstruct.optimise.steps}}}
    assert equal_to_default(ReconstructorSettings(), nested) == ["reconstruct.optimise.steps"]
    for wrong in ({"jpeg_qualty": 80}, {"jpeg_quality": "80"}, {"jpeg_quality": 80.5}, {"jpeg_quality": 101}):
        with pytest.raises(ConfigError):
            override(defaults, wrong)


@pytest.mark.parametrize("path", RIGS, ids=lambda path: path.stem)
def test_a_shipped_rig_belongs_to_no_scene_and_sees_one(path: Path) -> None:
    cameras = load_rig(path, Rig(()))
    world = make_tiny_world()
    simulator = Simulator(10_000_000)
    simulator.load(world.scene, cameras)
    images = list(simulator.sense(cameras, simulator.now_ns))
    for camera, image in zip(cameras, images, strict=True):
        assert image.rgb.shape == (camera.camera.height_px, camera.camera.width_px, 3)
    assert images[0].rgb.any()


def test_six_cameras_around_a_car_leave_no_blind_angle() -> None:
    document = yaml.safe_load((CONFIG / "rigs" / "surround_6.yaml").read_text("utf-8"))
    seen = set()
    for camera in document["cameras"].values():
        half_deg = round(camera["horizontal_fov_deg"] / 2)
        seen |= {(round(camera.get("yaw_deg", 0.0)) + angle) % 360 for angle in range(-half_deg, half_deg)}
    assert len(document["cameras"]) == 6
    assert len(seen) == 360


def test_rviz_shows_topics_that_the_nodes_publish() -> None:
    document = yaml.safe_load((ROOT / "rviz" / "gs_sim.rviz").read_text("utf-8"))
    published = {name: published_topics(NODES / file) for name, file in (
        ("scene", "scene_topics.py"), ("entities", "simulating/entity_topics.py"), ("cameras", "simulating/camera_topics.py"),
    )}  # fmt: skip
    of_a_scene = {f"/{node}/{topic}" for node in ("reconstructor", "sensor_sim") for topic in published["scene"]}
    shown = set(topics_of(document["Visualization Manager"]["Displays"]))
    latched = {f"/{node}/{topic}" for node in ("reconstructor", "sensor_sim") for topic in ("centres", "path", "cameras", "actors")}  # fmt: skip
    assert latched <= of_a_scene
    assert shown == latched | {"/sensor_sim/entities", "/front/image_raw"}
    assert "entities" in published["entities"]
    (camera,) = yaml.safe_load((CONFIG / "rigs" / "front_640x360.yaml").read_text("utf-8"))["cameras"]
    assert camera == "front"
    assert document["Visualization Manager"]["Global Options"]["Fixed Frame"] == SensorSimSettings().fixed_frame


def topics_of(displays: list[dict[str, Any]]) -> list[str]:
    """The topics of displays and groups of them."""
    found = []
    for display in displays:
        found += topics_of(display.get("Displays", []))
        topic = display.get("Topic")
        if topic:
            found.append(topic["Value"])
            is_latched = topic["Value"].rpartition("/")[2] in {"centres", "path", "cameras", "actors"}
            assert topic["Durability Policy"] == ("Transient Local" if is_latched else "Volatile")
            assert topic["Reliability Policy"] == "Reliable"
    return found


def published_topics(path: Path) -> set[str]:
    """Private topics for which a file creates publishers."""
    return {
        str(call.args[1].value).removeprefix("~/")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "create_publisher"
        and isinstance(call.args[1], ast.Constant)
    }  # fmt: skip


@pytest.mark.parametrize("path", EXECUTABLES, ids=lambda path: path.name)
def test_an_executable_starts_the_main_of_a_node_only_when_it_is_the_program(path: Path) -> None:
    assert os.access(path, os.X_OK)
    text = path.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env python3\n")
    # whatever is imported by spawned processes, which import this file, would slow them
    _, guard = ast.parse(text).body
    assert isinstance(guard, ast.If)
    assert ast.unparse(guard.test) == "__name__ == '__main__'"
    (module,) = (node.module for node in ast.walk(guard) if isinstance(node, ast.ImportFrom))
    assert module is not None
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_node_has_its_executable() -> None:
    assert [path.name for path in EXECUTABLES] == ["braking_example", "reconstructor", "sensor_sim"]
