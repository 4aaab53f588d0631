"""`gs-sim bench reconstruct`: held-out PSNR over time of each method, from the same first scene."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gs_sim.benchmark.curve_plot import curve_plot
from gs_sim.benchmark.degraded import VARIANTS
from gs_sim.benchmark.drives import StreetDrives
from gs_sim.benchmark.reconstruct import (
    Outcome,
    Trial,
    beside_at,
    first_outcome,
    g3r_trials,
    mean_outcome,
    optimise_trials,
    polish_trials,
    prepare_drive,
    run_trial,
)
from gs_sim.cli.terminal import say, warn
from gs_sim.config import load_config
from gs_sim.evaluation.chart import Series
from gs_sim.jobs.hardware import choose_device, describe_hardware, peak_memory_mb
from gs_sim.reconstruction.reconstruct import ReconstructionSettings
from gs_sim.sensing.recording import Recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure on the given bag, or on unseen streets drawn for the occasion."""
    device = choose_device(arguments.device)
    settings = ReconstructionSettings(
        width_px=arguments.width or 0, holdout=arguments.holdout, seed=arguments.seed, device=device
    )
    k = arguments.holdout
    say(f"{describe_hardware(device)}, seed {arguments.seed}, held out: index % {k} == {k // 2}")
    others = _others(arguments, settings)
    facts = [_measure_drive(arguments, settings, others, drive) for drive in _drives(arguments, device)]
    means = {}
    for variant in dict.fromkeys(measured.variant for measured in facts):
        mine = [measured.outcomes for measured in facts if measured.variant == variant]
        means[variant] = [mean_outcome(rows) for rows in zip(*mine, strict=True)]
        if len(mine) > 1:
            say(f"\nmean of {len(mine)} drives, {variant}")
            _print_table(means[variant])
        _print_verdict(means[variant])
    if arguments.plot is not None:
        arguments.plot.write_text(_plot(means["clean"]), encoding="utf-8")
    return {
        "device": device,
        "seed": arguments.seed,
        "holdout": arguments.holdout,
        "drives": [asdict(measured) for measured in facts],
        "mean": {variant: [asdict(mean) for mean in rows] for variant, rows in means.items()},
        "peak_memory_mb": peak_memory_mb(),
    }


def _others(arguments: argparse.Namespace, settings: ReconstructionSettings) -> list[Trial]:
    """Refinement with other settings, such as other weights: as the longest run of G3R, but for what a file says."""
    (longest,) = g3r_trials(settings, arguments.steps[-1:])
    return [Trial(name, load_config(Path(file), longest.settings)) for name, file in arguments.settings or ()]


@dataclass(frozen=True)
class _Drive:
    """What is measured on."""

    name: str
    variant: str
    recording: Recording


@dataclass(frozen=True)
class _Measured:
    """All runs of one drive."""

    name: str
    variant: str
    num_views: int
    seconds_initialise: float
    outcomes: tuple[Outcome, ...]


def _drives(arguments: argparse.Namespace, device: str) -> Iterator[_Drive]:
    """Every drive, degraded as wished, one at a time."""
    variants = {name: VARIANTS[name] for name in (VARIANTS if arguments.robustness else ["clean"])}
    if arguments.bag is not None:
        with open_bag(arguments.bag, BagSettings()) as recording:
            yield from (_Drive(arguments.bag.name, name, change(recording)) for name, change in variants.items())
        return
    drives = StreetDrives(num=arguments.streets, device=device)
    for seed in drives.seeds():
        warn(f"drawing street {seed} ...")
        street = drives.recording(seed)
        yield from (_Drive(f"street {seed}", name, change(street)) for name, change in variants.items())


def _measure_drive(
    arguments: argparse.Namespace, settings: ReconstructionSettings, others: list[Trial], drive: _Drive
) -> _Measured:
    """G3R first; its longest run with the shipped weights decides how long optimisation may take."""
    prepared = prepare_drive(drive.recording, settings)
    camera = prepared.views[0].camera
    say(
        f"\n{drive.name}, {drive.variant}: {len(prepared.views)} training views of {camera.width_px}x"
        f"{camera.height_px}, first scene in {prepared.seconds:.1f} s\n{HEAD}"
    )
    outcomes = [first_outcome(prepared, drive.recording, settings)]
    _print(outcomes[0])
    for trial in g3r_trials(settings, arguments.steps):
        outcomes.append(run_trial(trial, prepared, drive.recording))
        _print(outcomes[-1])
    longest_s = outcomes[-1].seconds
    polished = polish_trials(settings, arguments.steps[-1], arguments.polish)
    for trial in polished + others + optimise_trials(settings, longest_s, arguments.factors):
        outcomes.append(run_trial(trial, prepared, drive.recording))
        _print(outcomes[-1])
    return _Measured(drive.name, drive.variant, len(prepared.views), prepared.seconds, tuple(outcomes))


HEAD = (
    f"{'run':<22}{'seconds':>9}{'steps':>7}{'PSNR dB':>9}{'SSIM':>8}{'actors dB':>11}{'beside dB':>11}"
    f"{'depth m':>9}{'Gaussians':>11}"
)


def _print_table(rows: Sequence[Outcome]) -> None:
    say(HEAD)
    for row in rows:
        _print(row)


def _print(row: Outcome) -> None:
    actors, beside, depth = (
        "–" if value is None else f"{value:.{digits}f}"
        for value, digits in ((row.psnr_actors_db, 2), (row.psnr_beside_db, 2), (row.depth_mae_m, 3))
    )
    say(
        f"{row.label:<22}{row.seconds:>9.1f}{row.steps:>7}{row.psnr_db:>9.2f}{row.ssim:>8.3f}{actors:>11}{beside:>11}"
        f"{depth:>9}{row.num_gaussians:>11}"
    )


def _print_verdict(means: Sequence[Outcome]) -> None:
    """Where each G3R run stands against optimisation: on the path in 10 times its time, beside it at equal PSNR."""
    optimised = [mean for mean in means if mean.method == "optimise"]
    for mean in means:
        if mean.method != "g3r" or mean.psnr_beside_db is None:
            continue
        equal = beside_at(optimised, mean.psnr_db)
        against = "optimise never stands there" if equal is None else f"optimise {equal:.2f} dB at equal PSNR"
        say(f"{mean.label}: {mean.psnr_db:.2f} dB on the path, {mean.psnr_beside_db:.2f} dB beside it; {against}")


def _plot(means: Sequence[Outcome]) -> str:
    series = []
    for label, name in (("G3R, T", "G3R"), ("G3R + ", "G3R, then optimise"), ("optimise", "optimise")):
        points = [(m.seconds, m.psnr_db) for m in means if m.label.startswith(label) and m.seconds > 0]
        if points:
            series.append(Series(name, tuple(sorted(points))))
    return curve_plot(series, "seconds of refining", "held-out PSNR, dB")
