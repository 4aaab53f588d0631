"""Which files a bag consists of, before any of them is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gs_sim.errors import BagError

STORAGE_SUFFIXES = (".mcap", ".db3")


@dataclass(frozen=True)
class Storage:
    """What to open: one folder or file, or several bare files in order."""

    paths: tuple[Path, ...]
    is_ros1: bool
    notes: tuple[str, ...] = ()


def find_storage(path: Path) -> Storage:
    """Find the files of a bag.

    A rosbag2 folder without its `metadata.yaml` (the recorder was killed) is read from its storage files.

    Raises:
        BagError: there is no bag at that place, or a file of it is empty.
    """
    if not path.exists():
        raise BagError(f"there is no bag at {path}; check the path")
    if path.is_dir():
        return find_in_folder(path)
    if path.name == "metadata.yaml":
        return find_in_folder(path.parent)
    if path.suffix == ".zstd":
        raise BagError(f"{path} is a compressed part of a bag; give the folder that it lies in, with its metadata.yaml")
    if path.suffix not in {*STORAGE_SUFFIXES, ".bag"}:
        raise BagError(f"{path} is no bag; expected a rosbag2 folder, or a .mcap, .db3 or ROS 1 .bag file")
    refuse_empty(path)
    return Storage((path,), is_ros1=path.suffix == ".bag", notes=truncation_notes([path]))


def find_in_folder(folder: Path) -> Storage:
    """The storage of a rosbag2 folder, of loose rosbag2 files, or of the parts of one ROS 1 recording."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    storage = storage_files(folder)
    ros1 = [file for file in files if file.suffix == ".bag"]
    for file in storage + ros1:
        refuse_empty(file)
    metadata = folder / "metadata.yaml"
    if metadata.is_file() and metadata.stat().st_size:
        return Storage((folder,), is_ros1=False, notes=truncation_notes(storage))
    if storage:
        note = (
            f"{metadata} is missing, so the bag was read from {', '.join(file.name for file in storage)}; "
            f"`ros2 bag reindex {folder.name}` writes it"
        )
        return Storage(tuple(storage), is_ros1=False, notes=(note, *truncation_notes(storage)))
    if ros1:
        return Storage(tuple(ros1), is_ros1=True)
    found = ", ".join(file.name for file in files[:5]) or "nothing"
    raise BagError(f"the folder {folder} is no bag; expected metadata.yaml and .mcap or .db3 files, found {found}")


def storage_files(folder: Path) -> list[Path]:
    """The files in a folder that hold messages of rosbag2, in order of their names."""
    return sorted(file for file in folder.iterdir() if file.is_file() and file.suffix in STORAGE_SUFFIXES)


def truncation_notes(paths: Sequence[Path]) -> tuple[str, ...]:
    """Which SQLite files are shorter than they say; SQLite itself only notices where it meets a missing page."""
    notes = []
    for path in paths:
        with path.open("rb") as file:
            header = file.read(32)
        if path.suffix == ".db3" and len(header) == 32:
            # the file format's header: page size (1 stands for 65536), and number of pages
            page_size = int.from_bytes(header[16:18], "big")
            expected = int.from_bytes(header[28:32], "big") * (65536 if page_size == 1 else page_size)
            if (missing := expected - path.stat().st_size) > 0:
                notes.append(f"{path} was cut off: its last {missing} bytes are missing")
    return tuple(notes)


def refuse_empty(path: Path) -> None:
    """A file of zero bytes cannot be repaired.

    Raises:
        BagError: it is one.
    """
    if path.stat().st_size == 0:
        raise BagError(f"{path} is empty (0 bytes): nothing was recorded, or the disk was full; record again")
