"""`gs-sim bench g3r`: what a learned step costs, by part."""

import argparse
from dataclasses import asdict

from gs_sim.benchmark.g3r_cost import G3RCost, G3RCostSettings, memory_mb_per_million, run_g3r_cost
from gs_sim.cli.terminal import say
from gs_sim.jobs.hardware import choose_device, describe_hardware

HEAD = (
    f"{'Gaussians':>10}{'image':>11}{'views':>7}{'step s':>9}{'render s':>10}{'backward s':>12}{'probe s':>9}"
    f"{'networks s':>12}{'peak MB':>9}"
)


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure every case and print it as soon as it is known."""
    settings = G3RCostSettings(device=choose_device(arguments.device))
    say(f"{describe_hardware(settings.device)}; medians of {settings.repeats} runs, seed {settings.seed}")
    say(HEAD)
    costs = run_g3r_cost(settings, _print)
    growth = memory_mb_per_million(costs, settings)
    say(f"peak memory grows by {growth:.0f} MB for each million of Gaussians")
    return {"cases": [asdict(cost) for cost in costs], "memory_mb_per_million": growth}


def _print(cost: G3RCost) -> None:
    size = f"{cost.width_px}x{cost.width_px * 9 // 16}"
    say(
        f"{cost.num_gaussians:>10}{size:>11}{cost.views_per_step:>7}{cost.step_s:>9.3f}{cost.render_s:>10.3f}"
        f"{cost.backward_s:>12.3f}{cost.probe_s:>9.3f}{cost.networks_s:>12.3f}{cost.peak_memory_mb:>9}"
    )
