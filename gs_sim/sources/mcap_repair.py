"""Reading an mcap file that was never closed: the recorder was killed, or a copy was cut short.

Such a file lacks its summary, which says where the chunks are, but the chunks before the cut are
whole. They are found by walking over the records, and a summary is put behind them in memory; the
file itself is not touched. Record layouts are those of the MCAP specification, https://mcap.dev/spec.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gs_sim.errors import BagError

MAGIC = b"\x89MCAP0\r\n"
FOOTER, CHUNK, MESSAGE_INDEX, CHUNK_INDEX, STATISTICS, DATA_END = 0x02, 0x06, 0x07, 0x08, 0x0B, 0x0F
RECORD_HEADER = struct.Struct("<BQ")


@dataclass
class FoundChunk:
    """One whole chunk and the index records behind it."""

    offset: int
    length: int
    """Of the record with its header."""
    start_ns: int
    end_ns: int
    compression: bytes
    compressed_size: int
    uncompressed_size: int
    index_offsets: dict[int, int] = field(default_factory=dict)
    """By channel."""
    index_length: int = 0


@dataclass(frozen=True)
class RepairedMcap:
    """Stands in for the path of an unfinished file; rosbags opens it like any other."""

    path: Path
    data_end: int
    """Where the readable part of the file ends."""
    tail: bytes
    """The summary that the file lacks."""

    @property
    def suffix(self) -> str:
        """As of a path."""
        return self.path.suffix

    @property
    def name(self) -> str:
        """As of a path."""
        return self.path.name

    def exists(self) -> bool:
        """As of a path."""
        return self.path.exists()

    def is_dir(self) -> bool:
        """As of a path."""
        return False

    def open(self, _mode: str = "rb") -> io.BufferedReader:
        """Open the readable part of the file followed by the summary."""
        return io.BufferedReader(JoinedFile(self.path, self.data_end, self.tail), 1 << 16)

    def __str__(self) -> str:
        return str(self.path)


class JoinedFile(io.RawIOBase):
    """The beginning of a file and some bytes behind it, as one."""

    def __init__(self, path: Path, end: int, tail: bytes) -> None:
        self._file = path.open("rb")
        self._end, self._tail, self._position = end, tail, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase.seek`."""
        size = self._end + len(self._tail)
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase.readinto`; stops at the seam."""
        if self._position < self._end:
            self._file.seek(self._position)
            data = self._file.read(min(len(buffer), self._end - self._position))
        else:
            start = self._position - self._end
            data = self._tail[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def repair_mcap(path: Path) -> RepairedMcap:
    """Find the whole chunks of an mcap file and write the summary for them, in memory.

    Raises:
        BagError: it is no mcap file, or ends before its first whole chunk.
    """
    chunks: list[FoundChunk] = []
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BagError(f"{path} is no mcap file: it does not begin like one")
        data_end = file.tell()
        for opcode, offset, length in whole_records(file):
            if opcode in {DATA_END, FOOTER}:
                break
            data_end = offset + length
            if opcode == CHUNK:
                chunks.append(read_chunk_header(file, offset, length))
            elif opcode == MESSAGE_INDEX and chunks:
                file.seek(offset + RECORD_HEADER.size)
                (channel,) = struct.unpack("<H", file.read(2))
                chunks[-1].index_offsets[channel] = offset
                chunks[-1].index_length += length
    if chunks:
        # the index records of the last chunk may be cut; what lies behind the last complete one is not needed
        data_end = max(data_end, chunks[-1].offset + chunks[-1].length)
        share_channels(chunks)
    return RepairedMcap(path, data_end, summary(chunks, data_end))


def whole_records(file: io.BufferedReader) -> Iterator[tuple[int, int, int]]:
    """Opcode, offset and length (with its header) of each record that the file holds to its end."""
    offset = file.tell()
    size = file.seek(0, io.SEEK_END)
    while True:
        file.seek(offset)
        header = file.read(RECORD_HEADER.size)
        if len(header) < RECORD_HEADER.size:
            return
        opcode, content = RECORD_HEADER.unpack(header)
        length = RECORD_HEADER.size + content
        if offset + length > size or opcode == 0:
            return
        yield opcode, offset, length
        offset += length


def read_chunk_header(file: io.BufferedReader, offset: int, length: int) -> FoundChunk:
    """The facts of a chunk that its index entry repeats."""
    file.seek(offset + RECORD_HEADER.size)
    start_ns, end_ns, uncompressed_size, _, name_length = struct.unpack("<QQQII", file.read(32))
    compression = file.read(name_length)
    (compressed_size,) = struct.unpack("<Q", file.read(8))
    return FoundChunk(offset, length, start_ns, end_ns, compression, compressed_size, uncompressed_size)


def share_channels(chunks: list[FoundChunk]) -> None:
    """Let the last chunk, whose own index may be cut, count as holding every channel: the reader then looks itself."""
    every = {channel for chunk in chunks for channel in chunk.index_offsets} or set(range(1, 1000))
    behind = chunks[-1].offset + chunks[-1].length
    # the reader takes the distance of two index records for their number of messages: 16 bytes each, and 15 more
    chunks[-1].index_offsets = {channel: behind + 31 * place for place, channel in enumerate(sorted(every))}
    chunks[-1].index_length = 31 * len(every)


def summary(chunks: list[FoundChunk], data_end: int) -> bytes:
    """Chunk indexes, empty statistics (which make the reader count for itself), the footer and the end mark."""
    records = b"".join(record(CHUNK_INDEX, chunk_index(chunk)) for chunk in chunks)
    statistics = record(STATISTICS, struct.pack("<QHIIIIQQI", 0, 0, 0, 0, 0, len(chunks), 0, 0, 0))
    footer = record(FOOTER, struct.pack("<QQI", data_end, 0, 0))
    return records + statistics + footer + MAGIC


def chunk_index(chunk: FoundChunk) -> bytes:
    """The content of one chunk index record."""
    offsets = b"".join(struct.pack("<HQ", channel, offset) for channel, offset in chunk.index_offsets.items())
    return b"".join(
        (
            struct.pack("<QQQQ", chunk.start_ns, chunk.end_ns, chunk.offset, chunk.length),
            struct.pack("<I", len(offsets)) + offsets,
            struct.pack("<Q", chunk.index_length),
            struct.pack("<I", len(chunk.compression)) + chunk.compression,
            struct.pack("<QQ", chunk.compressed_size, chunk.uncompressed_size),
        )
    )


def record(opcode: int, content: bytes) -> bytes:
    """One record with its header."""
    return RECORD_HEADER.pack(opcode, len(content)) + content
