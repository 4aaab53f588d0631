"""A bag as a Recording: one pass notes what is there, then images and sweeps are streamed on demand.

The rules are elsewhere: which topic is what in `bag_topics`, the pass in `bag_scan`, mounts and
calibration in `bag_rig`. Here is what a stream does with one message.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.geometry.warp import warp_image
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track
from gs_sim.sources.bag_file import BagFile, RawMessage
from gs_sim.sources.bag_rig import Assembly, CameraStream, LidarStream, assemble
from gs_sim.sources.bag_scan import scan_bag
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_topics import IMAGE, discover
from gs_sim.sources.messages.header import stamp_ns
from gs_sim.sources.messages.image import decode_compressed_image, decode_image
from gs_sim.sources.messages.point_cloud import decode_cloud
from gs_sim.sources.messages.point_time import point_stamps_ns
from gs_sim.sources.stamps import KeptStamps

SEEK_GAP_NS = 10**9
"""Frames asked for that lie further apart than this are sought; those nearer are read past, which is as fast."""


@dataclass(frozen=True)
class Wanted:
    """A run of messages of one topic, to be read in one go."""

    index_by_stamp: dict[int, int]
    start_ns: int
    stop_ns: int


class BagRecording:
    """Implements `gs_sim.sensing.recording.Recording`; close it, or use it as a context manager."""

    def __init__(self, bag: BagFile, assembly: Assembly) -> None:
        assert assembly.vehicle is not None
        self._bag = bag
        self._vehicle = assembly.vehicle
        self._cameras = {stream.mounted.name: stream for stream in assembly.cameras}
        self._lidars = {stream.mounted.name: stream for stream in assembly.lidars}
        self._skipped = assembly.skipped
        self._counted: set[tuple[str, int]] = set()
        self.rig: Rig = assembly.rig
        self.tracks: tuple[Track, ...] = assembly.tracks
        self.warnings: tuple[str, ...] = (*bag.notes, *assembly.warnings)
        """Sentences about choices made and oddities met while opening."""

    def __enter__(self) -> "BagRecording":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the bag; streams that are still open end with an error."""
        self._bag.close()

    @property
    def world_from_rig(self) -> Trajectory:
        """See `Recording.world_from_rig`."""
        return self._vehicle.world_from_rig

    @property
    def map_from_world(self) -> Float64[Tensor, "4 4"]:
        """See `Recording.map_from_world`; a pure translation."""
        return self._vehicle.map_from_world

    @property
    def skipped(self) -> dict[str, int]:
        """See `Recording.skipped`; grows while streams meet what they cannot read, each message counted once."""
        return dict(self._skipped)

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.frame_stamps_ns`."""
        self.rig.camera(camera_name)
        return self._cameras[camera_name].stamps.stamps_ns

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """See `Recording.frames`; images are rectified here, and only those asked for are decoded.

        Raises:
            BagError: the file is damaged at that place.
        """
        self.rig.camera(camera_name)
        stream = self._cameras[camera_name]
        topic = stream.index.topic.image_topic
        for index, stamp, message in self._messages(topic, stream.stamps, indices):
            frame = self._frame(stream, index, stamp, message)
            if frame is not None:
                yield frame

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.sweep_stamps_ns`."""
        self.rig.lidar(lidar_name)
        return self._lidars[lidar_name].stamps.stamps_ns

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """See `Recording.sweeps`.

        Raises:
            BagError: the file is damaged at that place.
        """
        self.rig.lidar(lidar_name)
        stream = self._lidars[lidar_name]
        for index, stamp, message in self._messages(stream.index.topic.topic, stream.stamps, indices):
            sweep = self._sweep(stream, index, stamp, message)
            if sweep is not None:
                yield sweep

    def _messages(
        self, topic: str, stamps: KeptStamps, indices: Sequence[int] | None
    ) -> Iterator[tuple[int, int, Any]]:
        """Stream (index, stamp, message) of the kept messages of a topic that are asked for."""
        for run in wanted_runs(stamps, indices):
            remaining = dict(run.index_by_stamp)
            for raw in self._bag.messages([topic], run.start_ns, run.stop_ns):
                message = self._decoded(raw)
                if message is None:
                    continue
                stamp = raw.log_ns if stamps.uses_log_time else stamp_ns(message.header)
                index = remaining.pop(stamp, None)
                if index is not None:
                    yield index, stamp, message
                if not remaining:
                    break

    def _decoded(self, raw: RawMessage) -> Any:
        try:
            return self._bag.decode(raw)
        except MessageError:
            return None  # counted by the first pass, which met it too

    def _frame(self, stream: CameraStream, index: int, stamp: int, message: Any) -> Frame | None:
        mounted, topic = stream.mounted, stream.index.topic
        try:
            rgb = decode_image(message) if topic.type_name == IMAGE else decode_compressed_image(message)
        except MessageError:
            self._count(index, f"images on {topic.image_topic} that cannot be decoded")
            return None
        if tuple(rgb.shape[:2]) != (mounted.raw_camera.height_px, mounted.raw_camera.width_px):
            size = f"{mounted.raw_camera.width_px}x{mounted.raw_camera.height_px}"
            self._count(index, f"images on {topic.image_topic} that are not {size} px as most are")
            return None
        if mounted.camera != mounted.raw_camera:
            rgb = warp_image(rgb, mounted.raw_camera, mounted.camera)
        return Frame(mounted.name, index, stamp, rgb)

    def _sweep(self, stream: LidarStream, index: int, stamp: int, message: Any) -> Sweep | None:
        topic, meaning = stream.index.topic.topic, stream.index.point_time
        try:
            cloud = decode_cloud(message)
        except MessageError:
            self._count(index, f"sweeps on {topic} that cannot be decoded")
            return None
        num_points, num_untimed = len(cloud.points_lidar), 0
        if cloud.raw_times is None or meaning is None:
            stamps_ns = torch.full((num_points,), stamp, dtype=torch.int64)
        else:
            stamps_ns, num_untimed = point_stamps_ns(cloud.raw_times, stamp, meaning)
        unusable = f"points on {topic} that are not finite or at the sensor's origin"
        untimed = f"points on {topic} whose time is not near their sweep, which got its stamp (they are used)"
        self._count(index, unusable, cloud.num_unusable)
        self._count(index, untimed, num_untimed)
        return Sweep(stream.mounted.name, index, stamp, cloud.points_lidar, stamps_ns, cloud.intensities)

    def _count(self, index: int, sentence: str, count: int = 1) -> None:
        """Count what was left out of a message, once however often it is read."""
        if (sentence, index) not in self._counted and count:
            self._counted.add((sentence, index))
            self._skipped.note(sentence, count)


def wanted_runs(stamps: KeptStamps, indices: Sequence[int] | None) -> Iterator[Wanted]:
    """Split the indices asked for into runs that are worth reading in one go, in time order."""
    chosen = range(len(stamps.stamps_ns)) if indices is None else sorted(set(indices))
    run: list[int] = []
    logs = stamps.log_ns.tolist()
    known = stamps.stamps_ns.tolist()

    def wanted() -> Wanted:
        times = [logs[index] for index in run]
        return Wanted({known[index]: index for index in run}, min(times), max(times) + 1)

    for index in chosen:
        if not 0 <= index < len(logs):
            continue
        if run and abs(logs[index] - logs[run[-1]]) > SEEK_GAP_NS:
            yield wanted()
            run = []
        run.append(index)
    if run:
        yield wanted()


def open_bag(path: Path | str, settings: BagSettings | None = None) -> BagRecording:
    """Open a bag as a Recording: one pass over the file, then streams.

    Args:
        path: a rosbag2 folder (mcap or sqlite3, zstd too), a bare .mcap or .db3, or a ROS 1 .bag.
        settings: what to take from the bag; by default everything is discovered.

    Raises:
        BagError: there is no bag, it is damaged, or lacks what is needed; the message says what to fix.
        FrameLinkError: a sensor is not connected to the vehicle by /tf.
        MessageError: a calibration or image cannot be understood.
    """
    chosen = settings or BagSettings()
    bag = BagFile(Path(path))
    try:
        topics = discover(bag.topics, chosen)
        assembly = assemble(scan_bag(bag, topics), chosen)
        refuse_problems(assembly, path)
        recording = BagRecording(bag, assembly)
        recording.warnings += topics.warnings
    except BaseException:
        bag.close()
        raise
    return recording


def refuse_problems(assembly: Assembly, path: Path | str) -> None:
    """Raise the first problem and say how many more there are."""
    if assembly.problems:
        first, num_more = assembly.problems[0], len(assembly.problems) - 1
        more = f" ({num_more} more: see `gs-sim inspect {path}`)" if num_more else ""
        raise type(first)(f"{path}: {first}{more}")
