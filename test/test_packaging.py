"""The repository is a pip project and a colcon workspace at once, and its interfaces are there after `make setup`."""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from packaging.requirements import Requirement

import gs_sim

ROOT = Path(__file__).resolve().parents[1]
WHEELS_CMAKE = ROOT / "gs_sim_msgs" / "ros_wheels.cmake"
SUPPORTED_PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program of this environment and return what it said; a failure shows it."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH", sys.prefix),
    }
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what packaging reads, so that builds leave nothing in the tree."""
    copy = tmp_path / "gs_sim"
    copy.mkdir()
    for folder in ("gs_sim", "gs_sim_msgs", "launch", "config", "models", "resource", "rviz"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.py", "setup.cfg", "package.xml", "colcon_defaults.yaml"):
        shutil.copy(ROOT / file, copy)
    return copy


def test_one_version_stands_everywhere() -> None:
    told = {
        ET.parse(ROOT / "package.xml").findtext("version"),
        ET.parse(ROOT / "gs_sim_msgs" / "package.xml").findtext("version"),
        *re.findall(r'^version = "(.+)"$', (ROOT / "gs_sim_msgs" / "pyproject.toml").read_text("utf-8"), re.MULTILINE),
    }
    assert told == {gs_sim.__version__}


def test_the_root_package_repeats_what_the_interfaces_depend_on() -> None:
    def dependencies(path: Path) -> set[str | None]:
        return {element.text for element in ET.parse(path).iter() if element.tag in ("depend", "exec_depend")}

    assert dependencies(ROOT / "gs_sim_msgs" / "package.xml") <= dependencies(ROOT / "package.xml")


def test_every_interface_file_is_built() -> None:
    listed = re.findall(r'"((?:msg|srv|action)/\w+\.\w+)"', (ROOT / "gs_sim_msgs/CMakeLists.txt").read_text("utf-8"))
    files = {f"{path.parent.name}/{path.name}" for kind in ("msg", "srv", "action") for path in interface_files(kind)}
    assert set(listed) == files


def interface_files(kind: str) -> list[Path]:
    return sorted((ROOT / "gs_sim_msgs" / kind).glob(f"*.{kind}"))


def requirements_of_setup_py() -> list[str]:
    """Every requirement string of setup.py: the required packages and those of all extras but cuda."""
    call = next(
        node for node in ast.walk(ast.parse((ROOT / "setup.py").read_text("utf-8"))) if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name) and node.func.id == "setup"
    )  # fmt: skip
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    required: list[str] = ast.literal_eval(keywords["install_requires"])
    extras: dict[str, list[str]] = ast.literal_eval(keywords["extras_require"])
    return required + [name for extra, names in extras.items() if extra != "cuda" for name in names]


@pytest.mark.parametrize("python", SUPPORTED_PYTHONS)
def test_every_required_package_is_pinned_on_every_python(python: str) -> None:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate({"python_version": python, "platform_machine": "x86_64"}):
                pins.setdefault(pin.name.lower().replace("_", "-"), []).append(pin)
    assert {name: found for name, found in pins.items() if len(found) != 1} == {}
    for text in requirements_of_setup_py():
        required = Requirement(text)
        pin = pins[required.name.lower().replace("_", "-")][0]
        (version,) = (str(specifier.version) for specifier in pin.specifier)
        assert version in required.specifier, f"{pin} is not within {required}"


def test_pip_installs_the_package_with_all_its_files(checkout: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--ignore-installed", "--prefix", prefix, checkout, cwd=tmp_path)  # fmt: skip
    (package,) = prefix.rglob("site-packages/gs_sim")
    source = {path.relative_to(ROOT / "gs_sim") for path in (ROOT / "gs_sim").rglob("*.py")}
    assert {path.relative_to(package) for path in package.rglob("*.py")} == source
    assert (package / "py.typed").is_file()
    assert (prefix / "bin" / "gs-sim").is_file()
    assert (prefix / "share/ament_index/resource_index/packages/gs_sim").is_file()
    assert node_executables(prefix) == source_executables()
    for folder in ("launch", "config", "models", "rviz"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        shared = {path.relative_to(ROOT) for path in files}
        assert shared, f"nothing of {folder} would be installed"
        assert {path for path in shared if not (prefix / "share/gs_sim" / path).is_file()} == set()


def node_executables(prefix: Path) -> set[str]:
    """What `ros2 run gs_sim` can start in a prefix, but for the command line of colcon's making."""
    return {path.name for path in (prefix / "lib/gs_sim").iterdir() if os.access(path, os.X_OK)} - {"gs-sim"}


def source_executables() -> set[str]:
    """The nodes that are to be started by name."""
    return {path.name for path in (ROOT / "gs_sim/nodes/executables").iterdir() if path.is_file()}


def test_colcon_finds_both_packages_at_the_root(checkout: Path) -> None:
    pytest.importorskip("colcon_core", reason="colcon is not installed")
    assert run("colcon", "list", "--names-only", cwd=checkout).split() == ["gs_sim", "gs_sim_msgs"]


@pytest.mark.ros
@pytest.mark.slow
def test_colcon_builds_both_packages_by_copies_and_by_links(checkout: Path) -> None:
    pytest.importorskip("colcon_core", reason="colcon is not installed")
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    extra = [f"-DCMAKE_PROJECT_INCLUDE={WHEELS_CMAKE}"] if find_spec("ros_wheels_bootstrapper") else []
    run("colcon", "build", "--cmake-args", "-DBUILD_TESTING=OFF", *extra, cwd=checkout)
    install = checkout / "install"
    assert (install / "gs_sim/lib/gs_sim/gs-sim").is_file()
    assert len(list((install / "gs_sim_msgs/share/gs_sim_msgs").glob("*/*.msg"))) >= len(interface_files("msg"))
    expect_colcon_has_installed(install / "gs_sim")
    shutil.rmtree(install / "gs_sim")
    shutil.rmtree(checkout / "build" / "gs_sim")
    run("colcon", "build", "--symlink-install", "--packages-select", "gs_sim", cwd=checkout)
    expect_colcon_has_installed(install / "gs_sim")


def expect_colcon_has_installed(prefix: Path) -> None:
    """What a user's commands look for is there."""
    assert node_executables(prefix) == source_executables()
    for file in ("package.xml", "launch/reconstruct.launch.py", "config/rigs/surround_6.yaml", "rviz/gs_sim.rviz"):
        assert (prefix / "share/gs_sim" / file).is_file()


@pytest.mark.ros
def test_the_interfaces_are_built_and_travel() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from rclpy.serialization import deserialize_message, serialize_message

    from gs_sim_msgs.action import Reconstruct
    from gs_sim_msgs.msg import SceneInfo, VirtualSensor
    from gs_sim_msgs.srv import RenderView

    info = SceneInfo(path="demo/scene", actor_ids=["3", "7"], num_gaussians_background=123_456)
    goal = Reconstruct.Goal(bag="drive.mcap", steps=1500)
    request = RenderView.Request(with_depth=True)
    request.camera_info.width = 640
    sensor = VirtualSensor(name="front", rate_hz=20.0)
    for message in (info, goal, request, sensor):
        assert deserialize_message(serialize_message(message), type(message)) == message


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench"])
def test_every_make_target_sets_up_what_it_needs(target: str) -> None:
    assert re.search(rf"^{target}:.*\bsetup\b", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_continuous_integration_runs_make_test() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "make test" in (ROOT / ".ci/run").read_text("utf-8")
