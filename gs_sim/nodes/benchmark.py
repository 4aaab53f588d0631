"""Measures `sensor_sim` from outside: poses in, images out, over DDS, two processes.

    python -m gs_sim.nodes.benchmark SCENE RIG RATE_HZ OUT.json

`gs-sim bench sensor-sim` calls it with a scene of its own.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from gs_sim.errors import MissingFeatureError
from gs_sim.nodes.ros.conversions import header_message, time_ns
from gs_sim.nodes.ros.qos import stream

TOPIC = "/front/image_raw"
START_TIMEOUT_S = 120.0
SETTLE_S = 2.0
SECONDS = 10.0
FLOOD_HZ = 200.0
"""More poses than anybody can render: the newest win, and images leave as fast as they can."""


class Probe:
    """A vehicle that stands still and says so, and whoever looks through its camera."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("benchmark")
        self.arrived_s: dict[int, float] = {}
        self.status: list[dict[str, str]] = []
        self._poses = self.node.create_publisher(Odometry, "/odometry", stream())
        best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.node.create_subscription(Image, TOPIC, self._on_image, best_effort)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_status, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()

    def is_connected(self) -> bool:
        """Whether poses are heard and images can come."""
        return self._poses.get_subscription_count() > 0 and self.node.count_publishers(TOPIC) > 0

    def drive(self, rate_hz: float, seconds: float) -> dict[int, float]:
        """Publish poses at a rate; returns when each stamp was sent."""
        sent_s: dict[int, float] = {}
        self.arrived_s.clear()
        start_s = time.monotonic()
        for number in range(round(rate_hz * seconds)):
            time.sleep(max(0.0, start_s + number / rate_hz - time.monotonic()))
            stamp_ns = self.node.get_clock().now().nanoseconds
            message = Odometry(header=header_message("map", stamp_ns), child_frame_id="base_link")
            message.pose.pose.orientation.w = 1.0
            sent_s[stamp_ns] = time.monotonic()
            self._poses.publish(message)
        time.sleep(1.0)
        return sent_s

    def num_published(self) -> int:
        """How many images have left sensor_sim so far; waits for its next word, and forgets the earlier ones."""
        self.status.clear()
        while not self.status:
            time.sleep(0.05)
        return int(self.status[-1]["images"])

    def close(self) -> None:
        """End the thread, then ROS."""
        self._executor.shutdown()
        rclpy.try_shutdown()
        self._thread.join()

    def _on_image(self, message: Image) -> None:
        self.arrived_s[time_ns(message.header.stamp)] = time.monotonic()

    def _on_status(self, message: DiagnosticArray) -> None:
        self.status.append({value.key: value.value for value in message.status[0].values})


def measure(scene: Path, rig: Path, rate_hz: float) -> dict[str, Any]:
    """Start sensor_sim, drive at a steady rate and then far too fast, and end it.

    Raises:
        MissingFeatureError: it did not start.
    """
    command = [sys.executable, "-m", "gs_sim.nodes.sensor_sim", "--ros-args"]
    process = subprocess.Popen([*command, "-p", f"scene:={scene}", "-p", f"rig:={rig}"])  # noqa: S603  # our own node
    rclpy.init()
    probe = Probe()
    try:
        end_s = time.monotonic() + START_TIMEOUT_S
        while not probe.is_connected():
            if process.poll() is not None or time.monotonic() > end_s:
                raise MissingFeatureError(f"sensor_sim did not start with {scene}")
            time.sleep(0.1)
        probe.drive(rate_hz, SETTLE_S)
        return {"paced": paced(probe, rate_hz), "flooded": flooded(probe)}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        probe.close()


def paced(probe: Probe, rate_hz: float) -> dict[str, Any]:
    """Latency and losses at a steady rate."""
    before = probe.num_published()
    sent_s = probe.drive(rate_hz, SECONDS)
    heard = list(probe.status)
    num_published = probe.num_published() - before
    latencies = sorted((probe.arrived_s[s] - sent_s[s]) * 1e3 for s in sent_s if s in probe.arrived_s)
    inside = [status for status in heard if "latency_ms_median" in status]
    render_ms = median(float(status["render_ms_median"]) for status in inside)
    node_ms = median(float(status["latency_ms_median"]) for status in inside)
    return {
        "rate_hz": rate_hz,
        "num_poses": len(sent_s),
        "num_published": num_published,
        "num_lost": num_published - len(latencies),
        "pose_to_image_ms_median": round(median(latencies), 2),
        "pose_to_image_ms_p95": round(latencies[round(0.95 * (len(latencies) - 1))], 2),
        "render_ms_median": round(render_ms, 2),
        "node_overhead_ms": round(node_ms - render_ms, 2),
    }


def flooded(probe: Probe) -> dict[str, Any]:
    """How many images leave and arrive when poses come faster than they can be rendered."""
    sent_s = probe.drive(FLOOD_HZ, SECONDS)
    return {"num_poses": len(sent_s), "images_per_s": round(len(probe.arrived_s) / SECONDS, 1)}


def main() -> int:
    """Measure, and write JSON."""
    scene, rig, rate_hz, output = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    output.write_text(json.dumps(measure(scene, rig, rate_hz)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
