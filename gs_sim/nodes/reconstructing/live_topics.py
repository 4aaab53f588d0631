"""Live topics into a bag: found on the graph by type, subscribed to serialized, new ones while it goes on.

Received messages are ordered by the clock of the node, which is simulation time where `use_sim_time` is set.
A clock that stands still or jumps back ends a recording early, with what it has.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy

from gs_sim.errors import InputError
from gs_sim.nodes.reconstructing.process import StoppedError, Watch
from gs_sim.nodes.ros.inputs import Inputs
from gs_sim.nodes.ros.qos import Reliability
from gs_sim.nodes.ros.steady_clock import steady_clock
from gs_sim.reconstruction.reconstruct import Progress
from gs_sim.sources.bag_file import BagTopic
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_topics import COMPRESSED_IMAGE, IMAGE, POINT_CLOUD
from gs_sim.sources.live import LiveMessage, LiveRecorder, RecordingLimits, topics_to_record

VIRTUAL_SENSOR = "gs_sim_msgs/msg/VirtualSensor"
LOOK_EVERY_S = 0.3
"""How often the graph is searched for new topics."""
POLL_S = 0.05
CLOCK_PATIENCE_S = 10.0
"""A clock that stands still for longer will not go on: its player or simulator has ended."""
LARGE_DEPTH, SMALL_DEPTH = 10, 200
"""Messages that wait for this node: of images and clouds, and of everything else."""


@dataclass(frozen=True)
class LiveOrder:
    """What to record, and how much."""

    path: Path
    """The bag to write."""
    duration_s: float
    topics: BagSettings
    limits: RecordingLimits
    reliability: Reliability


@dataclass(frozen=True)
class Recorded:
    """A finished bag."""

    skipped: dict[str, int]
    remarks: tuple[str, ...]
    """Sentences about what did not go as asked."""


class LiveTopics:
    """Subscriptions that come and hand every message to a recorder until they are closed."""

    def __init__(self, node: Node, order: LiveOrder, recorder: LiveRecorder) -> None:
        self._node, self._recorder = node, recorder
        self._wanted = _resolved(node, order.topics)
        self._known: set[str] = set()
        self._simulators: set[tuple[str, str]] = set()
        self._inputs = Inputs(node, order.reliability)
        self.remarks: dict[str, str] = {}
        """Sentences by message type whose package is not installed."""
        self._look()
        self._inputs.start()
        self._timer = node.create_timer(LOOK_EVERY_S, self._look, clock=steady_clock())

    def close(self) -> None:
        """End all subscriptions."""
        self._node.destroy_timer(self._timer)
        self._inputs.close()

    def _look(self) -> None:
        self._simulators = self._find_simulators()
        graph = [
            BagTopic(name, type_name, self._num_sensors(name, type_name))
            for name, type_names in self._node.get_topic_names_and_types()
            for type_name in type_names
        ]
        for topic in topics_to_record(graph, self._wanted):
            if topic.name not in self._known:
                self._known.add(topic.name)
                self._subscribe(topic)

    def _find_simulators(self) -> set[tuple[str, str]]:
        """Nodes that announce virtual sensors: what they publish was seen by nobody."""
        topics = [name for name, types in self._node.get_topic_names_and_types() if VIRTUAL_SENSOR in types]
        publishers = [publisher for topic in topics for publisher in self._node.get_publishers_info_by_topic(topic)]
        return {(publisher.node_name, publisher.node_namespace) for publisher in publishers}

    def _num_sensors(self, topic: str, type_name: str) -> int:
        """How many publish a topic, less what is no sensor: simulated ones, this node itself, and latched clouds, which are maps."""
        ours = {(self._node.get_name(), self._node.get_namespace()), *self._simulators}
        others = [
            publisher
            for publisher in self._node.get_publishers_info_by_topic(topic)
            if (publisher.node_name, publisher.node_namespace) not in ours
        ]
        if type_name == POINT_CLOUD:
            latching = DurabilityPolicy.TRANSIENT_LOCAL
            others = [publisher for publisher in others if publisher.qos_profile.durability != latching]
        return len(others)

    def _subscribe(self, topic: BagTopic) -> None:
        message_type = find_message_type(topic.type_name)
        if message_type is None:
            package = topic.type_name.split("/")[0]
            sentence = f"{topic.name} is not recorded, since the package {package} is not installed"
            if topic.type_name not in self.remarks:
                self._node.get_logger().warning(sentence)
                self.remarks[topic.type_name] = sentence
            return
        self._node.get_logger().info(f"recording {topic.name} ({topic.type_name})")
        is_large = topic.type_name in {IMAGE, COMPRESSED_IMAGE, POINT_CLOUD}
        self._inputs.add(
            message_type,
            topic.name,
            partial(self._receive, topic.name, topic.type_name),
            depth=LARGE_DEPTH if is_large else SMALL_DEPTH,
            is_latched=topic.name.endswith("/tf_static"),
            raw=True,
        )

    def _receive(self, topic: str, type_name: str, data: bytes) -> None:
        self._recorder.add(LiveMessage(topic, type_name, self._node.get_clock().now().nanoseconds, bytes(data)))


def _resolved(node: Node, topics: BagSettings) -> BagSettings:
    """The settings with absolute names of topics, as the graph has them."""

    def absolute(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(node.resolve_topic_name(name) for name in names)

    return replace(
        topics,
        image_topics=absolute(topics.image_topics),
        camera_info_topics=absolute(topics.camera_info_topics),
        lidar_topics=absolute(topics.lidar_topics),
    )


def find_message_type(type_name: str) -> Any:
    """The class of `package/msg/Name`; None if that package is not installed."""
    package, _, name = type_name.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name, None)
    except ImportError:
        return None


def record(node: Node, order: LiveOrder, watch: Watch, show: Callable[[LiveRecorder], None]) -> Recorded:
    """Record live topics for so long by the node's clock, or until there is a reason to end early.

    `show` is given the recorder at once, for diagnostics.

    Raises:
        StoppedError: `watch` asked to stop; nothing is left.
        StorageError: the disk is full, or the bag cannot be written there; nothing is left.
        InputError: not one message arrived.
    """
    with LiveRecorder(order.path, order.limits) as recorder:
        show(recorder)
        topics = LiveTopics(node, order, recorder)
        try:
            remark = _wait(node, order, watch, recorder)
        finally:
            topics.close()
        if not recorder.counts:
            raise InputError(
                "not one message arrived that a reconstruction could use (images, clouds, poses); "
                "`ros2 topic list -t` shows what is published, and ROS_DOMAIN_ID must be the publishers'"
            )
    remarks = tuple(filter(None, (remark, *topics.remarks.values())))
    return Recorded(recorder.skipped, remarks)


def _wait(node: Node, order: LiveOrder, watch: Watch, recorder: LiveRecorder) -> str:
    """Wait until the recording is over; the sentence says why it ended early, or is empty."""
    duration_ns = round(order.duration_s * 1e9)
    start_ns = latest_ns = node.get_clock().now().nanoseconds
    moved_s = time.monotonic()
    while not recorder.ended_early:
        if watch.should_stop():
            raise StoppedError("the recording was stopped; nothing was saved")
        now_ns, now_s = node.get_clock().now().nanoseconds, time.monotonic()
        if now_ns != latest_ns:
            latest_ns, moved_s = now_ns, now_s
        start_ns = start_ns or now_ns  # simulation time is 0 until the first /clock
        elapsed_ns = now_ns - start_ns
        watch.tell(Progress("record", max(0, elapsed_ns) // 10**6, max(1, duration_ns // 10**6)))
        if start_ns and elapsed_ns >= duration_ns:
            return ""
        if now_s - moved_s > CLOCK_PATIENCE_S:
            return f"the recording ended early, since the clock (/clock) has stood still for {CLOCK_PATIENCE_S:g} s"
        time.sleep(POLL_S)
    return recorder.ended_early
