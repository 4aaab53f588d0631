"""`braking_example`: a vehicle that follows the logged path and brakes for what its simulated depth camera sees.

python -m gs_sim.nodes.examples.braking

It knows the road (`sensor_sim/path`), its own state and the depth images of one virtual camera, and nothing
else: no entity, no pose of anything but itself. It answers each tick of /clock with its pose of that tick,
which is what `sensor_sim` waits for when it owns time. Replace `Driver` by your own stack.
"""

import math
import sys
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Pose, Quaternion
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from gs_sim.config import Range, check_ranges
from gs_sim.errors import GsSimError
from gs_sim.nodes.examples.corridor import CorridorSettings
from gs_sim.nodes.examples.driver import Driver, DriverSettings
from gs_sim.nodes.examples.lock_step import Event, LockStep, Look, Missed, Restart
from gs_sim.nodes.examples.paths import path_from_message
from gs_sim.nodes.examples.road import quaternion_from_place, road_from
from gs_sim.nodes.examples.vehicle import VehicleSettings
from gs_sim.nodes.ros.conversions import header_message, point_message, time_ns
from gs_sim.nodes.ros.interfaces import VirtualSensor
from gs_sim.nodes.ros.parameters import declare_settings
from gs_sim.nodes.ros.qos import latched, stream
from gs_sim.nodes.ros.running import CoreNode, run_node
from gs_sim.nodes.ros.steady_clock import steady_clock
from gs_sim.sources.messages.camera_info import camera_from_info
from gs_sim.sources.messages.image import strided_rows
from gs_sim.sources.messages.pose import pose_from_message

MAX_CAMERAS = 100
TICKS_THAT_WAIT = 1000
"""Ticks of /clock that may come faster than they are answered."""
LOOK_EVERY_S = 0.1
"""How often it looks whether an image is overdue."""


@dataclass(frozen=True)
class BrakingSettings:
    """The camera to look through, and how to drive."""

    camera: str = "front"
    """The virtual camera of `sensor_sim` to brake by; it needs has_depth."""
    image_timeout_s: Annotated[float, Range(0.01, 3600)] = 1.0
    """How long an image that is due may take before the vehicle stops blind; less than pose_timeout_s of `sensor_sim`."""
    vehicle: VehicleSettings = field(default_factory=VehicleSettings)
    corridor: CorridorSettings = field(default_factory=CorridorSettings)
    driver: DriverSettings = field(default_factory=DriverSettings)

    def __post_init__(self) -> None:
        check_ranges(self)


