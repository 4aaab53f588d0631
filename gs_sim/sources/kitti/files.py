"""The files of KITTI, each parsed and checked by one function.

Kept apart from what they mean, so that a damaged file is reported here, with its name and line.
"""

import re
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.pose import pose_from

TIME_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")

EARTH_RADIUS_M = 6378137.0
"""Equatorial radius, as KITTI's own tools use it for the Mercator projection."""


@dataclass(frozen=True)
class StampedFiles:
    """The files of one sensor with the time of each, in time order."""

    numbers: tuple[int, ...]
    """KITTI's frame number of each, which is its place among all sensors."""
    paths: tuple[Path, ...]
    stamps_ns: Int64[Tensor, "n"]


def require_file(path: Path, what: str) -> Path:
    """Give the path back if it is a file.

    Raises:
        InputError: it is not; the sentence names `what` it should have held.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; {what} is expected there")
    return path


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text file without trailing blank ones.

    Raises:
        InputError: the file does not exist or is not text.
    """
    try:
        lines = require_file(path, what).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file, but {what} is expected there") from error
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def parse_floats(text: str, count: int, where: str) -> list[float]:
    """Exactly `count` finite numbers of a line.

    Raises:
        InputError: there are more or fewer, or one is not a finite number.
    """
    words = text.split()
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"{where}: {count} numbers expected, found '{text.strip()[:60]}'") from error
    if len(values) != count or not all(abs(value) < float("inf") for value in values):
        raise InputError(f"{where}: {count} finite numbers expected, found {len(values)} values")
    return values


def read_calibration(path: Path) -> dict[str, str]:
    """The `key: values` lines of a calibration file, values not yet parsed.

    Raises:
        InputError: the file does not exist or holds no such line.
    """
    entries = dict(line.split(":", 1) for line in read_lines(path, "a KITTI calibration") if ":" in line)
    if not entries:
        raise InputError(f"{path} holds no 'key: values' line; a KITTI calibration is expected there")
    return {key.strip(): values for key, values in entries.items()}


def calibration_values(entries: dict[str, str], key: str, count: int, path: Path) -> list[float]:
    """The numbers of one calibration entry.

    Raises:
        InputError: the entry is missing or has another number of values.
    """
    if key not in entries:
        raise InputError(f"{path} has no entry '{key}'; found: {', '.join(sorted(entries))}")
    return parse_floats(entries[key], count, f"{path}, entry '{key}'")


def read_rigid_calibration(path: Path) -> Float64[Tensor, "4 4"]:
    """The rigid motion of a file with entries R and T, made exactly orthonormal.

    Raises:
        InputError: the file is missing or damaged, or R is no rotation.
    """
    entries = read_calibration(path)
    rotation = torch.tensor(calibration_values(entries, "R", 9, path), dtype=torch.float64).reshape(3, 3)
    translation = torch.tensor(calibration_values(entries, "T", 3, path), dtype=torch.float64)
    return pose_from(nearest_rotation(rotation, f"{path}, entry 'R'"), translation)


def nearest_rotation(matrix: Float64[Tensor, "3 3"], where: str) -> Float64[Tensor, "3 3"]:
    """The rotation nearest to a matrix written with few digits (orthogonal Procrustes by SVD).

    Raises:
        InputError: the matrix is further than rounding from any rotation.
    """
    left, _, right = torch.linalg.svd(matrix)
    rotation: Tensor = left @ right
    if torch.linalg.det(rotation) < 0 or (rotation - matrix).abs().max() > 1e-3:
        raise InputError(f"{where}: a rotation matrix expected, found {matrix.flatten().tolist()}")
    return rotation


def read_stamps_ns(path: Path) -> dict[int, int]:
    """The stamps of a raw drive's timestamps.txt by frame number; line k + 1 belongs to frame k.

    A blank line stands for a frame that the sensor missed. KITTI names no time zone, the times are read as UTC.

    Raises:
        InputError: a line is no time, or time does not strictly increase.
    """
    lines = read_lines(path, "one time stamp per frame")
    stamps = {
        frame: stamp_of_line(line.strip(), f"{path}, line {frame + 1}")
        for frame, line in enumerate(lines)
        if line.strip()
    }
    require_increasing(stamps, path)
    return stamps


def stamp_of_line(line: str, where: str) -> int:
    """Nanoseconds since 1970.

    Raises:
        InputError: the line is no time.
    """
    found = TIME_STAMP.fullmatch(line)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6]) if found else (0,) * 6
    if found is None or not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise InputError(f"{where}: 'YYYY-MM-DD HH:MM:SS.nnnnnnnnn' expected, found '{line[:60]}'")
    seconds = timegm((year, month, day, hour, minute, second))
    return seconds * 1_000_000_000 + int((found[7] or "").ljust(9, "0"))


