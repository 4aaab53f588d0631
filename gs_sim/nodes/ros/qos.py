"""Quality of service, chosen once, by what was measured with large messages.

Images and clouds are published reliable: best effort loses nearly all above 0.5 MB on the default
transport. A subscription asks for what its publishers offer, as rosbag2 does: a reliable one gets nothing
from a best-effort publisher.
"""

from typing import Literal

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

Reliability = Literal["auto", "reliable", "best_effort"]

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
