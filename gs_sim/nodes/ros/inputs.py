"""What a node listens to, in a small node and thread of its own.

rclpy looks at everything a node has whenever anything happens. With some thirty services beside it, receiving one
pose cost 15 ms of a core; alone it costs one. Topic names are those of the owner, its remappings included.
"""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from gs_sim.nodes.ros.guard import guarded
from gs_sim.nodes.ros.qos import POLICIES, Reliability
from gs_sim.nodes.ros.running import CoreNode
from gs_sim.nodes.ros.steady_clock import steady_clock

LOOK_EVERY_S = 0.2
"""How often a subscription looks whether what its publishers offer has changed."""

SUFFIX = "_inputs"
"""Behind the name of the owner."""


class Inputs:
    """Subscriptions, each made anew when its publishers offer something else. `start` it, and `close` it.

    Callbacks run one after the other in its thread. Any thread may add.
    """

    def __init__(self, owner: Node, reliability: Reliability) -> None:
        self._owner, self._reliability = owner, reliability
        self._node = CoreNode(
            owner.get_name() + SUFFIX,
            context=owner.context,
            namespace=owner.get_namespace(),
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._wanted: list[tuple[Any, str, Callable[..., None], dict[str, Any]]] = []
        self._open: dict[int, tuple[Any, Any]] = {}
        self._lock = threading.Lock()
        self._node.create_timer(LOOK_EVERY_S, self._look, clock=steady_clock())
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self._node)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="gs_sim inputs")

    def add(self, message_type: Any, topic: str, callback: Callable[..., None], **options: Any) -> None:
        """Subscribe to a topic as soon as somebody publishes it.

        `options` are `depth` (default 10), `is_latched` (for /tf_static) and `raw` (the callback gets bytes).
        """
        with self._lock:
            self._wanted.append((message_type, self._owner.resolve_topic_name(topic), callback, options))

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and all subscriptions."""
        self._is_over.set()
        self._executor.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()

    def _spin(self) -> None:
        spin_once = guarded(self._executor.spin_once)
        self._look()
        while not self._is_over.is_set() and self._owner.context.ok():
            spin_once()

    def _look(self) -> None:
        with self._lock:
            for index, (message_type, topic, callback, options) in enumerate(self._wanted):
                offered = self._offered(topic, is_latched=options.get("is_latched", False))
                known = self._open.get(index)
                if offered is None or (known is not None and known[0] == offered):
                    continue
                if known is not None:
                    self._node.destroy_subscription(known[1])
                reliability, durability = offered
                profile = QoSProfile(depth=options.get("depth", 10), reliability=reliability, durability=durability)
                is_raw = options.get("raw", False)
                subscription = self._node.create_subscription(message_type, topic, callback, profile, raw=is_raw)
                self._open[index] = (offered, subscription)

    def _offered(self, topic: str, *, is_latched: bool) -> tuple[ReliabilityPolicy, DurabilityPolicy] | None:
        """Reliable if all publishers are; latched if one is, or none is there yet; None: wait for a publisher."""
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers and self._reliability == "auto":
            return None
        latching = DurabilityPolicy.TRANSIENT_LOCAL
        has_latching = not publishers or any(p.qos_profile.durability == latching for p in publishers)
        is_reliable = all(p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in publishers)
        wanted = self._reliability if self._reliability != "auto" else "reliable" if is_reliable else "best_effort"
        return POLICIES[wanted], latching if is_latched and has_latching else DurabilityPolicy.VOLATILE