class BrakingExample(CoreNode):
    """Ticks and images in, poses out; arithmetic and order are in the modules beside this one."""

    def __init__(self) -> None:
        super().__init__("braking_example")
        settings = self.settings = declare_settings(self, BrakingSettings())
        self._odometry = self.create_publisher(Odometry, "odometry", stream(TICKS_THAT_WAIT))
        self._status = self.create_publisher(DiagnosticStatus, "~/status", latched())
        self._frame, self._base = "map", "base_link"
        self._driver: Driver | None = None
        self._sensor: Any = None  # VirtualSensor, once it is known
        self._steps: LockStep[Image] | None = None
        self._images: Any = None  # the subscription
        self._last_tick_ns: int | None = None
        self._last: Odometry | None = None
        self.create_subscription(PathMessage, "sensor_sim/path", self._on_path, latched())
        self.create_subscription(VirtualSensor, "sensor_sim/sensors", self._on_sensor, latched(MAX_CAMERAS))
        self.create_subscription(Clock, "/clock", self._on_clock, stream(TICKS_THAT_WAIT))
        self.create_timer(LOOK_EVERY_S, self._on_timer, clock=steady_clock())
        self._say("warn", f"waiting for the path and the camera '{settings.camera}' of sensor_sim")

    def _on_path(self, message: PathMessage) -> None:
        settings = self.settings
        try:
            road = road_from(path_from_message(message))
        except GsSimError as error:
            self._driver = None
            self._say("error", str(error))
            return
        self._frame = message.header.frame_id
        self._driver = Driver(road, settings.vehicle, settings.corridor, settings.driver)
        self._begin()

    def _on_sensor(self, message: VirtualSensor) -> None:
        if message.name != self.settings.camera:
            return
        if not message.has_depth or message.rate_hz <= 0:
            self._say("error", f"camera '{message.name}' has no depth or no rate; set has_depth and rate_hz in its rig")
            return
        self._sensor, self._base = message, message.parent_frame_id
        self._begin()

    def _begin(self) -> None:
        """Start anew once the road and the camera are known."""
        if self._driver is None or self._sensor is None:
            return
        camera = camera_from_info(self._sensor.camera_info, is_rectified=False)
        self._driver.use_camera(camera, pose_from_message(self._sensor.mount))
        self._steps = LockStep(self._sensor.rate_hz, self.settings.image_timeout_s)
        if self._images is None:
            # not before: the simulator waits for who looks
            topic = f"{self.settings.camera}/depth/image_raw"
            self._images = self.create_subscription(Image, topic, self._on_image, stream(10))
        if self._last_tick_ns is not None:
            self._steps.tick(self._last_tick_ns)
        self._say("ok", f"ready to drive {self._driver.road.length_m:.1f} m at {self._driver.cruise_mps:.1f} m/s")

    def _on_clock(self, message: Clock) -> None:
        self._last_tick_ns = time_ns(message.clock)
        if self._steps is not None:
            self._steps.tick(self._last_tick_ns)
            self._advance()

    def _on_image(self, message: Image) -> None:
        if self._steps is not None:
            self._steps.image(time_ns(message.header.stamp), message)
            self._advance()

    def _on_timer(self) -> None:
        """Look whether an image is overdue, and until the first one comes say the pose again.

        Who has just started may have missed it. Not later: a pose that is heard after a reset would be taken for one
        of the next run.
        """
        self._advance()
        if self._last is not None and self._steps is not None and self._steps.num_images == 0:
            self._odometry.publish(self._last)

    def _advance(self) -> None:
        while self._steps is not None and self._driver is not None:
            event = self._steps.next(time.monotonic())
            if event is None:
                return
            self._do(event, self._driver)

    def _do(self, event: Event[Image], driver: Driver) -> None:
        if isinstance(event, Look):
            driver.look(strided_rows(event.image, event.image.height, 4 * event.image.width).copy().view("<f4"))
            self._say_what_it_does(driver)
        elif isinstance(event, Missed):
            driver.is_blind = True
            self._say(
                "error",
                f"no image for {event.stamp_ns / 1e9:.3f} s came on '{self.settings.camera}/depth/image_raw' within "
                f"{self.settings.image_timeout_s:g} s; the vehicle stops, and waits for none until they come again",
            )
        elif isinstance(event, Restart):
            driver.restart()
            self._publish_pose(driver, event.stamp_ns)
        else:
            driver.move(event.elapsed_s)
            self._publish_pose(driver, event.stamp_ns)

    def _publish_pose(self, driver: Driver, stamp_ns: int) -> None:
        odometry = Odometry(header=header_message(self._frame, stamp_ns), child_frame_id=self._base)
        place = driver.place
        w, x, y, z = quaternion_from_place(place)
        odometry.pose.pose = Pose(position=point_message(place), orientation=Quaternion(w=w, x=x, y=y, z=z))
        odometry.twist.twist.linear.x = driver.vehicle.speed_mps
        odometry.twist.twist.angular.z = driver.vehicle.turn_rate_radps
        self._odometry.publish(odometry)
        self._last = odometry

    def _say_what_it_does(self, driver: Driver) -> None:
        room_m, ttc_s = driver.room_m, driver.time_to_collision_s
        sentence = f"{driver.doing} at {driver.vehicle.speed_mps:.1f} m/s"
        if room_m is not None:
            sentence += f", {room_m:.1f} m before what is in the way"
            sentence += f", {ttc_s:.1f} s to a collision" if math.isfinite(ttc_s) else ""
        values = {"doing": driver.doing, "speed_mps": driver.vehicle.speed_mps, "along_m": driver.vehicle.along_m}
        values |= {"room_m": math.inf if room_m is None else room_m, "time_to_collision_s": ttc_s}
        self._say("ok", sentence, values)

    def _say(self, level: str, sentence: str, values: dict[str, Any] | None = None) -> None:
        levels = {"ok": DiagnosticStatus.OK, "warn": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}
        if level == "error":
            self.get_logger().error(sentence)
        steps = self._steps
        counts = {} if steps is None else {"images": steps.num_images, "stray_images": steps.num_strays}
        pairs = [KeyValue(key=key, value=str(value)) for key, value in ((values or {}) | counts).items()]
        status = DiagnosticStatus(level=levels[level], name="gs_sim: braking example", message=sentence, values=pairs)
        status.hardware_id = self.get_name()
        self._status.publish(status)


def main() -> int:
    """Run the node until Ctrl-C, SIGTERM or a shutdown of ROS."""
    return run_node(BrakingExample, __doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
