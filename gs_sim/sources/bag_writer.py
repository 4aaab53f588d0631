"""Writing a rosbag2 bag from core types.

The bag grows in a hidden folder beside its target and takes its name only when it is
complete, so that no half-written bag is ever found under the name that was asked for.
"""

import contextlib
import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from jaxtyping import Float64, UInt8
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from torch import Tensor

from gs_sim.errors import StorageError
from gs_sim.geometry.camera import Camera
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources import bag_messages
from gs_sim.sources.bag_messages import ImageEncoding
from gs_sim.sources.detection import Detection
from gs_sim.sources.message_types import ros2_types

METADATA_VERSION: Literal[8] = 8
"""The newest that rosbag2 of every distribution since Iron reads; 9 changed how QoS is written."""

FOREVER = QosTime(2147483647, 4294967295)
"""How rosbag2 writes an infinite duration."""


def qos(durability: QosDurability) -> Qos:
    """Reliable, last ten: what `ros2 bag play` then offers."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=10,
        reliability=QosReliability.RELIABLE,
        durability=durability,
        deadline=FOREVER,
        lifespan=FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=FOREVER,
        avoid_ros_namespace_conventions=False,
    )


class BagWriter:
    """A new bag, as a context manager; on any error, Ctrl-C included, nothing is left behind.

    Messages are recorded at their own stamp. Topics are created on first use.
    """

    def __init__(
        self, path: Path | str, storage: Literal["mcap", "sqlite3"] = "mcap", *, overwrite: bool = False
    ) -> None:
        """Prepare to write the folder `path`; nothing is touched before the context is entered.

        `overwrite` replaces an existing bag (a folder with a `metadata.yaml`), never anything else.
        """
        self.path = Path(path)
        self.plugin = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}[storage]
        self.overwrite = overwrite
        self._connections: dict[str, Connection] = {}
        self._pending_static: list[tuple[str, str, Float64[Tensor, "4 4"]]] = []
        self._workplace: Path | None = None
        self._writer: Writer | None = None

    def __enter__(self) -> "BagWriter":
        """Create the hidden folder.

        Raises:
            StorageError: the target exists and may not be replaced, or its folder cannot be written.
        """
        self._refuse_existing_target()
        with self._storage_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._workplace = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.writing-", dir=self.path.parent))
            self._writer = Writer(
                self._workplace / self.path.name, version=METADATA_VERSION, storage_plugin=self.plugin
            )
            self._writer.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the bag and give it its name, or remove what was written."""
        writer, workplace = self._writer, self._workplace
        assert writer is not None
        assert workplace is not None
        try:
            if kind is None:
                self._write_pending_static(0)
                with self._storage_errors():
                    writer.close()
                    self._move_into_place(workplace)
        finally:
            self._writer = None
            with contextlib.suppress(OSError, sqlite3.Error):
                writer.abort()
            shutil.rmtree(workplace, ignore_errors=True)

    def write_image(
        self, topic: str, frame_id: str, stamp_ns: int, rgb: UInt8[Tensor, "h w 3"], encoding: ImageEncoding = "rgb8"
    ) -> None:
        """Write an image; JPEG and PNG go to `<topic>/compressed`, as image_transport names them."""
        if encoding == "rgb8":
            self._write(topic, stamp_ns, bag_messages.image(frame_id, stamp_ns, rgb))
        else:
            compressed = bag_messages.compressed_image(frame_id, stamp_ns, rgb, encoding)
            self._write(f"{topic.removesuffix('/compressed')}/compressed", stamp_ns, compressed)

    def write_camera_info(self, topic: str, frame_id: str, stamp_ns: int, camera: Camera) -> None:
        """Write a camera's calibration, with the stamp and frame of its image."""
        self._write(topic, stamp_ns, bag_messages.camera_info(frame_id, stamp_ns, camera))

    def write_sweep(self, topic: str, frame_id: str, sweep: Sweep) -> None:
        """Write one LiDAR revolution; see `bag_messages.point_cloud` for its fields."""
        self._write(topic, sweep.stamp_ns, bag_messages.point_cloud(frame_id, sweep))

    def write_static_transforms(self, transforms: Sequence[tuple[str, str, Float64[Tensor, "4 4"]]]) -> None:
        """Write (parent, child, parent_from_child) to `/tf_static`.

        They are stamped and recorded with the first message that has a time, so write them first and all at once:
        a late subscriber of a replayed bag may get the last message only.
        """
        self._pending_static.extend(transforms)

    def write_transform(
        self, parent: str, child: str, stamp_ns: int, parent_from_child: Float64[Tensor, "4 4"]
    ) -> None:
        """Write one moving transform to `/tf`."""
        transform = bag_messages.transform(parent, child, stamp_ns, parent_from_child)
        self._write("/tf", stamp_ns, bag_messages.message("tf2_msgs/msg/TFMessage", transforms=[transform]))

    def write_odometry(
        self, topic: str, frame_id: str, child_frame_id: str, stamp_ns: int, frame_from_child: Float64[Tensor, "4 4"]
    ) -> None:
        """Write the pose of the vehicle (`child_frame_id`, usually `base_link`) in `frame_id`."""
        header = bag_messages.header(frame_id, stamp_ns)
        self._write(topic, stamp_ns, bag_messages.odometry(header, child_frame_id, frame_from_child))

    def write_detections(self, topic: str, frame_id: str, stamp_ns: int, boxes: Sequence[Detection]) -> None:
        """Write tracked boxes, given in `frame_id`."""
        header = bag_messages.header(frame_id, stamp_ns)
        self._write(topic, stamp_ns, bag_messages.detections(header, boxes))

    def write_serialized(self, topic: str, type_name: str, stamp_ns: int, data: bytes | memoryview) -> None:
        """Write a message that is serialized already (CDR), as a live subscription receives it.

        `type_name` is one of the types that `message_types` knows.
        """
        with self._storage_errors():
            assert self._writer is not None, "a BagWriter is used inside its `with` block"
            if topic not in self._connections:
                is_latched = topic.endswith("/tf_static")
                durability = QosDurability.TRANSIENT_LOCAL if is_latched else QosDurability.VOLATILE
                self._connections[topic] = self._writer.add_connection(
                    topic, type_name, typestore=ros2_types(), offered_qos_profiles=[qos(durability)]
                )
            self._writer.write(self._connections[topic], stamp_ns, data)

    def _write(self, topic: str, stamp_ns: int, message: Any) -> None:
        self._write_pending_static(stamp_ns)
        type_name = message.__msgtype__
        self.write_serialized(topic, type_name, stamp_ns, ros2_types().serialize_cdr(message, type_name))

    def _write_pending_static(self, stamp_ns: int) -> None:
        pending, self._pending_static = self._pending_static, []
        if pending:
            transforms = [bag_messages.transform(parent, child, stamp_ns, pose) for parent, child, pose in pending]
            self._write("/tf_static", stamp_ns, bag_messages.message("tf2_msgs/msg/TFMessage", transforms=transforms))

    def _refuse_existing_target(self) -> None:
        if not self.path.exists():
            return
        if not self.overwrite:
            raise StorageError(f"{self.path} exists already; remove it, choose another name, or allow overwriting")
        if not (self.path / "metadata.yaml").is_file():
            raise StorageError(f"{self.path} exists and is no bag, so it is not overwritten; choose another name")

    def _move_into_place(self, workplace: Path) -> None:
        if self.path.exists():
            self._refuse_existing_target()
            self.path.rename(workplace / "replaced")
        (workplace / self.path.name).rename(self.path)

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            is_full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or "full" in str(error)
            advice = "free some space and try again" if is_full else "check the folder and its permissions"
            raise StorageError(f"the bag {self.path} cannot be written ({error}); {advice}") from error
