"""One open bag, whatever its storage: topics, raw messages in order of recording, decoding.

Wraps the readers of rosbags so that a damaged or odd file is one sentence, never a traceback,
and so that a topic whose type cannot be read does not spoil the others.
"""

import contextlib
import struct
import threading
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from backports import zstd
from rosbags.highlevel import AnyReaderError
from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader as Reader1
from rosbags.rosbag1 import ReaderError as Reader1Error
from rosbags.rosbag2 import Reader as Reader2
from rosbags.rosbag2 import ReaderError as Reader2Error
from rosbags.serde import SerdeError
from rosbags.typesys import TypesysError

from gs_sim.errors import BagError, MessageError
from gs_sim.sources.bag_storage import Storage, find_storage, storage_files
from gs_sim.sources.bag_types import describe, read_types
from gs_sim.sources.mcap_repair import RepairedMcap, repair_mcap

READ_ERRORS = (
    BagError,
    AnyReaderError,
    Reader1Error,
    Reader2Error,
    SerdeError,
    TypesysError,
    OSError,
    EOFError,
    zlib.error,
    struct.error,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AssertionError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What rosbags and its decompressors raise on damaged files: besides their own errors nearly everything, since record
lengths and offsets read from a damaged file are used before they are checked. zstd and apsw errors are added below."""


ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""How compressed data begins; no message of its own does."""


def all_read_errors() -> tuple[type[BaseException], ...]:
    """`READ_ERRORS` and the errors of packages that rosbags brings along."""
    import apsw  # brought along by rosbags, as zstd is

    return (*READ_ERRORS, apsw.Error, zstd.ZstdError)


class BagTopic(NamedTuple):
    """One topic of a bag."""

    name: str
    type_name: str
    num_messages: int


class RawMessage(NamedTuple):
    """One recorded message, not yet decoded."""

    topic: str
    type_name: str
    log_ns: int
    """When it was recorded; its own stamp is inside."""
    data: bytes | memoryview


@dataclass(frozen=True)
class OpenReader:
    """One reader of rosbags and how to name its file."""

    reader: Reader1 | Reader2
    path: Path


class BagFile:
    """An open bag; close it, or use it as a context manager. Reading from several threads is safe."""

    def __init__(self, path: Path) -> None:
        """Open the bag at `path`: a folder, or a bare .mcap, .db3 or .bag file.

        Raises:
            BagError: there is no bag, it is damaged, or of an unknown kind; the message says what to do.
        """
        self.path = path
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._is_closed = False
        self._errors = all_read_errors()
        storage = find_storage(path)
        self.notes: list[str] = list(storage.notes)
        """Sentences about what was odd, for reports."""
        self.is_ros1 = storage.is_ros1
        self._readers: list[OpenReader] = []
        try:
            self._open(storage)
            self._types, unread = read_types(self._connections(), self._errors, is_ros1=self.is_ros1)
            self.notes += unread
        except BaseException:
            self.close()
            raise

    def _open(self, storage: Storage) -> None:
        for path in storage.paths:
            self._open_or_repair(path, is_ros1=storage.is_ros1)
        if not any(opened.reader.message_count for opened in self._readers):
            raise BagError(f"the bag {self.path} holds no message; was the recorder subscribed to anything?")

    def _open_or_repair(self, path: Path, *, is_ros1: bool) -> None:
        try:
            self._open_reader(path, path, is_ros1=is_ros1)
        except self._errors as error:
            sentence = damage_sentence(path, error, is_ros1=is_ros1)
            files = storage_files(path) if path.is_dir() else []
            if path.suffix == ".mcap":
                self._open_unfinished(path, sentence)
            elif not files:
                raise BagError(sentence) from error
            else:
                self.notes.append(f"{sentence}; its files were read without it: {', '.join(f.name for f in files)}")
                for file in files:
                    self._open_or_repair(file, is_ros1=False)

    def _open_reader(self, path: Path, source: Path | RepairedMcap, *, is_ros1: bool = False) -> None:
        reader = (Reader1 if is_ros1 else Reader2)(source)  # type: ignore[arg-type]  # both ask only for what paths do
        reader.open()
        self._stack.callback(self._close_reader, reader)
        self._readers.append(OpenReader(reader, path))

    def _open_unfinished(self, file: Path, sentence: str) -> None:
        """Read an mcap file up to where the recording or copying stopped; `sentence` says what is wrong if nothing is."""
        try:
            repaired = repair_mcap(file)
            self._open_reader(file, repaired)
        except self._errors as error:
            raise BagError(sentence) from error
        if not self._readers[-1].reader.message_count:
            raise BagError(sentence)
        lost = file.stat().st_size - repaired.data_end
        self.notes.append(
            f"{file} was not closed properly; all but its last {lost} bytes was read, and "
            f"`mcap recover {file.name} -o repaired.mcap` makes a whole file of it"
        )

    def _close_reader(self, reader: Reader1 | Reader2) -> None:
        with contextlib.suppress(*self._errors):
            reader.close()

    def __enter__(self) -> "BagFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; streams that are still open end with an error."""
        with self._lock:
            self._is_closed = True
            self._stack.close()

    @property
    def topics(self) -> tuple[BagTopic, ...]:
        """All topics, by name."""
        counts: dict[tuple[str, str], int] = {}
        for connection in self._connections():
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        return tuple(BagTopic(name, type_name, count) for (name, type_name), count in sorted(counts.items()))

    @property
    def start_ns(self) -> int:
        """When the first message was recorded."""
        return min(opened.reader.start_time for opened in self._readers if opened.reader.message_count)

    @property
    def end_ns(self) -> int:
        """When the last message was recorded."""
        return max(opened.reader.end_time for opened in self._readers if opened.reader.message_count) - 1

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Stream the messages of some topics in order of recording, those recorded in [start_ns, stop_ns).

        Holds one chunk of the file in memory.

        Raises:
            BagError: the file is damaged at that place.
        """
        for opened in sorted(self._readers, key=lambda opened: opened.reader.start_time):
            connections = [c for c in opened.reader.connections if c.topic in topics]
            if not connections:
                continue
            stream = opened.reader.messages(connections, start=start_ns, stop=stop_ns)
            while True:
                try:
                    # the reader has one file position, which several streams would fight over
                    with self._lock:
                        item = None if self._is_closed else next(stream, None)
                except self._errors as error:
                    raise BagError(damage_sentence(opened.path, error, is_ros1=self.is_ros1)) from error
                if self._is_closed:
                    raise BagError(f"the bag {self.path} was closed while it was still being read")
                if item is None:
                    break
                connection, log_ns, data = item
                yield RawMessage(connection.topic, connection.msgtype, log_ns, data)

    def decode(self, message: RawMessage) -> Any:
        """Turn a raw message into an object with the fields of its type.

        Raises:
            MessageError: its bytes do not fit its type.
        """
        try:
            if bytes(message.data[:4]) == ZSTD_MAGIC:  # a part of a bag that is compressed message by message
                message = message._replace(data=zstd.decompress(message.data))
            if self.is_ros1:
                return self._types.deserialize_ros1(message.data, message.type_name)
            return self._types.deserialize_cdr(message.data, message.type_name)
        except self._errors as error:
            raise MessageError(
                f"a message on {message.topic}, recorded at {message.log_ns / 1e9:.3f} s, cannot be decoded as "
                f"{message.type_name} ({describe(error)}); it is damaged, or its type was redefined"
            ) from error

    def _connections(self) -> list[Connection]:
        return [connection for opened in self._readers for connection in opened.reader.connections]


def damage_sentence(path: Path, error: BaseException, *, is_ros1: bool) -> str:
    """What is wrong with a file and how to repair it."""
    repairs = {
        ".mcap": f"`mcap recover {path.name} -o repaired.mcap`",
        ".db3": f"`sqlite3 {path.name} .recover | sqlite3 repaired.db3`",
        ".bag": f"`rosbag reindex {path.name}`",
    }
    repair = repairs.get(path.suffix, f"`ros2 bag reindex {path.name}`")
    if is_ros1:
        repair = repairs[".bag"]
    if isinstance(error, PermissionError):
        return f"{path} cannot be read: permission denied"
    return f"{path} is damaged or was not closed properly ({describe(error)}); repair it with {repair}, or record again"
