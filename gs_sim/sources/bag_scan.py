"""The first pass over a bag: every message that matters is looked at once, and its facts are noted."""

from collections.abc import Callable
from typing import Any

from gs_sim.errors import MessageError
from gs_sim.sources.bag_collect import CameraCollector, LidarCollector, PathCollector, Skipped, TransformCollector
from gs_sim.sources.bag_file import BagFile, RawMessage
from gs_sim.sources.bag_index import BagIndex
from gs_sim.sources.bag_topics import BagTopics
from gs_sim.sources.messages.detections import StampedDetections, detections_from_message
from gs_sim.sources.transforms import build_tree

Handler = Callable[[RawMessage, Any], None]


class BagScan:
    """Collectors of all streams, and which topic goes to which of them."""

    def __init__(self, topics: BagTopics) -> None:
        self.skipped = Skipped()
        self.cameras = [CameraCollector(camera) for camera in topics.cameras]
        self.lidars = [LidarCollector(lidar) for lidar in topics.lidars]
        self.path = PathCollector(topics.pose_topic) if topics.pose_topic else None
        self.transforms = TransformCollector()
        self.detections: list[StampedDetections] = []
        self.handlers: dict[str, list[Handler]] = {}
        for camera in self.cameras:
            self._handle(camera.topic.image_topic, camera.add_image)
            if camera.topic.info_topic:
                self._handle(camera.topic.info_topic, without_raw(camera.add_info))
        for lidar in self.lidars:
            self._handle(lidar.topic.topic, lidar.add_cloud)
        for topic in topics.transform_topics:
            self._handle(topic, self._add_transforms)
        if self.path:
            self._handle(self.path.topic, without_raw(self.path.add))
        if topics.detection_topic:
            self._handle(topics.detection_topic, self._add_detections)

    def _handle(self, topic: str, handler: Handler) -> None:
        self.handlers.setdefault(topic, []).append(handler)

    def _add_transforms(self, raw: RawMessage, message: Any) -> None:
        self.transforms.add(raw, message, self.skipped)

    def _add_detections(self, raw: RawMessage, message: Any) -> None:
        found = detections_from_message(message)
        self.skipped.note(f"boxes on {raw.topic} without a size or a usable pose", found.num_unusable)
        self.detections.append(found)

    def add(self, bag: BagFile, raw: RawMessage) -> None:
        """Note one message; one that cannot be decoded is counted."""
        try:
            message = bag.decode(raw)
            for handler in self.handlers[raw.topic]:
                handler(raw, message)
        except MessageError:
            self.skipped.note(f"messages on {raw.topic} that are damaged or not finite")

    def finish(self) -> BagIndex:
        """What was found."""
        static = {link: columns.trajectory().poses[-1] for link, columns in self.transforms.static.items() if columns}
        moving = {link: columns.trajectory() for link, columns in self.transforms.moving.items() if columns}
        return BagIndex(
            cameras=tuple(camera.finish(self.skipped) for camera in self.cameras),
            lidars=tuple(lidar.finish(self.skipped) for lidar in self.lidars),
            path=self.path.finish() if self.path else None,
            tree=build_tree(static, moving),
            detections=tuple(self.detections),
            skipped=self.skipped,
        )


def without_raw(add: Callable[[Any], None]) -> Handler:
    """A handler that needs only the decoded message."""
    return lambda _, message: add(message)


def scan_bag(bag: BagFile, topics: BagTopics) -> BagIndex:
    """Read the whole bag once, message by message.

    Raises:
        BagError: the file is damaged.
    """
    scan = BagScan(topics)
    for raw in bag.messages(scan.handlers.keys()):
        scan.add(bag, raw)
    return scan.finish()
