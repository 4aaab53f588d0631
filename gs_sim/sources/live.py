"""A drive as it happens: messages go serialized into a bag on disk, which `open_bag` then reads.

So there is one way to read a drive, memory stays bounded however long it is, and whoever reconstructs
it needs only a path. Nothing of ROS is imported: whoever subscribes hands over bytes.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from gs_sim.errors import InputError, StorageError
from gs_sim.sources.bag_file import BagTopic
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_topics import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    DETECTIONS,
    IMAGE,
    POINT_CLOUD,
    POSES,
    TRANSFORMS,
    best_of_each_camera,
)
from gs_sim.sources.bag_writer import BagWriter

MEGABYTE = 10**6

MAX_DISORDER_NS = 500_000_000
"""Callbacks overtake each other by less than this; a clock that goes back further has jumped."""


@dataclass(frozen=True)
class LiveMessage:
    """One message as a subscription receives it."""

    topic: str
    type_name: str
    log_ns: int
    """When it was received."""
    data: bytes
    """Serialized (CDR)."""


@dataclass(frozen=True)
class RecordingLimits:
    """What a live recording may use."""

    max_buffer_mb: int = 256
    """Memory for messages that wait to be written."""
    max_recording_mb: int = 20_000
    """Disk space."""


class LiveRecorder:
    """Takes messages from any thread and writes them with one of its own; use it as a context manager.

    The bag has its name only after the context was left without an error.
    """

    def __init__(self, path: Path, limits: RecordingLimits) -> None:
        """Prepare to write the bag `path`; nothing is touched before the context is entered."""
        self._limits = limits
        self._bag = BagWriter(path)
        self._waiting: deque[LiveMessage] = deque()
        self._condition = threading.Condition()
        self._error: StorageError | None = None
        self._is_closed = False
        self._latest_ns = 0
        self._dropped: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._write, name="gs_sim live recorder")
        self.waiting_bytes = 0
        """Size of what was received and is not yet written."""
        self.accepted_bytes = 0
        """Size of what the bag will hold."""
        self.counts: Counter[str] = Counter()
        """Messages accepted, by topic."""
        self.ended_early = ""
        """Why nothing is taken any more, as one sentence; empty while it goes on."""

    def __enter__(self) -> "LiveRecorder":
        """Create the bag and start to write.

        Raises:
            StorageError: the target exists, or its folder cannot be written.
        """
        self._bag.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits and finish the bag; on an error drop everything.

        Raises:
            StorageError: the disk refused a message; nothing is left of the bag.
            InputError: there was no message at all.
        """
        with self._condition:
            self._is_closed = True
            if kind is not None:
                self._waiting.clear()
            self._condition.notify()
        self._thread.join()
        own = self._error or (None if self.counts else InputError("not one message arrived while recording"))
        if kind is None and own is not None:
            self._bag.__exit__(type(own), own, None)
            raise own
        self._bag.__exit__(kind, error, trace)

    @property
    def skipped(self) -> dict[str, int]:
        """How many messages were dropped, by the sentence that says why."""
        reason = f"that did not fit into the buffer of {self._limits.max_buffer_mb} MB while the disk was busy"
        with self._condition:
            return {f"messages on {topic} {reason}": count for topic, count in sorted(self._dropped.items())}

    def add(self, message: LiveMessage) -> None:
        """Take a message, drop and count it, or end the recording; never waits for the disk."""
        size = len(message.data)
        with self._condition:
            if self._is_closed or self.ended_early:
                return
            self.ended_early = self._reason_to_end(message)
            if self.ended_early:
                return
            self._latest_ns = max(self._latest_ns, message.log_ns)
            if self.waiting_bytes + size > self._limits.max_buffer_mb * MEGABYTE:
                self._dropped[message.topic] += 1
                return
            self.waiting_bytes += size
            self.accepted_bytes += size
            self.counts[message.topic] += 1
            self._waiting.append(message)
            self._condition.notify()

    def _reason_to_end(self, message: LiveMessage) -> str:
        if self.accepted_bytes + len(message.data) > self._limits.max_recording_mb * MEGABYTE:
            return f"the recording ended early, since it reached its limit of {self._limits.max_recording_mb} MB"
        if message.log_ns < self._latest_ns - MAX_DISORDER_NS:
            back_s = (self._latest_ns - message.log_ns) * 1e-9
            return (
                f"the recording ended early, since the clock went back by {back_s:.1f} s (is a bag played in a loop?)"
            )
        return ""

    def _write(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                message = self._waiting.popleft()
            try:
                self._bag.write_serialized(message.topic, message.type_name, message.log_ns, message.data)
            except StorageError as error:
                self._give_up(error)
                return
            with self._condition:
                self.waiting_bytes -= len(message.data)

    def _give_up(self, error: StorageError) -> None:
        with self._condition:
            self._error = error
            self.ended_early = str(error)
            self._waiting.clear()


def topics_to_record(topics: Sequence[BagTopic], settings: BagSettings) -> tuple[BagTopic, ...]:
    """Of the topics that are published, those that a reconstruction with these settings reads.

    Of a camera's raw, rectified and compressed images the best are taken, as from a bag.
    """
    published = [topic for topic in topics if topic.num_messages]
    images = [topic for topic in published if topic.type_name in {IMAGE, COMPRESSED_IMAGE}]
    if settings.image_topics:
        images = [topic for topic in images if topic.name in settings.image_topics]
    else:
        images = best_of_each_camera(images)
    named_poses = {settings.pose_topic} - {""}
    return (
        *images,
        *_named(published, (CAMERA_INFO,), settings.camera_info_topics),
        *_named(published, (POINT_CLOUD,), settings.lidar_topics),
        *_named(published, TRANSFORMS, ()),
        *_named(published, POSES, tuple(named_poses)),
        *_named(published, (DETECTIONS,), tuple({settings.detection_topic} - {""})),
    )


def _named(topics: Sequence[BagTopic], types: Sequence[str], names: Sequence[str]) -> list[BagTopic]:
    """The topics of some types; of them those that are named, or all."""
    return [topic for topic in topics if topic.type_name in types and (not names or topic.name in names)]
