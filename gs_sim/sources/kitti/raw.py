"""Reads a drive of KITTI raw, "synced + rectified": images, sweeps, GPS/IMU poses, boxes.

`base_link` is the GPS/IMU unit (x forward, y left, z up), since oxts gives its pose. Frame k has
the same number in every sensor, but each sensor has its own stamps.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, pose_from
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.sources.kitti.drive import LIDAR_NAME, KittiDrive, RigBox
from gs_sim.sources.kitti.files import (
    StampedFiles,
    calibration_values,
    mercator_poses,
    nearest_rotation,
    parse_floats,
    read_calibration,
    read_lines,
    read_rigid_calibration,
    read_stamps_ns,
    stamped_files,
)
from gs_sim.sources.kitti.labels import LabelledBox, read_tracking_labels

logger = logging.getLogger(__name__)

OXTS_VALUES = 30
MAX_EXTRAPOLATION_NS = 200_000_000
"""Two oxts periods: what the path may be continued at constant velocity to cover the sensors."""


@dataclass(frozen=True)
class KittiSettings:
    """Which part of a KITTI drive to read."""

    cameras: tuple[str, ...] = ()
    """Camera folders to read; none named means the colour cameras that are present, or else the grey ones."""
    frames: tuple[int, int] | None = None
    """First frame number and the one after the last; all if none."""
    labels: Path | None = None
    """A tracking label file of this drive; no boxes if none."""

    def __post_init__(self) -> None:
        if self.frames is not None and not 0 <= self.frames[0] < self.frames[1]:
            raise InputError(f"a frame range A:B needs 0 <= A < B, got {self.frames[0]}:{self.frames[1]}")


@dataclass(frozen=True)
class RawCalibration:
    """How the sensors of a raw drive are mounted; the rig is the GPS/IMU unit."""

    rig_from_lidar: Float64[Tensor, "4 4"]
    rig_from_rectified: Float64[Tensor, "4 4"]
    """From the rectified camera 0, the frame of P_rect_xx and of the labels."""
    cameras: tuple[MountedCamera, ...]


def read_kitti_raw(drive_dir: Path, settings: KittiSettings | None = None) -> KittiDrive:
    """Open a drive folder `<date>/<drive>_sync`, with the calibration files in its parent.

    Raises:
        InputError: a file is missing or damaged, or the settings ask for what is not there.
    """
    settings = settings or KittiSettings()
    if not (drive_dir / "oxts").is_dir():
        raise InputError(
            f"{drive_dir} is no KITTI raw drive: it has no folder 'oxts'; give a '<date>/<drive>_sync' folder"
        )
    names = choose_cameras(drive_dir, settings.cameras, ("image_02", "image_03"), ("image_00", "image_01"))
    calibration = read_raw_calibration(drive_dir.parent, names)
    images = {name: sensor_files(drive_dir / name, ".png", settings.frames) for name in names}
    sweeps = sensor_files(drive_dir / LIDAR_NAME, ".bin", settings.frames)
    skipped: dict[str, int] = {}
    for name, files in images.items():
        num_unpaired = len(set(files.numbers) ^ set(sweeps.numbers))
        if num_unpaired:
            skipped[f"frames that only one of {name} and {LIDAR_NAME} has; it is used all the same"] = num_unpaired
    boxes: tuple[RigBox, ...] = ()
    if settings.labels is not None:
        labelled, skipped["DontCare labels, which have no box"] = read_tracking_labels(settings.labels)
        boxes = place_boxes(labelled, images[names[0]], calibration.rig_from_rectified)
    stamps_ns = torch.cat([sweeps.stamps_ns, *(files.stamps_ns for files in images.values())])
    return KittiDrive(
        rig=Rig(calibration.cameras, (MountedLidar(LIDAR_NAME, calibration.rig_from_lidar),)),
        world_from_rig=read_oxts(drive_dir / "oxts", settings.frames, stamps_ns),
        map_from_world=torch.eye(4, dtype=torch.float64),
        images=images,
        sweep_files=sweeps,
        boxes=boxes,
        skipped=skipped,
    )


def choose_cameras(folder: Path, wanted: Sequence[str], colour: Sequence[str], grey: Sequence[str]) -> tuple[str, ...]:
    """The camera folders to read: those wanted, or the colour ones present, or else the grey ones present.

    Raises:
        InputError: a wanted camera, or any camera, is missing.
    """
    present = [name for name in (*colour, *grey) if (folder / name).is_dir()]
    missing = [name for name in wanted if name not in present]
    if missing or not present:
        known = ", ".join(present) or "none"
        raise InputError(f"{folder} has no camera '{missing[0] if missing else colour[0]}'; cameras there: {known}")
    return tuple(dict.fromkeys(wanted)) or tuple(name for name in present if name in colour) or tuple(present)


def read_raw_calibration(folder: Path, camera_names: Sequence[str]) -> RawCalibration:
    """Read the three calibration files of a date.

    A point of the velodyne frame reaches camera xx by velo_to_cam, then R_rect_00, then the shift in the fourth
    column of P_rect_xx = K [I | t]. K_xx and D_xx belong to the unrectified images and are not used.

    Raises:
        InputError: a file or an entry is missing or damaged.
    """
    lidar_from_rig = read_rigid_calibration(folder / "calib_imu_to_velo.txt")
    camera0_from_lidar = read_rigid_calibration(folder / "calib_velo_to_cam.txt")
    path = folder / "calib_cam_to_cam.txt"
    entries = read_calibration(path)
    rotation = torch.tensor(calibration_values(entries, "R_rect_00", 9, path), dtype=torch.float64).reshape(3, 3)
    rotation = nearest_rotation(rotation, f"{path}, entry 'R_rect_00'")
    rectified_from_camera0 = pose_from(rotation, rotation.new_zeros(3))
    rectified_from_rig = rectified_from_camera0 @ camera0_from_lidar @ lidar_from_rig
    cameras = []
    for name in camera_names:
        number = name[-2:]
        width_px, height_px = calibration_values(entries, f"S_rect_{number}", 2, path)
        projection = calibration_values(entries, f"P_rect_{number}", 12, path)
        size_hw = (round(height_px), round(width_px))
        cameras.append(mount_camera(name, projection, size_hw, inverse(rectified_from_rig)))
    return RawCalibration(inverse(lidar_from_rig), inverse(rectified_from_rig), tuple(cameras))


def mount_camera(
    name: str,
    projection: Sequence[float],
    size_hw: tuple[int, int],
    rig_from_rectified: Float64[Tensor, "4 4"],
) -> MountedCamera:
    """A rectified camera from its 3x4 projection P = K [I | t], where x_camera = x_rectified + t.

    KITTI's intrinsics put pixel centres at integers as OpenCV does, hence the added half pixel.
    """
    matrix = torch.tensor(projection, dtype=torch.float64).reshape(3, 4)
    shift = torch.linalg.solve(matrix[:, :3], matrix[:, 3])
    rectified_from_camera = pose_from(torch.eye(3, dtype=torch.float64), -shift)
    height_px, width_px = size_hw
    fx, fy, cx, cy = (float(value) for value in (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    camera = Camera(width_px, height_px, fx, fy, cx + 0.5, cy + 0.5)
    return MountedCamera(name, camera, camera, rig_from_rectified @ rectified_from_camera)


def sensor_files(folder: Path, suffix: str, frames: tuple[int, int] | None) -> StampedFiles:
    """The data files of one sensor of a raw drive, with the stamps of its timestamps.txt.

    Raises:
        InputError: there are none, the range is not covered, or a stamp is missing or damaged.
    """
    return stamped_files(folder / "data", suffix, read_stamps_ns(folder / "timestamps.txt"), frames)


def read_oxts(folder: Path, frames: tuple[int, int] | None, needed_ns: Int64[Tensor, "n"]) -> Trajectory:
    """The path of the GPS/IMU unit; world origin at the first record that is read.

    With a range of frames, one record before and one after it are read too where they exist. The first sensors fire
    some milliseconds before the first record: where `needed_ns` reaches beyond the records, the path is continued
    at constant velocity by one more pose.

    Raises:
        InputError: a record is damaged.
        OutsideTrajectoryError: the records leave more than 0.2 s uncovered.
    """
    files = sensor_files(folder, ".txt", None)
    chosen = [
        index for index, number in enumerate(files.numbers) if frames is None or frames[0] - 1 <= number <= frames[1]
    ]
    if not chosen:
        raise InputError(f"{folder} has no record for the frames asked for")
    records = []
    for index in chosen:
        lines = read_lines(files.paths[index], "one GPS/IMU record")
        records.append(parse_floats(lines[0] if lines else "", OXTS_VALUES, str(files.paths[index])))
    path = Trajectory(files.stamps_ns[chosen], mercator_poses(records))
    ends = [int(needed_ns.min())] if int(needed_ns.min()) < path.start_ns else []
    ends += [int(needed_ns.max())] if int(needed_ns.max()) > path.end_ns else []
    if not ends:
        return path
    logger.info("the oxts path is continued at constant velocity to cover %d end(s) of the drive", len(ends))
    extended_ns = torch.cat([path.stamps_ns, torch.tensor(ends, dtype=torch.int64)]).sort().values
    return Trajectory(extended_ns, poses_at(path, extended_ns, MAX_EXTRAPOLATION_NS))


def place_boxes(
    labelled: Sequence[LabelledBox], images: StampedFiles, rig_from_rectified: Float64[Tensor, "4 4"]
) -> tuple[RigBox, ...]:
    """Put labels into the rig at the time of the image of their frame; frames not read are left out.

    Raises:
        InputError: no label belongs to a frame that is read.
    """
    stamp_of = dict(zip(images.numbers, images.stamps_ns.tolist(), strict=True))
    boxes = tuple(
        RigBox(stamp_of[box.frame], box.actor_id, box.label, box.size_m, rig_from_rectified @ box.rectified_from_box)
        for box in labelled
        if box.frame in stamp_of
    )
    if labelled and not boxes:
        raise InputError(
            f"no label is for the frames {images.numbers[0]} to {images.numbers[-1]}; "
            f"the labels begin at frame {labelled[0].frame}"
        )
    return boxes
