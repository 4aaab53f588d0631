"""Launch files say what they offer, and offer nothing that the nodes do not have; read as text, so launch is not needed."""

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed, and settings of nodes name what it offers")

from gs_sim.nodes.reconstructing.settings import ReconstructorSettings
from gs_sim.nodes.simulating.settings import SensorSimSettings

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = ROOT / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))
EXECUTABLES = ROOT / "gs_sim" / "nodes" / "executables"
SETTINGS = {"reconstruct.launch.py": ReconstructorSettings(), "simulate.launch.py": SensorSimSettings()}
OF_EVERY_NODE = {"use_sim_time": bool}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def calls(path: Path, name: str) -> Iterator[ast.Call]:
    """Every call of a function of this name in a file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def first_literal(call: ast.Call) -> str | None:
    """The first argument of a call, if it is a literal."""
    return str(call.args[0].value) if isinstance(call.args[0], ast.Constant) else None


def declared(path: Path) -> dict[str, dict[str, ast.expr]]:
    """The arguments that a launch file declares, with what it says about each."""
    found: dict[str, dict[str, ast.expr]] = {}
    for call in calls(path, "DeclareLaunchArgument"):
        name = first_literal(call)
        assert name is not None, "names of arguments are literals"
        assert name not in found, f"{name} is declared twice"
        found[name] = {word.arg: word.value for word in call.keywords if word.arg}
    return found


def table(path: Path) -> dict[str, tuple[str, str]]:
    """PARAMETERS of a launch file: parameter and type of each argument."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARAMETERS":
            assert isinstance(node.value, ast.Dict)
            rows = zip(node.value.keys, node.value.values, strict=True)
            return {ast.literal_eval(key): read_row(value) for key, value in rows if key is not None}
    return {}


def read_row(value: ast.expr) -> tuple[str, str]:
    assert isinstance(value, ast.Tuple)
    parameter, kind = value.elts
    return ast.literal_eval(parameter), ast.unparse(kind)


def parameter_types(settings: Any, prefix: str = "") -> dict[str, str]:
    """Every parameter that a dataclass of settings becomes, with the name of its type."""
    found: dict[str, str] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            found |= parameter_types(value, f"{prefix}{field.name}.")
        else:
            # a choice among strings is text in a launch file
            found[prefix + field.name] = type(value).__name__
    return found


def test_there_are_launch_files() -> None:
    assert {path.name for path in FILES} == {*SETTINGS, "closed_loop.launch.py"}


@each_file
def test_every_argument_is_described_and_used(path: Path) -> None:
    arguments = declared(path)
    used = {first_literal(call) for call in calls(path, "LaunchConfiguration")} - {None}
    assert used | set(table(path)) == set(arguments)
    for name, words in arguments.items():
        text = ast.literal_eval(words["description"])
        assert text[0].isupper() or text.startswith(("true", "false")), f"{name}: a sentence"
        assert not text.endswith("."), f"{name}: --show-args puts no dot"
        assert "default_value" in words or name == "scene", f"{name} has no default"


@each_file
def test_every_argument_that_sets_a_parameter_sets_one_that_exists_and_is_empty_by_default(path: Path) -> None:
    rows = table(path)
    if path.name not in SETTINGS:
        assert not rows
        return
    types = parameter_types(SETTINGS[path.name]) | {name: kind.__name__ for name, kind in OF_EVERY_NODE.items()}
    wanted = {name.format(method=method): kind for name, kind in rows.values() for method in ("optimise", "g3r")}
    assert {parameter: types.get(parameter) for parameter in wanted} == wanted
    defaults = {name: declared(path)[name]["default_value"] for name in rows}
    assert {name for name, value in defaults.items() if ast.literal_eval(value) != ""} == set()


@each_file
def test_every_node_that_is_started_exists(path: Path) -> None:
    started = [{word.arg: word.value for word in call.keywords} for call in calls(path, "Node")]
    assert started
    for words in started:
        executable = ast.literal_eval(words["executable"])
        if ast.literal_eval(words["package"]) == "gs_sim":
            assert (EXECUTABLES / executable).is_file()
        else:
            assert executable == "rviz2"


def test_the_closed_loop_includes_the_simulation_with_arguments_that_it_has() -> None:
    (include,) = calls(LAUNCH / "closed_loop.launch.py", "IncludeLaunchDescription")
    given = next(word.value for word in include.keywords if word.arg == "launch_arguments")
    assert isinstance(given, ast.Call)
    assert isinstance(given.func, ast.Attribute)
    assert isinstance(given.func.value, ast.Dict)
    names = {ast.literal_eval(key) for key in given.func.value.keys if key is not None}
    assert names <= set(declared(LAUNCH / "simulate.launch.py"))
    assert {"scene", "pose_source", "publish_clock"} <= names
