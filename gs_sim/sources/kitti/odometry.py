"""Reads a sequence of the KITTI odometry benchmark, with poses from a file.

`base_link` is the velodyne frame (x forward, y left, z up), since this data set has no GPS/IMU
mount. The poses are of the rectified camera 0; the world is `base_link` at the first pose.
"""

from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.pose import inverse, pose_from
from gs_sim.geometry.rig import MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.kitti.drive import LIDAR_NAME, KittiDrive, RigBox, read_image
from gs_sim.sources.kitti.files import (
    calibration_values,
    nearest_rotation,
    parse_floats,
    read_calibration,
    read_lines,
    read_times_ns,
    stamped_files,
)
from gs_sim.sources.kitti.labels import read_tracking_labels
from gs_sim.sources.kitti.raw import KittiSettings, choose_cameras, mount_camera, place_boxes


def read_kitti_odometry(sequence_dir: Path, poses_file: Path, settings: KittiSettings | None = None) -> KittiDrive:
    """Open a folder `sequences/NN` (calib.txt, times.txt, image_2, velodyne, ...) with its file of poses.

    Raises:
        InputError: a file is missing or damaged, or the counts of times, poses and files disagree.
    """
    settings = settings or KittiSettings()
    if not (sequence_dir / "calib.txt").is_file():
        raise InputError(
            f"{sequence_dir} is no KITTI odometry sequence: it has no calib.txt; give a 'sequences/NN' folder"
        )
    names = choose_cameras(sequence_dir, settings.cameras, ("image_2", "image_3"), ("image_0", "image_1"))
    path = sequence_dir / "calib.txt"
    entries = read_calibration(path)
    matrix = torch.tensor(calibration_values(entries, "Tr", 12, path), dtype=torch.float64).reshape(3, 4)
    rectified_from_rig = pose_from(nearest_rotation(matrix[:, :3], f"{path}, entry 'Tr'"), matrix[:, 3])
    stamps_ns = read_times_ns(sequence_dir / "times.txt")
    images = {name: stamped_files(sequence_dir / name, ".png", stamps_ns, settings.frames) for name in names}
    cameras = []
    for name in names:
        height_px, width_px = read_image(images[name].paths[0]).shape[:2]
        projection = calibration_values(entries, f"P{name[-1]}", 12, path)
        cameras.append(mount_camera(name, projection, (height_px, width_px), inverse(rectified_from_rig)))
    skipped: dict[str, int] = {}
    boxes: tuple[RigBox, ...] = ()
    if settings.labels is not None:
        labelled, skipped["DontCare labels, which have no box"] = read_tracking_labels(settings.labels)
        boxes = place_boxes(labelled, images[names[0]], inverse(rectified_from_rig))
    return KittiDrive(
        rig=Rig(tuple(cameras), (MountedLidar(LIDAR_NAME, torch.eye(4, dtype=torch.float64)),)),
        world_from_rig=read_poses(poses_file, stamps_ns, rectified_from_rig, settings.frames),
        map_from_world=torch.eye(4, dtype=torch.float64),
        images=images,
        sweep_files=stamped_files(sequence_dir / "velodyne", ".bin", stamps_ns, settings.frames),
        boxes=boxes,
        skipped=skipped,
    )


def read_poses(
    path: Path,
    stamps_ns: dict[int, int],
    rectified_from_rig: Float64[Tensor, "4 4"],
    frames: tuple[int, int] | None,
) -> Trajectory:
    """Poses of the rectified camera 0 (12 values per line, row by row) as the path of the rig in the world.

    The world is the rig at the first pose that is kept, so that z is up.

    Raises:
        InputError: the file is missing or damaged, or has not one pose per time.
    """
    lines = read_lines(path, "one pose of 12 values per frame")
    if len(lines) != len(stamps_ns):
        raise InputError(
            f"{path} has {len(lines)} poses, but times.txt has {len(stamps_ns)} times; one pose per frame is expected"
        )
    chosen = slice(*frames) if frames is not None else slice(None)
    poses = [pose_of_line(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)][chosen]
    start_from_rig = torch.stack(poses) @ rectified_from_rig
    times_ns = torch.tensor(list(stamps_ns.values())[chosen], dtype=torch.int64)
    return Trajectory(times_ns, inverse(start_from_rig[0]) @ start_from_rig)


def pose_of_line(line: str, where: str) -> Float64[Tensor, "4 4"]:
    """One pose of 12 values, row by row, its rotation made exactly orthonormal.

    Raises:
        InputError: the values are not a pose.
    """
    matrix = torch.tensor(parse_floats(line, 12, where), dtype=torch.float64).reshape(3, 4)
    return pose_from(nearest_rotation(matrix[:, :3], where), matrix[:, 3])
