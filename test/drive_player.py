"""A bag as live topics."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from node_process import wait_until

from gs_sim.sources.bag_file import RawMessage

if TYPE_CHECKING:
    from rclpy.node import Node


class Player:
    """Publishes the messages of a bag as they were serialized, as `ros2 bag play` does."""

    def __init__(self, node: "Node", messages: Sequence[RawMessage]) -> None:
        self._node, self._messages = node, messages
        self.publishers: dict[str, Any] = {}

    def offer(self, topics: Sequence[str]) -> None:
        """Create publishers; that of the LiDAR promises nothing, as those of many drivers."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        from gs_sim.nodes.reconstructing.live_topics import find_message_type
        from gs_sim.nodes.ros.qos import latched, stream

        types = {message.topic: message.type_name for message in self._messages}
        for topic in topics:
            profile = latched() if topic == "/tf_static" else stream(50)
            if topic == "/lidar/points":
                profile = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
            self.publishers[topic] = self._node.create_publisher(find_message_type(types[topic]), topic, profile)

    def wait_for_subscribers(self) -> None:
        publishers = self.publishers.values()
        wait_until(lambda: all(p.get_subscription_count() for p in publishers), "subscriptions to every topic")

    def play(self) -> None:
        """Publish at the pace of the bag."""
        start_s, first_ns = time.monotonic(), self._messages[0].log_ns
        for message in self._messages:
            time.sleep(max(0.0, (message.log_ns - first_ns) * 1e-9 - (time.monotonic() - start_s)))
            self.publishers[message.topic].publish(bytes(message.data))

    def close(self) -> None:
        for publisher in self.publishers.values():
            self._node.destroy_publisher(publisher)
