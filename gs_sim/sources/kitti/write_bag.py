"""Makes a rosbag2 bag of a KITTI drive, with the topics and frames a vehicle would have.

`/<camera>/image_rect/compressed` (PNG, so nothing is lost) with `/<camera>/camera_info`, `/velodyne_points`, `/tf`
(map to base_link), `/tf_static` (sensor mounts) and, with labels, `/detections` in `base_link`.
"""

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

from gs_sim.sources.bag_writer import BagWriter
from gs_sim.sources.detection import Detection
from gs_sim.sources.kitti.drive import LIDAR_NAME, KittiDrive
from gs_sim.sources.kitti.odometry import read_kitti_odometry
from gs_sim.sources.kitti.raw import KittiSettings, read_kitti_raw

RIG_FRAME = "base_link"
MAP_FRAME = "map"
LIDAR_FRAME = "velodyne"

Event = tuple[int, Callable[[], None]]
"""A stamp in nanoseconds and what writes the message of that moment."""


def import_kitti_raw(
    drive_dir: Path, bag_path: Path, settings: KittiSettings | None = None, *, overwrite: bool = False
) -> KittiDrive:
    """Write a KITTI raw drive as a bag; gives back the drive, whose `skipped` counts what was left out.

    Raises:
        InputError: a file of the drive is missing or damaged.
        StorageError: the bag cannot be written.
    """
    drive = read_kitti_raw(drive_dir, settings)
    write_drive(drive, bag_path, overwrite=overwrite)
    return drive


def import_kitti_odometry(
    sequence_dir: Path,
    poses_file: Path,
    bag_path: Path,
    settings: KittiSettings | None = None,
    *,
    overwrite: bool = False,
) -> KittiDrive:
    """Write a sequence of the odometry benchmark as a bag; see `import_kitti_raw`."""
    drive = read_kitti_odometry(sequence_dir, poses_file, settings)
    write_drive(drive, bag_path, overwrite=overwrite)
    return drive


def write_drive(drive: KittiDrive, bag_path: Path, *, overwrite: bool = False) -> None:
    """Write all messages in the order of their stamps, one image or sweep in memory at a time.

    Raises:
        InputError: an image or sweep is damaged; no bag is left then.
        StorageError: the bag cannot be written.
    """
    with BagWriter(bag_path, overwrite=overwrite) as writer:
        mounts = [(RIG_FRAME, LIDAR_FRAME, lidar.rig_from_lidar) for lidar in drive.rig.lidars]
        mounts += [(RIG_FRAME, optical_frame(camera.name), camera.rig_from_camera) for camera in drive.rig.cameras]
        writer.write_static_transforms(mounts)
        streams = [transforms(drive, writer), sweeps(drive, writer), detections(drive, writer)]
        streams += [images(drive, writer, camera.name) for camera in drive.rig.cameras]
        for _, write in heapq.merge(*streams, key=lambda event: event[0]):
            write()


def optical_frame(camera_name: str) -> str:
    """The frame a camera's images carry (REP-103: x right, y down, z forward)."""
    return f"{camera_name}_optical_frame"


def transforms(drive: KittiDrive, writer: BagWriter) -> Iterator[Event]:
    """The path of the rig on /tf."""
    map_from_rig = drive.map_from_world @ drive.world_from_rig.poses
    for stamp_ns, pose in zip(drive.world_from_rig.stamps_ns.tolist(), map_from_rig, strict=True):
        yield stamp_ns, partial(writer.write_transform, MAP_FRAME, RIG_FRAME, stamp_ns, pose)


def images(drive: KittiDrive, writer: BagWriter, camera_name: str) -> Iterator[Event]:
    """Images of one camera, each with its calibration."""
    camera = drive.rig.camera(camera_name).camera
    frame_id = optical_frame(camera_name)

    def write(index: int, stamp_ns: int) -> None:
        for frame in drive.frames(camera_name, [index]):
            writer.write_image(f"/{camera_name}/image_rect", frame_id, stamp_ns, frame.rgb, "png")
            writer.write_camera_info(f"/{camera_name}/camera_info", frame_id, stamp_ns, camera)

    for index, stamp_ns in enumerate(drive.frame_stamps_ns(camera_name).tolist()):
        yield stamp_ns, partial(write, index, stamp_ns)


def sweeps(drive: KittiDrive, writer: BagWriter) -> Iterator[Event]:
    """LiDAR sweeps; KITTI gives no time per point, so the clouds have no time field."""

    def write(index: int) -> None:
        for sweep in drive.sweeps(LIDAR_NAME, [index]):
            writer.write_sweep(f"/{LIDAR_NAME}", LIDAR_FRAME, sweep)

    for index, stamp_ns in enumerate(drive.sweep_stamps_ns(LIDAR_NAME).tolist()):
        yield stamp_ns, partial(write, index)


def detections(drive: KittiDrive, writer: BagWriter) -> Iterator[Event]:
    """The labelled boxes, in the rig frame at the time of their image, so that they hold for any source of poses."""
    in_order = sorted(drive.boxes, key=lambda box: box.stamp_ns)
    for stamp_ns, group in groupby(in_order, key=lambda box: box.stamp_ns):
        boxes = [Detection(box.actor_id, box.label, box.size_m, box.rig_from_box) for box in group]
        yield stamp_ns, partial(writer.write_detections, "/detections", RIG_FRAME, stamp_ns, boxes)
