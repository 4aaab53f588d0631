"""`gs-sim reconstruct`: a bag becomes a scene folder with a report of how it came about."""

import argparse
import time

from gs_sim.cli.interrupts import stop_on_interrupt
from gs_sim.cli.terminal import ProgressDisplay, progress_note, say, warn
from gs_sim.config import load_config, override
from gs_sim.jobs.reconstruct_bag import FinishedJob, ReconstructBagSettings, reconstruct_bag
from gs_sim.reconstruction.reconstruct import Hooks, Progress

INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Reconstruct, save, report."""
    settings = _settings(arguments)
    with ProgressDisplay() as display, stop_on_interrupt() as wish:

        def on_progress(progress: Progress) -> None:
            note = progress_note(progress.psnr_db, progress.num_gaussians)
            display.update(progress.stage, progress.step, progress.num_steps, note)

        hooks = Hooks(time.perf_counter, on_progress, wish)
        job = reconstruct_bag(arguments.bag, arguments.output, settings, hooks, lambda text: warn(f"note: {text}"))
    _print(arguments, job)
    return INTERRUPTED if job.result.was_interrupted else 0


def _settings(arguments: argparse.Namespace) -> ReconstructBagSettings:
    """Defaults, then the settings file, then the command line."""
    settings = ReconstructBagSettings()
    if arguments.config is not None:
        settings = load_config(arguments.config, settings)
    method = arguments.method or settings.method
    values: dict[str, object] = {
        "cameras": arguments.cameras,
        "width_px": arguments.width,
        "holdout": arguments.holdout,
        "max_gaussians": arguments.max_gaussians,
        "seed": arguments.seed,
        "device": arguments.device,
        "method": arguments.method,
        "poses": arguments.poses,
        "init": arguments.init,
    }
    if arguments.steps is not None:
        values[method] = {"steps": arguments.steps, "budget_s": 0.0}
    if arguments.budget_s is not None:
        values[method] = {"budget_s": arguments.budget_s}
    chosen = {name: value for name, value in values.items() if value is not None}
    return override(settings, chosen, where="command line")


def _print(arguments: argparse.Namespace, job: FinishedJob) -> None:
    result = job.result
    for sentence, count in job.skipped.items():
        warn(f"{count} skipped: {sentence}")
    if result.was_interrupted:
        warn(f"stopped early after {result.steps} steps; the scene is usable")
    psnr = f", {result.checkpoints[-1].psnr_db:.2f} dB on training views" if result.checkpoints else ""
    say(
        f"{arguments.output}: {result.num_gaussians} Gaussians, {len(result.scene.actors)} actors, from "
        f"{result.num_views} images in {job.seconds:.1f} s{psnr}"
    )
    holdout = f" --holdout {arguments.holdout}" if arguments.holdout else ""
    say(f"Next: gs-sim evaluate {arguments.output} {arguments.bag}{holdout}")
