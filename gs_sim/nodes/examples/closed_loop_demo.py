"""`make ros-demo`: a bag becomes a scene, and a vehicle brakes in it, all by ROS 2 nodes in processes of their own.

python -m gs_sim.nodes.examples.closed_loop_demo [FOLDER]

Whatever it starts it also ends, Ctrl-C included. It leaves with 0 if the vehicle stopped before the inserted
one and for nothing else.
"""

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

logger = logging.getLogger("closed_loop_demo")

STREET = ("--seed", "7", "--duration-s", "3", "--size", "480x270")
"""The drive of `make demo`, which is used if it is there."""
BUDGET_S = 60.0
"""For refining the scene; a first scene from the LiDAR comes before."""
RIG = "cameras: {front: {like: front, rate_hz: 10, has_depth: true}}\n"
"""As the recording vehicle looked ahead, and depth."""
PATIENCE_S = 20.0
"""For a node to leave when it is told to."""
PROFILE = Path(__file__).resolve().parents[3] / "config" / "fastdds_shm.xml"
FAILED = 1


class NodeEndedError(RuntimeError):
    """A process that was needed is no more."""


def demo(folder: Path) -> int:
    """Bag, scene, closed loop; returns the exit code of the scenario.

    Args:
        folder: for the bag `street`, the scene `ros_scene` and the pictures `closed_loop`.
    """
    environment = surroundings(os.environ)
    bag, scene, rig = folder / "street", folder / "ros_scene", folder / "closed_loop_rig.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    if not (bag / "metadata.yaml").is_file():
        logger.info("a drive through a synthetic street is drawn")
        finish([sys.executable, "-m", "gs_sim.cli.main", "street", "-o", str(bag), *STREET], environment)
    logger.info("the node reconstructor makes a scene of it, in some minutes")
    given = {"bag": bag, "scene": scene, "exit_when_done": "true"}
    given |= {"reconstruct.cameras": "[front]", "reconstruct.optimise.budget_s": BUDGET_S}
    finish(node("reconstructor", given), environment)
    rig.write_text(RIG, encoding="utf-8")
    logger.info("the nodes sensor_sim and braking_example close the loop, braking_scenario judges")
    simulator = node("sensor_sim", {"scene": scene, "rig": rig, "publish_clock": "true"})
    scenario = node("examples.braking_scenario", {"output": folder / "closed_loop"})
    with running(simulator, environment) as first, running(node("examples.braking", {}), environment) as second:
        code = finish(scenario, environment, (first, second), may_fail=True)
    logger.info("pictures of it are in %s", folder / "closed_loop")
    return code


def surroundings(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of all processes: this computer only, and a domain where no other simulator is found by mistake.

    They get shared memory for images, unless a profile of the user's own is set.
    """
    own = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
    profile = {"FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)} if PROFILE.is_file() else {}
    return profile | dict(given) | own


def node(name: str, parameters: Mapping[str, object]) -> list[str]:
    """The command that starts a node of this package."""
    words = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
    return [sys.executable, "-m", f"gs_sim.nodes.{name}", *(["--ros-args", *words] if words else [])]


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is interrupted at the end as Ctrl-C does it, and killed if it stays.

    Raises:
        NodeEndedError: it had to be killed, or left with an error after it was told to leave.
    """
    process = start(command, environment)
    try:
        yield process
    finally:
        end(process)
    if process.returncode != 0:
        raise NodeEndedError(f"'{' '.join(command[1:4])}' left with code {process.returncode}")


def start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, so that Ctrl-C reaches it once, by `end`."""
    return subprocess.Popen(command, env=dict(environment), start_new_session=True)  # noqa: S603  # commands of this file


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a process if it runs, and kill its group if it does not leave."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def finish(
    command: Sequence[str],
    environment: Mapping[str, str],
    needed: Sequence[subprocess.Popen[bytes]] = (),
    *,
    may_fail: bool = False,
) -> int:
    """Run a command to its end.

    Raises:
        NodeEndedError: it failed, unless it may, or another process that it needs ended meanwhile.
    """
    process = start(command, environment)
    try:
        while process.poll() is None:
            if any(other.poll() is not None for other in needed):
                raise NodeEndedError("a node that the test needs has ended; see what it said above")
            time.sleep(0.1)
    finally:
        end(process)
    if process.returncode != 0 and not may_fail:
        raise NodeEndedError(f"'{' '.join(command[1:4])}' failed with code {process.returncode}")
    return process.returncode


def main() -> int:
    """Run the demo in the folder that the command line names, `demo` by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="demo", type=Path, help="for bag, scene and pictures")
    folder = parser.parse_args().folder
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # a task runner that gives up sends SIGTERM: what was started must end then too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return demo(folder)
    except NodeEndedError as error:
        logger.error("%s", error)  # noqa: TRY400  # the sentence says it all
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
