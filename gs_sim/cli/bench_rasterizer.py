"""`gs-sim bench rasterizer`: images/s, nanoseconds per pair, and the distance to the roofline."""

import argparse

from gs_sim.benchmark.rasterizer import RasterizerBenchmarkSettings, RasterizerCase, run_rasterizer_benchmark
from gs_sim.cli.terminal import say
from gs_sim.jobs.hardware import choose_device, describe_hardware

HEAD = (
    f"{'Gaussians':>10}{'image':>11}{'images/s':>10}{'fwd+bwd/s':>11}{'bwd/fwd':>9}"
    f"{'pairs/px':>10}{'ns/pair':>9}{'bwd':>7}{'roofline':>10}{'ratio':>7}"
)


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure every case and print it as soon as it is known."""
    device = choose_device(arguments.device)
    settings = RasterizerBenchmarkSettings(device=device)
    if arguments.quick:
        settings = RasterizerBenchmarkSettings(num_gaussians=(100_000,), widths_px=(640,), repeats=3, device=device)
    say(f"{describe_hardware(device)}; medians of {settings.repeats} runs, seed {settings.seed}")
    say(HEAD)
    result = run_rasterizer_benchmark(settings, _print_case)
    return {
        "device": result.device,
        "threads": result.threads,
        "seed": result.seed,
        "sh_degree": result.sh_degree,
        "repeats": result.repeats,
        "cases": result.rows(),
    }


def _print_case(case: RasterizerCase) -> None:
    size = f"{case.width_px}x{case.height_px}"
    row = (
        f"{case.num_gaussians:>10}{size:>11}{case.images_per_s_forward:>10.1f}"
        f"{case.images_per_s_forward_backward:>11.1f}{case.backward_to_forward:>9.2f}"
    )
    if case.blend is not None:
        blend = case.blend
        row += (
            f"{blend.pairs_per_pixel:>10.0f}{blend.ns_per_pair_forward:>9.3f}{blend.ns_per_pair_backward:>7.3f}"
            f"{blend.roofline_ns_per_pair:>10.3f}{blend.blend_to_roofline:>7.2f}"
        )
    say(row)
