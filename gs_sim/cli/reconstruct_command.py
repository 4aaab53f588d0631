"""`gs-sim reconstruct`: a bag becomes a scene folder with a report of how it came about."""

import argparse
import os
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from gs_sim import __version__
from gs_sim.cli.hardware import choose_device, describe_hardware, peak_memory_mb
from gs_sim.cli.interrupts import stop_on_interrupt
from gs_sim.cli.recordings import frames_left_out, open_recording
from gs_sim.cli.scene_folder import REPORT, write_json
from gs_sim.cli.settings import CommandSettings
from gs_sim.cli.terminal import ProgressDisplay, progress_note, say, warn
from gs_sim.cli.values import refuse_unbuilt
from gs_sim.config import load_config, override, to_dict
from gs_sim.errors import StorageError
from gs_sim.reconstruction.reconstruct import Hooks, Progress, Reconstruction, ReconstructionSettings, reconstruct
from gs_sim.scene.storage import refuse_foreign_folder, save_scene
from gs_sim.sensing.recording import Recording

INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Reconstruct, save, report."""
    _refuse_unbuilt(arguments)
    settings = _settings(arguments)
    _refuse_output(arguments.output)
    start_s = time.perf_counter()
    with ProgressDisplay() as display, ExitStack() as opened:
        display.update("open bag" if arguments.poses == "bag" else "LiDAR odometry", 0, 1)
        recording = opened.enter_context(open_recording(arguments.bag, settings.bag, arguments.poses))
        with stop_on_interrupt() as wish:

            def on_progress(progress: Progress) -> None:
                note = progress_note(progress.psnr_db, progress.num_gaussians)
                display.update(progress.stage, progress.step, progress.num_steps, note)

            result = reconstruct(recording, settings, Hooks(time.perf_counter, on_progress, wish))
            save_scene(result.scene, arguments.output)
            seconds = time.perf_counter() - start_s
            report = reconstruction_report(recording, settings, result, seconds)
            report |= {
                "bag": arguments.bag.name,
                "poses": arguments.poses,
                "frames_left_out": frames_left_out(recording),
            }
            write_json(arguments.output / REPORT, report)
    _print(arguments, recording, result, seconds)
    return INTERRUPTED if result.was_interrupted else 0


def _refuse_unbuilt(arguments: argparse.Namespace) -> None:
    if arguments.method == "g3r":
        refuse_unbuilt("--method g3r", "use --method optimise")
    if arguments.poses == "ggrt":
        refuse_unbuilt("--poses ggrt", "use --poses lidar for a bag without poses")
    if arguments.init not in {None, "lidar"}:
        refuse_unbuilt(f"--init {arguments.init}", "use --init lidar")


def _settings(arguments: argparse.Namespace) -> CommandSettings:
    """Defaults, then the settings file, then the command line."""
    settings = CommandSettings()
    if arguments.config is not None:
        settings = load_config(arguments.config, settings)
    values: dict[str, object] = {
        "cameras": arguments.cameras,
        "width_px": arguments.width,
        "holdout": arguments.holdout,
        "max_gaussians": arguments.max_gaussians,
        "seed": arguments.seed,
        "device": choose_device(arguments.device or settings.device),
    }
    if arguments.steps is not None:
        values["optimise"] = {"steps": arguments.steps, "budget_s": 0.0}
    if arguments.budget_s is not None:
        values["optimise"] = {"budget_s": arguments.budget_s}
    if arguments.poses == "lidar":
        # That path is made of the same sweeps already.
        values["path"] = {"correct_with_lidar": False}
    chosen = {name: value for name, value in values.items() if value is not None}
    return override(settings, chosen, where="command line")


def _refuse_output(output: Path) -> None:
    """Find out before minutes of work whether its result could be saved.

    Raises:
        StorageError: it could not.
    """
    refuse_foreign_folder(output)
    existing = next(folder for folder in (output.resolve(), *output.resolve().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise StorageError(f"{output} cannot be made: {existing} is no folder that may be written to")


def reconstruction_report(
    recording: Recording, settings: ReconstructionSettings, result: Reconstruction, seconds: float
) -> dict[str, object]:
    """What SCENE/report.json says about how a scene came about."""
    return {
        "gs_sim_version": __version__,
        "method": "optimise",
        "device": result.device,
        "hardware": describe_hardware(result.device),
        "seconds": round(seconds, 3),
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
        "skipped": dict(recording.skipped),
        "configuration": to_dict(settings),
        "checkpoints": [asdict(checkpoint) for checkpoint in result.checkpoints],
    }


def _rate_hz(recording: Recording, camera_name: str) -> float | None:
    stamps_ns = recording.frame_stamps_ns(camera_name)
    if len(stamps_ns) < 2:
        return None
    return round((len(stamps_ns) - 1) / (int(stamps_ns[-1] - stamps_ns[0]) / 1e9), 4)


def _print(arguments: argparse.Namespace, recording: Recording, result: Reconstruction, seconds: float) -> None:
    for sentence, count in recording.skipped.items():
        warn(f"{count} skipped: {sentence}")
    if result.was_interrupted:
        warn(f"stopped early after {result.steps} steps; the scene is usable")
    psnr = f", {result.checkpoints[-1].psnr_db:.2f} dB on training views" if result.checkpoints else ""
    say(
        f"{arguments.output}: {result.num_gaussians} Gaussians, {len(result.scene.actors)} actors, from "
        f"{result.num_views} images in {seconds:.1f} s{psnr}"
    )
    holdout = f" --holdout {arguments.holdout}" if arguments.holdout else ""
    say(f"Next: gs-sim evaluate {arguments.output} {arguments.bag}{holdout}")
