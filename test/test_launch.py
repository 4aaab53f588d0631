"""Launch files start what they should and end cleanly on Ctrl-C; only where ROS 2's launch is, which PyPI has not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from zlib import crc32

import pytest
from tiny_world import make_tiny_world

pytest.importorskip("launch_ros", reason="launch_ros is not installed: it comes with a ROS 2 distribution only")

import rclpy
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from rclpy.context import Context

from gs_sim.scene.storage import save_scene

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
FILES = ("reconstruct", "simulate", "closed_loop")
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

file, *given = sys.argv[1:]
arguments = [tuple(word.split(":=", 1)) for word in given]
service = LaunchService()
include = IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=arguments)
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""
"""What `ros2 launch` does."""


@pytest.fixture(autouse=True)
def on_this_computer_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gs_sim, installed as pip does it."""
    folder = tmp_path_factory.mktemp("installed")
    for name in ("gs_sim", "launch", "config", "rviz", "models", "resource"):
        subprocess.run(["cp", "-r", ROOT / name, folder], check=True)
    for name in ("setup.py", "setup.cfg", "package.xml"):
        subprocess.run(["cp", ROOT / name, folder], check=True)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    subprocess.run([*command, "--prefix", folder / "prefix", folder], check=True, capture_output=True)
    return folder / "prefix"


class Launched:
    """A launch file that runs in a process group of its own, as in a terminal."""

    def __init__(self, prefix: Path, log: Path, file: str, **arguments: object) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        elsewhere = os.environ.get("AMENT_PREFIX_PATH", sys.prefix)
        self.domain_id = 1 + crc32(str(log).encode()) % 100
        environment = {
            **os.environ,
            "PATH": path,
            "AMENT_PREFIX_PATH": f"{prefix}{os.pathsep}{elsewhere}",
            "ROS_DOMAIN_ID": str(self.domain_id),
            "ROS_LOG_DIR": str(log.parent / "ros_log"),
        }
        environment.pop("FASTDDS_DEFAULT_PROFILES_FILE", None)
        given = [f"{name}:={value}" for name, value in arguments.items()]
        launch_file = prefix / "share" / "gs_sim" / "launch" / f"{file}.launch.py"
        self.log = log
        with open(log, "w", encoding="utf-8") as output:
            command = [sys.executable, "-c", LAUNCH, str(launch_file), *given]
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=environment, cwd=log.parent, start_new_session=True
            )

    def __enter__(self) -> "Launched":
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave nothing behind, whatever happened: each node is a process group of its own in one session."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def wait_for(self, text: str) -> None:
        """Wait until something was said."""
        end_s = time.monotonic() + 120
        while text not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < end_s, f"nobody said '{text}': {self.text()}"
            time.sleep(0.1)

    def wait_for_node(self, namespace: str, name: str) -> None:
        """Wait until others see a node."""
        context = Context()
        rclpy.init(context=context, domain_id=self.domain_id)
        node = rclpy.create_node("looking", context=context)
        end_s = time.monotonic() + 120
        while (name, f"/{namespace}") not in node.get_node_names_and_namespaces():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < end_s, f"no node {name} came: {self.text()}"
            time.sleep(0.1)
        node.destroy_node()
        context.shutdown()

    def text(self) -> str:
        """All that was said."""
        return self.log.read_text(encoding="utf-8")

    def interrupt(self) -> int:
        """Press Ctrl-C and wait for the end."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def nodes(self) -> dict[str, dict[str, str]]:
        """Command line and environment of each node that runs, by its executable."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_text("utf-8").split("\0")
                pairs = (folder / "environ").read_text("utf-8").split("\0")
                is_ours = os.getsid(int(folder.name)) == os.getsid(self.process.pid)
            except OSError:
                continue
            name = next((Path(word).name for word in words[:2] if "/lib/gs_sim/" in word), None)
            if name is not None and is_ours:
                found[name] = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        return found


