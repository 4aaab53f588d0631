"""What the first pass over a bag notes of each stream: stamps and small facts, never pixels or points."""

from collections import Counter
from typing import Any

from gs_sim.errors import MessageError
from gs_sim.sources.bag_file import RawMessage
from gs_sim.sources.bag_index import CameraIndex, LidarIndex, VehiclePath
from gs_sim.sources.bag_topics import IMAGE, CameraTopic, LidarTopic
from gs_sim.sources.messages.camera_info import camera_from_info
from gs_sim.sources.messages.header import frame_id, stamp_ns
from gs_sim.sources.messages.image import decode_compressed_image, decode_image, is_depth_encoding
from gs_sim.sources.messages.point_cloud import decode_cloud, field_names
from gs_sim.sources.messages.point_time import PointTime, find_point_time
from gs_sim.sources.messages.pose import PoseColumns, child_frame_id
from gs_sim.sources.stamps import KeptStamps, StampColumns

CLOUDS_LOOKED_AT = 20
"""Clouds whose point times are looked at for their unit; the first may hold too few points to tell."""

IMAGES_TRIED = 3
"""A camera is given up when so many images in a row cannot be decoded."""


class Skipped(Counter[str]):
    """How many messages were left out, by the sentence that says why."""

    def note(self, sentence: str, count: int = 1) -> None:
        """Count messages; none at all leaves no entry."""
        if count:
            self[sentence] += count


class CameraCollector:
    """Notes the images and the calibration of one camera."""

    def __init__(self, topic: CameraTopic) -> None:
        self.topic = topic
        self.frame = ""
        self.encoding = ""
        self.info: Any = None  # a CameraInfo message of whichever ROS
        self.problem = ""
        self.is_depth = False
        self._has_calibration = False
        self._stamps = StampColumns()
        self._sizes_hw: list[tuple[int, int]] = []

    def add_image(self, raw: RawMessage, message: Any) -> None:
        """Note an image; the first one is decoded, to learn whether that is possible and how large it is."""
        is_raw = self.topic.type_name == IMAGE
        if not len(self._stamps):
            self.frame = frame_id(message.header)
            self.encoding = str(message.encoding if is_raw else message.format)
            self.is_depth = is_depth_encoding(self.encoding) or "compresseddepth" in self.encoding.lower()
        # a compressed image tells its size only when it is decoded: unknown is (0, 0)
        size_hw = (int(message.height), int(message.width)) if is_raw else (0, 0)
        if not len(self._stamps) or (self.problem and len(self._stamps) < IMAGES_TRIED):
            size_hw = self._try_decoding(raw, message) or size_hw
        self._sizes_hw.append(size_hw)
        self._stamps.add(stamp_ns(message.header), raw.log_ns)

    def _try_decoding(self, raw: RawMessage, message: Any) -> tuple[int, int] | None:
        try:
            rgb = decode_image(message) if self.topic.type_name == IMAGE else decode_compressed_image(message)
        except MessageError as error:
            self.problem = f"camera '{self.topic.name}' ({raw.topic}): {error}"
            return None
        self.problem = ""
        return (int(rgb.shape[0]), int(rgb.shape[1]))

    def add_info(self, message: Any) -> None:
        """Keep the first CameraInfo that is calibrated, or else the first of all."""
        if not self._has_calibration:
            self._has_calibration = is_calibrated(message)
            if self.info is None or self._has_calibration:
                self.info = message

    def finish(self, skipped: Skipped) -> CameraIndex:
        """Choose the size that most images have, and the images to keep."""
        counts = Counter(size for size in self._sizes_hw if size[0])
        size_hw = counts.most_common(1)[0][0] if counts else (0, 0)
        is_usable = [size in {size_hw, (0, 0)} for size in self._sizes_hw]
        height, width = size_hw
        skipped.note(
            f"images on {self.topic.image_topic} that are not {width}x{height} px as most are", is_usable.count(False)
        )
        kept = self._stamps.kept(is_usable)
        note_disorder(skipped, self.topic.image_topic, kept)
        frame = self.frame or ("" if self.info is None else frame_id(self.info.header))
        return CameraIndex(
            self.topic, frame, kept, self.encoding, size_hw, self.info, self.problem, is_depth=self.is_depth
        )


