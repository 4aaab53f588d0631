"""Quality of service, chosen once, by what was measured with large messages.

Images and clouds are published reliable: best effort loses nearly all above 0.5 MB on the default
transport. A subscription asks for what its publishers offer, as rosbag2 does: a reliable one gets nothing
from a best-effort publisher.
"""

import threading
from collections.abc import Callable
from typing import Any, Literal

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from gs_sim.nodes.steady_clock import steady_clock

Reliability = Literal["auto", "reliable", "best_effort"]

LOOK_EVERY_S = 0.2
"""How often a subscription looks whether what its publishers offer has changed."""

POLICIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


def stream(depth: int = 5) -> QoSProfile:
    """For sensor data: reliable, the last few."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)


def latched(depth: int = 1) -> QoSProfile:
    """For what seldom changes: who subscribes later gets the last messages at once."""
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


class Inputs:
    """The subscriptions of a node, each made anew when its publishers offer something else; any thread may use it."""

    def __init__(self, node: Node, reliability: Reliability, group: CallbackGroup | None = None) -> None:
        self._node, self._reliability, self._group = node, reliability, group
        self._wanted: list[tuple[Any, str, Callable[..., None], dict[str, Any]]] = []
        self._open: dict[int, tuple[Any, Any]] = {}
        self._lock = threading.Lock()
        self._timer = node.create_timer(LOOK_EVERY_S, self._look, clock=steady_clock())

    def add(self, message_type: Any, topic: str, callback: Callable[..., None], **options: Any) -> None:
        """Subscribe to a topic as soon as somebody publishes it.

        `options` are `depth` (default 10), `is_latched` (for /tf_static) and `raw` (the callback gets bytes).
        """
        with self._lock:
            self._wanted.append((message_type, topic, callback, options))
        self._look()

    def close(self) -> None:
        """End all subscriptions."""
        self._node.destroy_timer(self._timer)
        with self._lock:
            for _, subscription in self._open.values():
                self._node.destroy_subscription(subscription)
            self._open.clear()
            self._wanted.clear()

    def _look(self) -> None:
        with self._lock:
            self._subscribe()

    def _subscribe(self) -> None:
        for index, (message_type, topic, callback, options) in enumerate(self._wanted):
            offered = self._offered(topic, is_latched=options.get("is_latched", False))
            known = self._open.get(index)
            if offered is None or (known is not None and known[0] == offered):
                continue
            if known is not None:
                self._node.destroy_subscription(known[1])
            reliability, durability = offered
            profile = QoSProfile(depth=options.get("depth", 10), reliability=reliability, durability=durability)
            subscription = self._node.create_subscription(
                message_type, topic, callback, profile, raw=options.get("raw", False), callback_group=self._group
            )
            self._open[index] = (offered, subscription)

    def _offered(self, topic: str, *, is_latched: bool) -> tuple[ReliabilityPolicy, DurabilityPolicy] | None:
        """Reliable if all publishers are; latched if one is, or none is there yet; None: wait for a publisher."""
        publishers = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
        if not publishers and self._reliability == "auto":
            return None
        latching = DurabilityPolicy.TRANSIENT_LOCAL
        has_latching = not publishers or any(p.qos_profile.durability == latching for p in publishers)
        is_reliable = all(p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in publishers)
        wanted = self._reliability if self._reliability != "auto" else "reliable" if is_reliable else "best_effort"
        return POLICIES[wanted], latching if is_latched and has_latching else DurabilityPolicy.VOLATILE