@pytest.mark.parametrize("name", FILES)
def test_a_launch_file_loads_and_declares_its_arguments(name: str) -> None:
    description = get_launch_description_from_python_launch_file(str(ROOT / "launch" / f"{name}.launch.py"))
    assert isinstance(description, LaunchDescription)
    arguments = description.get_launch_arguments()
    names = [argument.name for argument in arguments]
    assert "scene" in names
    assert all(isinstance(argument, DeclareLaunchArgument) and argument.description for argument in arguments)
    assert "fastdds_profile" in names, "arguments of an included file are shown too"


def test_the_reconstructor_starts_with_the_shipped_profile_and_ends_on_ctrl_c(prefix: Path, tmp_path: Path) -> None:
    with Launched(prefix, tmp_path / "log", "reconstruct", namespace="robot") as launched:
        launched.wait_for_node("robot", "reconstructor")
        variables = launched.nodes()["reconstructor"]
        assert launched.interrupt() == 0
        assert variables["FASTDDS_DEFAULT_PROFILES_FILE"] == str(prefix / "share/gs_sim/config/fastdds_shm.xml")
        assert launched.text().count("process has finished cleanly") == 1


def test_a_bag_that_is_not_there_ends_the_launch(prefix: Path, tmp_path: Path) -> None:
    with Launched(
        prefix, tmp_path / "log", "reconstruct", bag="20261125", exit_when_done="true", budget_s="5"
    ) as launched:
        launched.process.wait(60)
        assert "there is no bag at" in launched.text()
        assert "20261125" in launched.text()


def test_virtual_cameras_start_and_end_on_ctrl_c(prefix: Path, tmp_path: Path) -> None:
    save_scene(make_tiny_world().scene, tmp_path / "scene")
    with Launched(
        prefix, tmp_path / "log", "simulate", scene="scene", rig="front_640x360.yaml", pose_source="log", step_s="1"
    ) as launched:
        launched.wait_for("seen by: front\n")
        assert launched.interrupt() == 0
        assert launched.text().count("process has finished cleanly") == 1


def test_a_rig_may_be_anywhere(prefix: Path, tmp_path: Path) -> None:
    save_scene(make_tiny_world().scene, tmp_path / "scene")
    (tmp_path / "mine.yaml").write_text("cameras: {mine: {like: front}}", encoding="utf-8")
    with Launched(prefix, tmp_path / "log", "simulate", scene="scene", rig=tmp_path / "mine.yaml") as launched:
        launched.wait_for("seen by: mine\n")
        assert launched.interrupt() == 0


def test_a_parameter_file_keeps_its_word_unless_an_argument_is_given(prefix: Path, tmp_path: Path) -> None:
    save_scene(make_tiny_world().scene, tmp_path / "scene")
    parameters = {"scene": "elsewhere", "pose_source": "log"}
    lines = [f"    {name}: {value}" for name, value in parameters.items()]
    (tmp_path / "mine.yaml").write_text("\n".join(["/**:", "  ros__parameters:", *lines]), encoding="utf-8")
    with Launched(prefix, tmp_path / "log", "simulate", params_file=tmp_path / "mine.yaml") as launched:
        launched.process.wait(60)
        assert "elsewhere" in launched.text()
    with Launched(prefix, tmp_path / "log", "simulate", params_file=tmp_path / "mine.yaml", scene="scene") as launched:
        launched.wait_for("seen by: front")
        assert launched.interrupt() == 0


def test_the_closed_loop_starts_both_nodes_and_ends_on_ctrl_c(prefix: Path, tmp_path: Path) -> None:
    save_scene(make_tiny_world().scene, tmp_path / "scene")
    with Launched(prefix, tmp_path / "log", "closed_loop", scene="scene") as launched:
        launched.wait_for("seen by: front\n")
        launched.wait_for_node("", "braking_example")
        assert set(launched.nodes()) == {"sensor_sim", "braking_example"}
        assert launched.interrupt() == 0
        assert launched.text().count("process has finished cleanly") == 2