class LidarCollector:
    """Notes the sweeps of one LiDAR."""

    def __init__(self, topic: LidarTopic) -> None:
        self.topic = topic
        self.frame = ""
        self.fields: tuple[str, ...] = ()
        self.has_times = False
        self.point_time: PointTime | None = None
        self.problem = ""
        self.num_points = 0
        self._stamps = StampColumns()

    def add_cloud(self, raw: RawMessage, message: Any) -> None:
        """Note a sweep; the first ones are decoded, until the meaning of their times is known."""
        if not len(self._stamps):
            self.frame, self.fields = frame_id(message.header), field_names(message)
        if len(self._stamps) < CLOUDS_LOOKED_AT and (self.point_time is None or self.problem):
            self._look_at(raw, message)
        self.num_points += int(message.width) * int(message.height)
        self._stamps.add(stamp_ns(message.header), raw.log_ns)

    def _look_at(self, raw: RawMessage, message: Any) -> None:
        try:
            cloud = decode_cloud(message)
        except MessageError as error:
            self.problem = f"LiDAR '{self.topic.name}' ({raw.topic}): {error}"
            return
        self.problem = ""
        if cloud.raw_times is not None:
            self.has_times = True
            self.point_time = find_point_time(cloud.raw_times, stamp_ns(message.header))

    def finish(self, skipped: Skipped) -> LidarIndex:
        """Choose the sweeps to keep."""
        kept = self._stamps.kept([True] * len(self._stamps))
        note_disorder(skipped, self.topic.topic, kept)
        problem = self.problem
        if not problem and not self.num_points:
            problem = (
                f"LiDAR '{self.topic.name}' ({self.topic.topic}) has no points in any of {len(self._stamps)} sweeps"
            )
        return LidarIndex(self.topic, self.frame, kept, self.fields, self.point_time, problem, has_times=self.has_times)


class PathCollector:
    """Notes the vehicle's pose on its topic."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.parent = ""
        self.child = ""
        self._columns = PoseColumns()

    def add(self, message: Any) -> None:
        """Note a pose; raises MessageError for one that is none."""
        self._columns.add_vehicle_pose(message)
        if not self.parent:
            self.parent, self.child = frame_id(message.header), child_frame_id(message)

    def finish(self) -> VehiclePath | None:
        """The path, or None if not one pose was usable."""
        return VehiclePath(self.topic, self.parent, self.child, self._columns.trajectory()) if self._columns else None


class TransformCollector:
    """Notes `/tf` and `/tf_static`."""

    def __init__(self) -> None:
        self.static: dict[tuple[str, str], PoseColumns] = {}
        self.moving: dict[tuple[str, str], PoseColumns] = {}

    def add(self, raw: RawMessage, message: Any, skipped: Skipped) -> None:
        """Note all transforms of a message; those that are none are counted."""
        links = self.static if raw.topic.endswith("tf_static") else self.moving
        for transform in message.transforms:
            link = (frame_id(transform.header), child_frame_id(transform))
            try:
                links.setdefault(link, PoseColumns()).add_transform(transform)
            except MessageError:
                skipped.note(f"transforms {link[0]} -> {link[1]} on {raw.topic} that are not finite or no rotation")


def is_calibrated(info: Any) -> bool:
    """Whether a CameraInfo can be used for raw images."""
    try:
        camera_from_info(info, is_rectified=False)
    except MessageError:
        return False
    return True


def note_disorder(skipped: Skipped, topic: str, kept: KeptStamps) -> None:
    """Count messages that were dropped for their stamps."""
    skipped.note(f"messages on {topic} whose stamp repeats, leaps or goes back", kept.num_dropped)
