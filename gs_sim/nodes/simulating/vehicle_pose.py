"""Where the vehicle is, as others say: from Odometry, PoseStamped or tf, brought into the scene's frame."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped
from jaxtyping import Float64
from nav_msgs.msg import Odometry
from rclpy.node import Node
from torch import Tensor

from gs_sim.errors import FrameLinkError, InputError, MissingFeatureError
from gs_sim.geometry.pose import inverse
from gs_sim.nodes.ros.inputs import Inputs
from gs_sim.nodes.ros.optional_messages import TFMessage
from gs_sim.nodes.simulating.settings import SensorSimSettings
from gs_sim.sources.messages.header import frame_id, stamp_ns
from gs_sim.sources.messages.pose import child_frame_id, pose_from_message
from gs_sim.sources.transform_buffer import TransformBuffer

logger = logging.getLogger(__name__)

MAX_SENTENCES = 50
"""Frames come from messages, and so do sentences about them."""

Heard = Callable[[int, Float64[Tensor, "4 4"]], None]
"""Is told the stamp of a pose in ns, and `map_from_base`."""


class Frames:
    """/tf and /tf_static as they come in, and the way of poses into the fixed frame."""

    def __init__(self, node: Node, inputs: Inputs, settings: SensorSimSettings) -> None:
        self.fixed, self.base = settings.fixed_frame, settings.base_frame
        self._buffer = TransformBuffer()
        self._lock = threading.Lock()
        self._heard: Callable[[], None] = lambda: None
        self.has_tf = TFMessage is not None
        if self.has_tf:
            inputs.add(TFMessage, "/tf", lambda message: self._add(message, is_static=False), depth=100)
            inputs.add(
                TFMessage, "/tf_static", lambda message: self._add(message, is_static=True), depth=100, is_latched=True
            )
        else:
            node.get_logger().info("tf2_msgs is not installed: /tf is not read, poses must come in the fixed frame")

    def on_change(self, heard: Callable[[], None]) -> None:
        """Call this after each message on /tf."""
        self._heard = heard

    def fixed_from(self, frame: str, at_ns: int) -> Float64[Tensor, "4 4"]:
        """`fixed_from_frame` at a moment; an empty frame is the fixed one.

        Raises:
            FrameLinkError: tf does not connect the frames.
            OutsideTrajectoryError: it does not know them at this moment.
        """
        with self._lock:
            return self._buffer.lookup(self.fixed, frame or self.fixed, at_ns)

    def base_from(self, frame: str, at_ns: int) -> Float64[Tensor, "4 4"]:
        """`base_from_frame`: where a part of the vehicle sits on it; an empty frame is the base. Raises as `fixed_from`."""
        with self._lock:
            return self._buffer.lookup(self.base, frame or self.base, at_ns)

    def latest_base(self) -> tuple[int, Float64[Tensor, "4 4"]] | None:
        """The newest pose of the vehicle that tf knows, with its stamp; None while it knows none."""
        with self._lock:
            try:
                latest_ns = self._buffer.latest_ns(self.fixed, self.base)
                return None if latest_ns is None else (latest_ns, self._buffer.lookup(self.fixed, self.base, latest_ns))
            except InputError:
                return None

    def _add(self, message: Any, *, is_static: bool) -> None:
        with self._lock:
            self._buffer.add(message, is_static=is_static)
        if not is_static:
            self._heard()


class Unusable:
    """What could not be used, by the sentence that says why; each sentence is logged now and then."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._num_told = 0

    def note(self, sentence: str) -> None:
        """Count one; the first, tenth, hundredth, ... of a sentence is logged."""
        if len(self.counts) >= MAX_SENTENCES and sentence not in self.counts:
            sentence = "poses for many other reasons"
        self.counts[sentence] += 1
        count = self.counts[sentence]
        if str(count).strip("0") == "1":
            logger.warning("%d not used: %s", count, sentence)

    def take_news(self) -> int:
        """How many came since this was asked last."""
        self._num_told, before = self.counts.total(), self._num_told
        return self._num_told - before


class VehiclePose:
    """Listens to the pose source of the settings; what cannot be used is counted by the sentence that says why."""

    def __init__(self, inputs: Inputs, frames: Frames, settings: SensorSimSettings, heard: Heard) -> None:
        self._frames, self._heard = frames, heard
        self._last_tf_ns: int | None = None
        self.num_heard = 0
        self.unusable = Unusable()
        if settings.pose_source == "odometry":
            inputs.add(Odometry, "odometry", self._on_odometry)
        elif settings.pose_source == "pose":
            inputs.add(PoseStamped, "pose", self._on_pose)
        elif settings.pose_source == "tf":
            if not frames.has_tf:
                raise MissingFeatureError(
                    "pose_source tf needs the package tf2_msgs; install it, or use odometry or pose"
                )
            frames.on_change(self._on_tf)

    def _on_odometry(self, message: Odometry) -> None:
        self._take(message, message.pose.pose)

    def _on_pose(self, message: PoseStamped) -> None:
        self._take(message, message.pose)

    def _take(self, message: Any, pose: Any) -> None:
        stamp, frame, child = stamp_ns(message.header), frame_id(message.header), child_frame_id(message)
        try:
            map_from_child = self._frames.fixed_from(frame, stamp) @ pose_from_message(pose)
            map_from_base = map_from_child @ inverse(self._frames.base_from(child, stamp))
        except FrameLinkError:
            self.unusable.note(
                f"poses of '{child or self._frames.base}' in '{frame}', which tf does not connect with "
                f"'{self._frames.base}' and '{self._frames.fixed}' (parameters base_frame and fixed_frame)"
            )
        except InputError:
            self.unusable.note("poses that are not finite, no rotation, or outside the time that tf knows")
        else:
            self.num_heard += 1
            self._heard(stamp, map_from_base)

    def _on_tf(self) -> None:
        latest = self._frames.latest_base()
        if latest is None or latest[0] == self._last_tf_ns:
            return
        self._last_tf_ns = latest[0]
        self.num_heard += 1
        self._heard(*latest)
