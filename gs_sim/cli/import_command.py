"""`gs-sim import`: the files of a data set become a bag."""

import argparse
from pathlib import Path

from gs_sim.cli.terminal import say, warn
from gs_sim.sources.kitti import KittiDrive, KittiSettings, import_kitti_odometry, import_kitti_raw


def run(arguments: argparse.Namespace) -> int:
    """Read the drive and write the bag."""
    labels = getattr(arguments, "labels", None)
    settings = KittiSettings(cameras=arguments.cameras or (), frames=arguments.frames, labels=labels)
    warn(f"reading {arguments.folder}, writing {arguments.output} ...")
    if arguments.format == "kitti-raw":
        drive = import_kitti_raw(
            _drive_folder(arguments.folder), arguments.output, settings, overwrite=arguments.overwrite
        )
    else:
        drive = import_kitti_odometry(
            arguments.folder, arguments.poses, arguments.output, settings, overwrite=arguments.overwrite
        )
    _print(drive)
    say(f"The bag is {arguments.output}")
    return 0


def _drive_folder(folder: Path) -> Path:
    """The folder itself, or the only `<date>/<drive>_sync` below it, as the data set's archives unpack."""
    drives = [] if (folder / "oxts").is_dir() else [*folder.glob("*_sync"), *folder.glob("*/*_sync")]
    return drives[0] if len(drives) == 1 else folder


def _print(drive: KittiDrive) -> None:
    for mounted in drive.rig.cameras:
        size = f"{mounted.camera.width_px}x{mounted.camera.height_px}"
        say(f"{mounted.name}: {len(drive.frame_stamps_ns(mounted.name))} images of {size} px")
    for lidar in drive.rig.lidars:
        say(f"{lidar.name}: {len(drive.sweep_stamps_ns(lidar.name))} sweeps")
    say(f"{len(drive.tracks)} tracked objects")
    for sentence, count in drive.skipped.items():
        warn(f"{count} skipped: {sentence}")
