"""Bag in, scene folder with its report out."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from gs_sim import __version__
from gs_sim.config import to_dict
from gs_sim.errors import MissingFeatureError, StorageError
from gs_sim.jobs.hardware import choose_device, describe_hardware, peak_memory_mb
from gs_sim.jobs.recordings import frames_left_out, open_recording
from gs_sim.jobs.scene_folder import REPORT, write_json
from gs_sim.reconstruction.reconstruct import Hooks, Progress, Reconstruction, ReconstructionSettings, reconstruct
from gs_sim.scene.storage import refuse_foreign_folder, save_scene
from gs_sim.sensing.recording import Recording
from gs_sim.sources.bag_settings import BagSettings


@dataclass(frozen=True)
class ReconstructBagSettings(ReconstructionSettings):
    """Everything about a reconstruction, and how to read the bag."""

    poses: Literal["bag", "lidar", "ggrt"] = "bag"
    """Where the path of the vehicle comes from: the bag's own, LiDAR odometry, or the images alone."""
    init: Literal["lidar", "pixelgaussian", "lidar+pixelgaussian"] = "lidar"
    """What the first scene is made of."""
    bag: BagSettings = field(default_factory=BagSettings)


@dataclass(frozen=True)
class FinishedJob:
    """A saved scene and how it came about."""

    result: Reconstruction
    seconds: float
    """Wall time from opening the bag to the saved scene."""
    skipped: dict[str, int]
    """How many messages were left out, by the sentence that says why."""


def reconstruct_bag(
    bag: Path, output: Path, settings: ReconstructBagSettings, hooks: Hooks, note: Callable[[str], None]
) -> FinishedJob:
    """Reconstruct, save the scene, and write its report beside it.

    Args:
        bag: what to read.
        output: folder of the scene.
        settings: of reconstruction and reading.
        hooks: a clock, an ear, and a way to stop early.
        note: is told sentences about choices made while opening the bag.

    Raises:
        GsSimError: the bag, the settings or the output cannot be used; nothing was written.
    """
    refuse_unbuilt(settings)
    refuse_output(output)
    settings = replace(settings, device=choose_device(settings.device))
    if settings.poses == "lidar":
        # that path is made of the same sweeps already
        settings = replace(settings, path=replace(settings.path, correct_with_lidar=False))
    start_s = hooks.clock()
    hooks.progress(Progress("open bag" if settings.poses == "bag" else "LiDAR odometry", 0, 1))
    with open_recording(bag, settings.bag, settings.poses, note) as recording:
        result = reconstruct(recording, settings, hooks)
        hooks.progress(Progress("save", 0, 1))
        save_scene(result.scene, output)
        job = FinishedJob(result, hooks.clock() - start_s, dict(recording.skipped))
        report = reconstruction_report(recording, settings, job) | {"bag": bag.name}
    write_json(output / REPORT, report)
    return job


def refuse_unbuilt(settings: ReconstructBagSettings) -> None:
    """Say that an announced value is not built yet; it is never ignored.

    Raises:
        MissingFeatureError: there is such a value.
    """
    if settings.poses == "ggrt":
        raise MissingFeatureError("poses ggrt is not built yet; use poses lidar for a bag without poses")
    if settings.init != "lidar":
        raise MissingFeatureError(f"init {settings.init} is not built yet; use init lidar")


def refuse_output(output: Path) -> None:
    """Find out before minutes of work whether its result could be saved.

    Raises:
        StorageError: it could not.
    """
    refuse_foreign_folder(output)
    existing = next(folder for folder in (output.resolve(), *output.resolve().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise StorageError(f"{output} cannot be made: {existing} is no folder that may be written to")


def reconstruction_report(
    recording: Recording, settings: ReconstructBagSettings, job: FinishedJob
) -> dict[str, object]:
    """What SCENE/report.json says about how a scene came about."""
    result = job.result
    return {
        "gs_sim_version": __version__,
        "method": settings.method,
        "poses": settings.poses,
        "device": result.device,
        "hardware": describe_hardware(result.device),
        "seconds": round(job.seconds, 3),
        "seconds_initialise": round(result.seconds_initialise, 3),
        "seconds_refine": round(result.seconds_refine, 3),
        "steps": result.steps,
        "path": result.path,
        "num_views": result.num_views,
        "num_gaussians": result.num_gaussians,
        "num_actors": len(result.scene.actors),
        "peak_memory_mb": peak_memory_mb(),
        "seed": settings.seed,
        "was_interrupted": result.was_interrupted,
        "cameras": list(result.cameras),
        "camera_rates_hz": {name: _rate_hz(recording, name) for name in result.cameras},
        "skipped": job.skipped,
        "frames_left_out": frames_left_out(recording),
        "configuration": to_dict(settings),
        "checkpoints": [asdict(checkpoint) for checkpoint in result.checkpoints],
    }


def _rate_hz(recording: Recording, camera_name: str) -> float | None:
    stamps_ns = recording.frame_stamps_ns(camera_name)
    if len(stamps_ns) < 2:
        return None
    return round((len(stamps_ns) - 1) / (int(stamps_ns[-1] - stamps_ns[0]) / 1e9), 4)
