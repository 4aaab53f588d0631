"""`gs-sim bench reconstruct`: held-out PSNR over time of each method."""

import argparse
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from gs_sim.benchmark.reconstruct import QualityAt, run_reconstruct_benchmark, with_budget
from gs_sim.cli.terminal import say, warn
from gs_sim.jobs.hardware import choose_device, describe_hardware, peak_memory_mb
from gs_sim.reconstruction.reconstruct import ReconstructionSettings
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import draw_street
from gs_sim.sources.street.write_bag import write_street_bag

STREET = StreetSettings(seed=7, duration_s=4.0, width_px=480, height_px=270, num_cameras=1, displaced_every=0)
"""The default drive: short, one camera, the same on every machine."""


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure on the given bag, or on a street drawn for the occasion."""
    if arguments.bag is not None:
        return _measure_bag(arguments, arguments.bag)
    with tempfile.TemporaryDirectory(prefix="gs_sim_bench_") as folder:
        bag = Path(folder) / "street"
        warn(f"drawing a street of {STREET.duration_s:g} s with seed {STREET.seed} ...")
        write_street_bag(draw_street(replace(STREET, device=choose_device(arguments.device))), bag)
        return _measure_bag(arguments, bag)


def _measure_bag(arguments: argparse.Namespace, bag: Path) -> dict[str, object]:
    device = choose_device(arguments.device)
    settings = ReconstructionSettings(
        width_px=arguments.width or 0, holdout=arguments.holdout, seed=arguments.seed, device=device
    )
    k = arguments.holdout
    say(f"bag {bag.name}, {describe_hardware(device)}, seed {arguments.seed}, held out: index % {k} == {k // 2}")
    say(
        f"{'method':<10}{'seconds':>9}{'step':>8}{'PSNR dB':>9}{'SSIM':>8}{'actors dB':>11}{'depth m':>9}{'Gaussians':>11}"
    )
    with open_bag(bag, BagSettings()) as recording:
        result = run_reconstruct_benchmark(recording, with_budget(settings, arguments.budget_s), _print_row)
    say(f"{result.num_views} training views; initialised in {result.seconds_initialise:.1f} s")
    return {**asdict(result), "bag": bag.name, "peak_memory_mb": peak_memory_mb()}


def _print_row(row: QualityAt) -> None:
    actors = "–" if row.psnr_actors_db is None else f"{row.psnr_actors_db:.2f}"
    depth = "–" if row.depth_mae_m is None else f"{row.depth_mae_m:.3f}"
    say(
        f"{row.method:<10}{row.seconds:>9.1f}{row.step:>8}{row.psnr_db:>9.2f}{row.ssim:>8.3f}{actors:>11}{depth:>9}"
        f"{row.num_gaussians:>11}"
    )
