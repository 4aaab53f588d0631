"""`gs-sim bench street`: how fast the synthetic street is rendered."""

import argparse
import time
from dataclasses import asdict

from gs_sim.benchmark.street import run_street_benchmark
from gs_sim.cli.terminal import say
from gs_sim.jobs.hardware import choose_device, describe_hardware
from gs_sim.sources.street.settings import StreetSettings

NUM_IMAGES = 10


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure at the street's default size."""
    settings = StreetSettings(duration_s=2.0, device=choose_device(arguments.device))
    result = run_street_benchmark(settings, NUM_IMAGES, time.perf_counter)
    say(f"street at {result.width_px}x{result.height_px} on {describe_hardware(result.device)}")
    say(f"drawn in {result.seconds_draw:.2f} s, {result.images_per_s:.2f} images/s, {result.sweeps_per_s:.2f} sweeps/s")
    return asdict(result)
