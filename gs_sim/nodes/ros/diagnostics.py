"""`/diagnostics` once a second: what a node is doing, in the words that monitors know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from gs_sim.nodes.ros.steady_clock import steady_clock

PERIOD_S = 1.0
LEVELS = {"ok": DiagnosticStatus.OK, "warn": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}


@dataclass(frozen=True)
class Status:
    """How one part of a node is."""

    level: str
    """ok, warn or error."""
    message: str
    values: Mapping[str, object]


class Diagnostics:
    """Asks a node for its status once a second and publishes it."""

    def __init__(self, node: Node, name: str, ask: Callable[[], Status]) -> None:
        self._node, self._name, self._ask = node, name, ask
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(PERIOD_S, self._publish, clock=steady_clock())

    def _publish(self) -> None:
        status = self._ask()
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        values = [KeyValue(key=key, value=str(value)) for key, value in status.values.items()]
        array.status = [
            DiagnosticStatus(
                level=LEVELS[status.level],
                name=f"gs_sim: {self._name}",
                message=status.message,
                hardware_id=self._node.get_name(),
                values=values,
            )
        ]
        self._publisher.publish(array)
