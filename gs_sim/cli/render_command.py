"""`gs-sim render`: the logged drive seen again, or from beside its path, as pictures or a video."""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gs_sim.cli.terminal import ProgressDisplay, say
from gs_sim.errors import InputError, StorageError
from gs_sim.evaluation.video import write_png, write_video
from gs_sim.evaluation.virtual_drive import RigOffset, drive_stamps_ns, even_camera, render_drive
from gs_sim.geometry.camera import resize_camera
from gs_sim.geometry.rig import MountedCamera
from gs_sim.jobs.hardware import choose_device
from gs_sim.jobs.scene_folder import SceneFolder, open_scene

FALLBACK_RATE_HZ = 10.0
"""For scenes that do not say how fast their cameras were."""


def run(arguments: argparse.Namespace) -> int:
    """Render and write."""
    is_video = _is_video(arguments.output)
    folder = open_scene(arguments.scene, choose_device(arguments.device))
    mounted = _choose_camera(folder, arguments.camera)
    width_px = arguments.width or folder.width_px or mounted.camera.width_px
    camera = resize_camera(mounted.camera, width_px)
    rate_hz = arguments.rate or folder.rate_hz(mounted.name) or FALLBACK_RATE_HZ
    stamps_ns = _choose_stamps(folder, arguments.stamp_s, rate_hz)
    x_m, y_m, z_m, yaw_deg = arguments.offset
    offset = RigOffset(x_m, y_m, z_m, math.radians(yaw_deg))
    camera = even_camera(camera) if is_video else camera
    images = render_drive(folder.scene, camera, mounted.rig_from_camera, stamps_ns, offset)
    with ProgressDisplay() as display:
        counted = _counted(images, len(stamps_ns), display)
        if is_video:
            count = write_video(arguments.output, counted, rate_hz)
        else:
            count = _write_pictures(arguments.output, mounted.name, counted)
    size = f"{camera.width_px}x{camera.height_px}"
    say(f"{count} image{'s' if count != 1 else ''} of {mounted.name} at {size} px in {arguments.output}")
    return 0


def _is_video(output: Path) -> bool:
    """Whether the output is a video; a folder otherwise.

    Raises:
        InputError: it is another kind of file.
        StorageError: a file is in the way of the folder.
    """
    suffix = output.suffix.lower()
    if suffix == ".mp4":
        return True
    if suffix in {".png", ".jpg", ".jpeg", ".avi", ".mov", ".mkv", ".webm", ".gif"}:
        raise InputError(f"-o {output} is neither a folder for PNG pictures nor an .mp4 file; choose one of the two")
    if output.exists() and not output.is_dir():
        raise StorageError(f"{output} is a file; pictures go to a folder, and a video's name ends with .mp4")
    return False


def _choose_camera(folder: SceneFolder, name: str | None) -> MountedCamera:
    if name is not None:
        return folder.scene.rig.camera(name)
    if not folder.scene.rig.cameras:
        raise InputError(f"the rig of {folder.path} has no camera to render with")
    return folder.scene.rig.camera(folder.cameras[0]) if folder.cameras else folder.scene.rig.cameras[0]


def _choose_stamps(folder: SceneFolder, stamp_s: float | None, rate_hz: float) -> list[int]:
    path = folder.scene.world_from_rig
    if stamp_s is None:
        return drive_stamps_ns(path, rate_hz)
    duration_s = (path.end_ns - path.start_ns) / 1e9
    if not 0 <= stamp_s <= duration_s:
        raise InputError(f"--stamp-s must lie within the drive, 0 to {duration_s:.3f} s; got {stamp_s}")
    return [path.start_ns + round(stamp_s * 1e9)]


def _counted(
    images: Iterator[UInt8[np.ndarray, "h w 3"]], total: int, display: ProgressDisplay
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    for number, image in enumerate(images, start=1):
        yield image
        display.update("render", number, total)


def _write_pictures(folder: Path, camera_name: str, images: Iterator[UInt8[np.ndarray, "h w 3"]]) -> int:
    """Write each picture as soon as it is there; those written when something stops it stay, whole."""
    count = 0
    for image in images:
        write_png(folder / f"{camera_name}_{count:06d}.png", image)
        count += 1
    return count
