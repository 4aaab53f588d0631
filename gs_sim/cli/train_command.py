"""`gs-sim train`: a network learns on synthetic streets; an interrupted training goes on where it stopped."""

import argparse
import time

from gs_sim.cli.interrupts import stop_on_interrupt
from gs_sim.cli.terminal import say
from gs_sim.cli.values import refuse_unbuilt
from gs_sim.config import load_config, override
from gs_sim.jobs.hardware import choose_device, describe_hardware
from gs_sim.training.run import TrainingRun, train_g3r
from gs_sim.training.train_g3r import IterationResult, TrainG3RSettings

INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Train, or go on training."""
    if arguments.network != "g3r":
        refuse_unbuilt(f"training '{arguments.network}'", "gs-sim train g3r is")
    settings = TrainG3RSettings()
    if arguments.config is not None:
        settings = load_config(arguments.config, settings)
    values = {"iterations": arguments.iterations, "seed": arguments.seed}
    settings = override(settings, {name: value for name, value in values.items() if value is not None}, "command line")
    device = choose_device(arguments.device or "auto")
    say(
        f"{settings.iterations} iterations on {settings.streets} streets, {describe_hardware(device)}, seed {settings.seed}"
    )
    with stop_on_interrupt() as wish:
        progress = _Printer(settings.iterations)
        training = TrainingRun(
            folder=arguments.output,
            lessons=arguments.lessons or arguments.output / "lessons",
            device=device,
            num_workers=arguments.workers,
            save_every=arguments.save_every,
            on_iteration=progress.print,
            should_stop=wish,
        )
        weights = train_g3r(settings, training)
        was_interrupted = wish()
    say(f"{weights} holds the weights; use them with `gs-sim reconstruct --method g3r` and g3r.weights in --config")
    return INTERRUPTED if was_interrupted else 0


class _Printer:
    """One line for each iteration."""

    def __init__(self, num_iterations: int) -> None:
        self._num_iterations, self._start_s = num_iterations, time.perf_counter()

    def print(self, result: IterationResult) -> None:
        """Say how an iteration went."""
        say(
            f"{result.iteration + 1:>6}/{self._num_iterations}  {time.perf_counter() - self._start_s:8.0f} s  "
            f"T {result.num_steps:>3}  loss {result.loss:7.3f}  "
            f"{result.start_psnr_db:6.2f} dB after the first step, {result.end_psnr_db:6.2f} dB after the last"
        )
