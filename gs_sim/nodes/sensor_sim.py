"""`sensor_sim`: virtual cameras in a scene, as ROS 2 topics and services, alone or in closed loop.

python -m gs_sim.nodes.sensor_sim --ros-args -p scene:=my_scene
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.timer import Timer
from rosgraph_msgs.msg import Clock

from gs_sim.nodes.ros.conversions import time_message, transform_message
from gs_sim.nodes.ros.diagnostics import Diagnostics, Status
from gs_sim.nodes.ros.inputs import Inputs
from gs_sim.nodes.ros.interfaces import VirtualSensor
from gs_sim.nodes.ros.optional_messages import TFMessage
from gs_sim.nodes.ros.parameters import declare_settings
from gs_sim.nodes.ros.qos import latched, stream
from gs_sim.nodes.ros.running import CoreNode, run_node
from gs_sim.nodes.ros.steady_clock import steady_clock
from gs_sim.nodes.scene_topics import SceneTopics
from gs_sim.nodes.simulating.camera_topics import CameraTopics
from gs_sim.nodes.simulating.entity_topics import EntityTopics
from gs_sim.nodes.simulating.host import Announce, SimulationHost
from gs_sim.nodes.simulating.places import Places
from gs_sim.nodes.simulating.player import Player
from gs_sim.nodes.simulating.settings import SensorSimSettings
from gs_sim.nodes.simulating.status import renderer_status
from gs_sim.nodes.simulating.vehicle_pose import Frames, VehiclePose
from gs_sim.nodes.simulating.view_service import ViewService
from gs_sim.simulation.virtual_camera import VirtualCamera

MAX_CAMERAS = 100
MIN_TICK_HZ = 1.0
"""The vehicle moves on its logged path at least so often, at most at the rate of the fastest camera."""
KEPT_TICKS = 1000
"""Steps without an image do not wait for anybody: a vehicle that answers more slowly must still get every tick."""


class SensorSim(CoreNode):
    """Follows the vehicle's pose, or owns time, and publishes what its virtual cameras see."""

    def __init__(self) -> None:
        super().__init__("sensor_sim")
        settings = self.settings = declare_settings(self, SensorSimSettings())

        self._scene = SceneTopics(self, settings.fixed_frame, settings.max_cloud_points)
        self._sensors = self.create_publisher(VirtualSensor, "~/sensors", latched(MAX_CAMERAS))
        self._mounts = self.create_publisher(TFMessage, "/tf_static", latched()) if TFMessage is not None else None
        self._time = self.create_publisher(Clock, "/clock", stream(KEPT_TICKS)) if settings.publish_clock else None

        announce = Announce(self._on_world, self._on_time, self._on_moment, self._make_cameras)
        self.host = SimulationHost(settings, announce)
        self.player: Player | None = None
        self.inputs = Inputs(self, settings.input_reliability)
        self.frames = Frames(self, self.inputs, settings)
        self.places = Places(self.host, self.frames)
        self.entities = EntityTopics(self, self.host, self.places, self.inputs)
        self.pose = VehiclePose(self.inputs, self.frames, settings, self.host.hear)
        ViewService(self, self.host, self.places, ReentrantCallbackGroup())
        self._end_services = self._offer_services()
        Diagnostics(self, "renderer", self._status)

        self._tick: Timer | None = None
        if settings.publish_clock:
            self.player = Player(self.host)
        if settings.scene:
            self.host.load(Path(settings.scene).expanduser())
        else:
            self.get_logger().warning("started without a scene: set the parameter `scene`, or call load_world")
        if settings.publish_clock and settings.is_playing and settings.scene:
            self.host.reset(lambda: self.host.simulator.set_state("playing"))

    def start(self) -> None:
        """Begin to listen, and to play."""
        self.inputs.start()
        if self.player is not None:
            self.player.start()

    def _offer_services(self) -> Callable[[], None]:
        """Offer `simulation_interfaces` where they are installed; returns how to end that."""
        try:
            from gs_sim.nodes.simulating.services import SimulationServices
        except ImportError as error:
            self.get_logger().warning(
                f"simulation_interfaces 2.x is not installed ({error}): no services to step, reset, spawn or load worlds"
            )
            return lambda: None
        return SimulationServices(self, self.host, self.places, self._quit_soon).close

    def _make_cameras(self, cameras: Sequence[VirtualCamera]) -> list[CameraTopics]:
        topics = [CameraTopics(self, camera, self.settings) for camera in cameras]
        for each in topics:
            self._sensors.publish(each.description())
        if self.settings.publish_tf and self._mounts is not None and topics:
            base = self.settings.base_frame
            mounts = [transform_message(base, each.frame, 0, each.camera.rig_from_camera) for each in topics]
            self._mounts.publish(TFMessage(transforms=mounts))
        return topics

    def _on_world(self) -> None:
        folder = self.host.folder
        if folder is not None:
            self._scene.publish(folder.scene, folder.report, folder.path)
            names = ", ".join(camera.name for camera in self.host.simulator.cameras)
            self.get_logger().info(f"scene {folder.path}, seen by: {names}")
        if not (self.settings.publish_clock or self.host.waits_for_poses):
            if self._tick is not None:
                self.destroy_timer(self._tick)
            rates_hz = [camera.rate_hz for camera in self.host.simulator.cameras]
            self._tick = self.create_timer(1.0 / max([*rates_hz, MIN_TICK_HZ]), self._on_tick)

    def _on_time(self, now_ns: int) -> None:
        if self._time is not None:
            self._time.publish(Clock(clock=time_message(now_ns)))

    def _on_moment(self, stamp_ns: int) -> None:
        self.entities.publish(stamp_ns)

    def _on_tick(self) -> None:
        self.host.hear(self.get_clock().now().nanoseconds, None)

    def _quit_soon(self) -> None:
        self.create_timer(0.2, rclpy.try_shutdown, clock=steady_clock())

    def _status(self) -> Status:
        return renderer_status(self.host, self.pose)

    def close(self) -> None:
        """End all threads."""
        self.host.is_closing = True
        self.inputs.close()
        if self.player is not None:
            self.player.close()
        self.host.close()
        self._end_services()


def main() -> int:
    """Run the node until Ctrl-C, SIGTERM or a shutdown of ROS."""
    return run_node(SensorSim, __doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
