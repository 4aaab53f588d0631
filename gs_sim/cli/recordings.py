"""Bags as commands open them: as configured, and along the path that a scene was made with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gs_sim.cli.scene_folder import REPORT, SceneFolder
from gs_sim.cli.terminal import warn
from gs_sim.config import override
from gs_sim.sensing.recording import Recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings


@contextmanager
def open_recording(bag: Path, settings: BagSettings, poses: str) -> Iterator[Recording]:
    """Open a bag with its own poses (`bag`), or with poses found by LiDAR odometry (`lidar`).

    Raises:
        GsSimError: the bag cannot be read, or lacks what is needed.
    """
    if poses != "lidar":
        with open_bag(bag, settings) as recording:
            _tell(recording.warnings)
            yield recording
        return
    from gs_sim.sources.lidar_odometry import estimate_trajectory, with_trajectory  # kiss-icp is needed only here

    with open_bag(bag, replace(settings, needs_poses=False)) as recording:
        _tell(recording.warnings)
        yield with_trajectory(recording, estimate_trajectory(recording))


@contextmanager
def open_recording_of(folder: SceneFolder, bag: Path) -> Iterator[Recording]:
    """Open the bag that a scene is judged against, read as it was when the scene was made.

    Raises:
        GsSimError: the bag cannot be read, or lacks what is needed.
    """
    configuration = folder.report.get("configuration")
    stored = configuration.get("bag", {}) if isinstance(configuration, Mapping) else {}
    settings = override(BagSettings(), stored, where=f"{folder.path / REPORT}: configuration.bag")
    if folder.report.get("poses") != "lidar":
        with open_bag(bag, settings) as recording:
            _tell(recording.warnings)
            yield recording
        return
    from gs_sim.sources.lidar_odometry import with_trajectory  # kiss-icp is needed only here

    with open_bag(bag, replace(settings, needs_poses=False)) as recording:
        _tell(recording.warnings)
        yield with_trajectory(recording, folder.scene.world_from_rig)


def _tell(warnings: tuple[str, ...]) -> None:
    for sentence in warnings:
        warn(f"note: {sentence}")
