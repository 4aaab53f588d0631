"""A closed-loop test as a user would write it: does the vehicle stop for an inserted one, and for nothing else?

python -m gs_sim.nodes.examples.braking_scenario --ros-args -p output:=pictures

Needs `sensor_sim` with publish_clock:=true and a vehicle that answers its ticks, such as `braking_example`.
It drives the simulator by the services of `simulation_interfaces` alone, which tell it the truth that the
vehicle is not told, and leaves with 0 if the vehicle did well, otherwise with 1.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Path as PathMessage
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image

from gs_sim.config import Range, check_ranges
from gs_sim.errors import GsSimError
from gs_sim.evaluation.video import write_atomically
from gs_sim.nodes.examples.harness import Harness, HarnessError
from gs_sim.nodes.examples.judge import Drive, Outcome, Passage, faults, table
from gs_sim.nodes.examples.obstacle import ObstacleSettings, insert_obstacle
from gs_sim.nodes.examples.paths import path_from_message
from gs_sim.nodes.examples.pictures import Pictures
from gs_sim.nodes.examples.road import Road, road_from
from gs_sim.nodes.ros.parameters import declare_settings
from gs_sim.nodes.ros.qos import latched, stream

DONE_BADLY, REFUSED = 1, 2
EGO, OBSTACLE = "ego", "obstacle"
STANDS_S = 0.5
"""Who has stood for so long has stopped."""


@dataclass(frozen=True)
class ScenarioSettings(ObstacleSettings):
    """What to try, and for how long."""

    camera: str = "front"
    """Pictures are taken from this virtual camera."""
    steps_per_look: Annotated[int, Range(1, 10_000)] = 10
    """Steps from one image of the vehicle's camera to the next: the simulator knows where it is when a camera looks."""
    time_limit_s: Annotated[float, Range(0.1, 3600)] = 15.0
    """Simulated seconds after which it should have stopped."""
    vehicle_status: str = "braking_example/status"
    """Topic (DiagnosticStatus, latched) on which the vehicle says that it is ready; empty does not ask."""
    startup_timeout_s: Annotated[float, Range(1, 3600)] = 60.0
    """How long simulator and vehicle may take to be there, and a service to answer."""
    output: str = ""
    """Folder for a video and pictures of each run and for report.json; empty writes nothing."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Scenario:
    """One simulator, one vehicle, two runs."""

    def __init__(self, node: Node, settings: ScenarioSettings) -> None:
        self._log, self.settings = node.get_logger(), settings
        self.harness = Harness(node, settings.startup_timeout_s)
        self._road: Road | None = None
        self._frame = ""
        self._is_ready = not settings.vehicle_status
        self.pictures = Pictures(is_keeping=bool(settings.output))
        node.create_subscription(PathMessage, "sensor_sim/path", self._on_path, latched())
        node.create_subscription(Image, f"{settings.camera}/image_raw", self.pictures.add, stream(10))
        if settings.vehicle_status:
            node.create_subscription(DiagnosticStatus, settings.vehicle_status, self._on_status, latched())

    def run(self) -> list[Outcome]:
        """With an obstacle, then without one for as long.

        Raises:
            GsSimError: simulator or vehicle did not do their part.
        """
        self.harness.pause()
        self._warm_up()
        outcomes = [self._run("with a vehicle in the way", self.settings.time_limit_s, has_obstacle=True)]
        outcomes.append(self._run("without", outcomes[0].simulated_s, has_obstacle=False))
        self.harness.reset()
        return outcomes

    def _warm_up(self) -> None:
        """Wait until poses are answered and images seen: who has just started has not found everybody yet."""
        end_s = time.monotonic() + self.settings.startup_timeout_s
        reason = f"the vehicle did not say on '{self.settings.vehicle_status}' that it is ready"
        while time.monotonic() < end_s:
            self.harness.wait(0.05)
            if not self._is_ready or self._road is None:
                continue
            try:
                self.harness.reset()
                self.harness.step(3 * self.settings.steps_per_look)
            except HarnessError as error:
                reason = str(error)
                continue
            for _ in range(20):
                self.harness.wait(0.01)
            if self._is_ready and self.pictures.num_images:
                return
        raise HarnessError(f"not ready within {self.settings.startup_timeout_s:g} s: {reason}")

    def _run(self, name: str, time_limit_s: float, *, has_obstacle: bool) -> Outcome:
        harness, settings = self.harness, self.settings
        harness.reset()
        obstacle = None
        if has_obstacle:
            assert self._road is not None
            obstacle = insert_obstacle(harness, self._road, self._frame, settings)
        if settings.clears_road:
            for entity in set(harness.entities()) - {EGO, OBSTACLE}:
                harness.delete(entity)
        drive = Drive(harness.size_m(EGO), settings.front_m, obstacle)
        self.pictures.clear()
        start_s, num_steps = time.monotonic(), 1
        harness.step(1)  # the cameras look first after one step, then at their rate
        drive.add(Passage(*harness.pose(EGO)))
        while drive.seconds < time_limit_s and not drive.has_stood(STANDS_S):
            harness.step(settings.steps_per_look)
            num_steps += settings.steps_per_look
            drive.add(Passage(*harness.pose(EGO)))
        wall_s = time.monotonic() - start_s
        harness.wait(0.2)
        if settings.output:
            self.pictures.save(Path(settings.output), name.replace(" ", "_"))
        if has_obstacle:
            harness.delete(OBSTACLE)
        return drive.outcome(name, num_steps, self.pictures.num_images, wall_s)

    def _on_path(self, message: PathMessage) -> None:
        self._road, self._frame = road_from(path_from_message(message)), message.header.frame_id

    def _on_status(self, message: DiagnosticStatus) -> None:
        self._is_ready = message.level == DiagnosticStatus.OK


def main() -> int:
    """Run the scenario and return 0 if the vehicle did well, 1 if not, 2 if it could not be tried."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(remove_ros_args(sys.argv)[1:])
    rclpy.init()
    node = rclpy.create_node("braking_scenario")
    try:
        return _judge(node)
    except GsSimError as error:
        node.get_logger().fatal(" ".join(str(error).split()))
        return REFUSED
    except (KeyboardInterrupt, ExternalShutdownException):
        return REFUSED
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _judge(node: Node) -> int:
    settings = declare_settings(node, ScenarioSettings())
    scenario = Scenario(node, settings)
    try:
        outcomes = scenario.run()
    finally:
        scenario.harness.close()
    found = faults(outcomes)
    node.get_logger().info("\n" + table(outcomes))
    if settings.output:
        report = {"faults": found, "runs": [asdict(outcome) for outcome in outcomes]}
        write_atomically(Path(settings.output) / "report.json", json.dumps(report, indent=1).encode())
    for fault in found:
        node.get_logger().error(fault)
    return DONE_BADLY if found else 0


if __name__ == "__main__":
    sys.exit(main())
