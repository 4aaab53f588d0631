"""A tiny KITTI drive with known answers, in both layouts, written file by file."""

from math import cos, pi, radians
from pathlib import Path

import cv2
import numpy as np
import pytest

FRAMES = 4
SECONDS = 0.1
LATITUDE, LONGITUDE = 48.0, 9.0
SPEED_MPS = 10.0
WIDTH_PX, HEIGHT_PX = 32, 16
SHIFTS = {"02": 0.06, "03": -0.47, "00": 0.0}
"""What P_rect_xx adds to x, by camera number."""

CAMERA_CALIBRATION = "R: 0 -1 0 0 0 -1 1 0 0\nT: 0.0 -0.1 -0.3\n"
"""Velodyne to camera 0: x right is minus y left, y down is minus z up, z forward is x forward."""
IMU_CALIBRATION = "calib_time: some day\nR: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.9\n"


def projection_text(number: str) -> str:
    """P = K [I | t] with K of 40 px focal length and the principal point at (15.5, 7.5)."""
    return f"40 0 15.5 {40 * SHIFTS[number]} 0 40 7.5 0 0 0 1 0"


def image_of(index: int) -> np.ndarray:
    """Frame `index` of a camera, RGB."""
    rows, columns = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    return np.stack([8 * columns, 16 * rows, np.full_like(rows, 40 * index)], axis=-1).astype(np.uint8)


def points_of(index: int) -> np.ndarray:
    """Sweep `index`: a wall 10 m ahead, reflectance = 0.1 * index."""
    y, z = np.meshgrid(np.linspace(-3, 3, 7), np.linspace(-1, 1, 5))
    ones = np.ones(y.size)
    return np.stack([10 * ones, y.ravel(), z.ravel(), 0.1 * index * ones], axis=-1).astype("<f4")


def stamp_text(index: int, offset_s: float) -> str:
    return f"2024-02-29 23:59:59.{round((index * SECONDS + offset_s) * 1e9):09d}"


def write_images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index in range(FRAMES):
        cv2.imwrite(str(folder / f"{index:010d}.png"), image_of(index)[..., ::-1])


def write_sweeps(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index in range(FRAMES):
        (folder / f"{index:010d}.bin").write_bytes(points_of(index).tobytes())


def write_stamps(folder: Path, offset_s: float) -> None:
    # one line more than there are data, as in the real excerpts
    (folder / "timestamps.txt").write_text("".join(stamp_text(i, offset_s) + "\n" for i in range(FRAMES + 1)))


def oxts_text(index: int) -> str:
    """Driving east at constant speed and height, heading east, from the tiny drive's origin."""
    scale = cos(radians(LATITUDE)) * 6378137.0
    longitude = LONGITUDE + index * SECONDS * SPEED_MPS / scale * 180 / pi
    return " ".join(f"{value:.15g}" for value in [LATITUDE, longitude, 100.0, 0.0, 0.0, 0.0, *[0.0] * 24]) + "\n"


@pytest.fixture
def raw_drive(tmp_path: Path) -> Path:
    """A drive folder of KITTI raw with two colour cameras."""
    date = tmp_path / "2024_02_29"
    drive = date / "2024_02_29_drive_0001_sync"
    for number, offset_s in (("02", 0.010), ("03", 0.011)):
        write_images(drive / f"image_{number}" / "data")
        write_stamps(drive / f"image_{number}", offset_s)
    write_sweeps(drive / "velodyne_points" / "data")
    write_stamps(drive / "velodyne_points", 0.0)
    (drive / "oxts" / "data").mkdir(parents=True)
    for index in range(FRAMES):
        (drive / "oxts" / "data" / f"{index:010d}.txt").write_text(oxts_text(index))
    write_stamps(drive / "oxts", 0.020)
    (date / "calib_imu_to_velo.txt").write_text(IMU_CALIBRATION)
    (date / "calib_velo_to_cam.txt").write_text(CAMERA_CALIBRATION)
    lines = ["R_rect_00: 1 0 0 0 1 0 0 0 1"]
    for number in SHIFTS:
        lines += [f"S_rect_{number}: {WIDTH_PX} {HEIGHT_PX}", f"P_rect_{number}: {projection_text(number)}"]
        lines += [f"K_{number}: 99 0 1 0 99 1 0 0 1", f"D_{number}: 1 2 3 4 5"]
    (date / "calib_cam_to_cam.txt").write_text("\n".join(lines) + "\n")
    return drive


@pytest.fixture
def odometry_sequence(tmp_path: Path) -> Path:
    """A sequence folder of the odometry benchmark; its poses lie beside it in `00.txt`."""
    sequence = tmp_path / "sequences" / "00"
    write_images(sequence / "image_2")
    write_sweeps(sequence / "velodyne")
    calibration = "".join(f"P{n}: {projection_text(f'0{n}')}\n" for n in (0, 2, 3))
    (sequence / "calib.txt").write_text(calibration + "Tr: 0 -1 0 0.0 0 0 -1 -0.1 1 0 0 -0.3\n")
    (sequence / "times.txt").write_text("".join(f"{i * SECONDS:e}\n" for i in range(FRAMES)))
    # camera 0 drives along its own z
    poses = "".join(f"1 0 0 0 0 1 0 0 0 0 1 {i * SECONDS * SPEED_MPS}\n" for i in range(FRAMES))
    (tmp_path / "00.txt").write_text(poses)
    return sequence


@pytest.fixture
def expected_images() -> list[np.ndarray]:
    """What each frame of every camera shows, RGB."""
    return [image_of(index) for index in range(FRAMES)]


@pytest.fixture
def expected_points() -> list[np.ndarray]:
    """What each sweep holds: x, y, z, reflectance."""
    return [points_of(index) for index in range(FRAMES)]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A parked car, seen in frames 1 and 2 while the ego drives 1 m, with a DontCare."""
    path = tmp_path / "0000.txt"
    path.write_text(
        "1 -1 DontCare -1 -1 -10 1 2 3 4 -1000 -1000 -1000 -10 -1 -1 -1\n"
        "1 5 Car 0 0 -1.5 1 2 3 4 1.5 1.75 4.25 -2.0 1.6 12.0 -1.5707963267948966\n"
        "2 5 Car 0 0 -1.5 1 2 3 4 1.5 1.75 4.25 -2.0 1.6 11.0 -1.5707963267948966\n"
    )
    return path
