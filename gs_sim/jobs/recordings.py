"""Bags as jobs open them: as configured, along their own path or along one found by LiDAR odometry.

Frames that a found path does not reach are left out and the others renumbered, on which the
held-out protocol counts. Their stamps go into report.json, so that whoever judges the scene
later numbers the frames in the same way.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gs_sim.config import override
from gs_sim.errors import InputError
from gs_sim.jobs.scene_folder import REPORT, SceneFolder
from gs_sim.sensing.lidar_odometry import estimate_trajectory
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.reposed import ReposedRecording, with_trajectory
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings


@contextmanager
def open_recording(bag: Path, settings: BagSettings, poses: str, note: Callable[[str], None]) -> Iterator[Recording]:
    """Open a bag with its own poses (`bag`), or with poses found by LiDAR odometry (`lidar`).

    `note` is told the sentences about choices made while opening.

    Raises:
        GsSimError: the bag cannot be read, or lacks what is needed.
    """
    is_lidar = poses == "lidar"
    with open_bag(bag, replace(settings, needs_poses=False) if is_lidar else settings) as recording:
        for sentence in recording.warnings:
            note(sentence)
        yield _reposed(recording, bag) if is_lidar else recording


def _reposed(recording: Recording, bag: Path) -> Recording:
    if not recording.rig.lidars:
        raise InputError(f"--poses lidar needs a LiDAR, and {bag} has none that can be used; see `gs-sim inspect`")
    return with_trajectory(recording, estimate_trajectory(recording, recording.rig.lidars[0].name))


@contextmanager
def open_recording_of(folder: SceneFolder, bag: Path, note: Callable[[str], None]) -> Iterator[Recording]:
    """Open the bag that a scene is judged against, read and numbered as it was when the scene was made.

    `note` is told the sentences about choices made while opening.

    Raises:
        GsSimError: the bag cannot be read, or lacks what is needed.
    """
    configuration = folder.report.get("configuration")
    stored = configuration.get("bag", {}) if isinstance(configuration, Mapping) else {}
    settings = override(BagSettings(), stored, where=f"{folder.path / REPORT}: configuration.bag")
    is_lidar = folder.report.get("poses") == "lidar"
    with open_bag(bag, replace(settings, needs_poses=False) if is_lidar else settings) as recording:
        for sentence in recording.warnings:
            note(sentence)
        yield _without(recording, folder.report.get("frames_left_out")) if is_lidar else recording


def frames_left_out(recording: Recording) -> dict[str, list[int]]:
    """Stamps of the frames that a found path does not reach, per camera."""
    if not isinstance(recording, ReposedRecording):
        return {}
    left_out = {}
    for mounted in recording.rig.cameras:
        kept = set(recording.frame_stamps_ns(mounted.name).tolist())
        every = recording.source.frame_stamps_ns(mounted.name).tolist()
        left_out[mounted.name] = [stamp_ns for stamp_ns in every if stamp_ns not in kept]
    return left_out


def _without(recording: Recording, left_out: object) -> Recording:
    """The recording without those frames; its own poses stay, which only place the tracks in the rig."""
    kept = {lidar.name: list(range(len(recording.sweep_stamps_ns(lidar.name)))) for lidar in recording.rig.lidars}
    for mounted in recording.rig.cameras:
        missing = left_out.get(mounted.name, ()) if isinstance(left_out, Mapping) else ()
        stamps_ns = recording.frame_stamps_ns(mounted.name).tolist()
        kept[mounted.name] = [index for index, stamp_ns in enumerate(stamps_ns) if stamp_ns not in set(missing)]
    return ReposedRecording(recording, recording.world_from_rig, recording.map_from_world, recording.tracks, kept)