def read_times_ns(path: Path) -> dict[int, int]:
    """Stamps by frame number from the odometry benchmark's times.txt, which counts seconds from the start.

    Raises:
        InputError: a line is no number, or time does not strictly increase.
    """
    lines = read_lines(path, "one time in seconds per frame")
    seconds = [parse_floats(line, 1, f"{path}, line {number}")[0] for number, line in enumerate(lines, start=1)]
    stamps = {frame: round(value * 1e9) for frame, value in enumerate(seconds)}
    require_increasing(stamps, path)
    return stamps


def require_increasing(stamps: dict[int, int], path: Path) -> None:
    """Check that each frame is later than the one before.

    Raises:
        InputError: one is not.
    """
    latest = None
    for frame, stamp_ns in stamps.items():
        if latest is not None and stamp_ns <= latest:
            raise InputError(f"{path}, line {frame + 1}: time must increase, but this stamp is not later than the last")
        latest = stamp_ns


def read_points(path: Path) -> tuple[Float32[Tensor, "n 3"], Float32[Tensor, "n"]]:
    """Points (metres, velodyne frame) and reflectances of one sweep, as they are in the file.

    Raises:
        InputError: the file is missing, or truncated.
    """
    data = bytearray(require_file(path, "a LiDAR sweep").read_bytes())
    if len(data) % 16:
        raise InputError(
            f"{path} is truncated: {len(data)} bytes are no whole number of points of 16 bytes; copy it again"
        )
    if not data:
        return torch.zeros(0, 3), torch.zeros(0)
    values = torch.frombuffer(data, dtype=torch.float32).reshape(-1, 4)
    return values[:, :3].contiguous(), values[:, 3].contiguous()


def stamped_files(folder: Path, suffix: str, stamps_ns: dict[int, int], frames: tuple[int, int] | None) -> StampedFiles:
    """The files of a folder that are named by their frame number, in its order, all or those of a range A:B.

    Raises:
        InputError: there is no such file, the range is not covered, or a file has no stamp.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} does not exist; files named by frame number with ending {suffix} are expected there"
        )
    found = sorted((int(path.stem), path) for path in folder.glob(f"*{suffix}") if path.stem.isdecimal())
    if not found:
        raise InputError(f"{folder} holds no file named by a frame number with ending {suffix}")
    first, end = found[0][0], found[-1][0] + 1
    if frames is not None:
        if frames[0] < first or frames[1] > end:
            raise InputError(f"frames {frames[0]}:{frames[1]} were asked for, but {folder} has {first}:{end}")
        found = [(number, path) for number, path in found if frames[0] <= number < frames[1]]
    lacking = [number for number, _ in found if number not in stamps_ns]
    if lacking or not found:
        what = f"there is a file for frame {lacking[0]}, which has no time stamp" if lacking else "there is no file"
        raise InputError(f"{folder}: {what}; {len(stamps_ns)} frames have a time stamp and {len(found)} a file")
    numbers, paths = zip(*found, strict=True)
    return StampedFiles(numbers, paths, torch.tensor([stamps_ns[number] for number in numbers], dtype=torch.int64))


def mercator_poses(records: Sequence[Sequence[float]]) -> Float64[Tensor, "n 4 4"]:
    """Poses of the GPS/IMU unit from oxts records: x east, y north, z up, metres, origin at the first record.

    Mercator projection scaled at the first record's latitude, as in KITTI's development kit.
    """
    values = torch.tensor([list(record[:6]) for record in records], dtype=torch.float64)
    latitude, longitude = torch.deg2rad(values[:, 0]), torch.deg2rad(values[:, 1])
    scale = EARTH_RADIUS_M * torch.cos(latitude[0])
    position = torch.stack(
        [scale * longitude, scale * torch.log(torch.tan(torch.pi / 4 + latitude / 2)), values[:, 2]], dim=-1
    )
    roll, pitch, yaw = values[:, 3:6].unbind(-1)
    zero, one = torch.zeros_like(roll), torch.ones_like(roll)

    def matrix(*rows: list[Tensor]) -> Tensor:
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    cos, sin = torch.cos, torch.sin
    about_x = matrix([one, zero, zero], [zero, cos(roll), -sin(roll)], [zero, sin(roll), cos(roll)])
    about_y = matrix([cos(pitch), zero, sin(pitch)], [zero, one, zero], [-sin(pitch), zero, cos(pitch)])
    about_z = matrix([cos(yaw), -sin(yaw), zero], [sin(yaw), cos(yaw), zero], [zero, zero, one])
    return pose_from(about_z @ about_y @ about_x, position - position[0])
