"""Held-out quality of each method from one and the same first scene."""

from dataclasses import replace

import pytest
from tiny_world import make_tiny_world

from gs_sim.benchmark.reconstruct import (
    Outcome,
    beside_at,
    first_outcome,
    g3r_trials,
    mean_outcome,
    optimise_trials,
    prepare_drive,
    run_trial,
)
from gs_sim.errors import ConfigError
from gs_sim.reconstruction.reconstruct import ReconstructionSettings

SETTINGS = ReconstructionSettings(width_px=48, holdout=4, max_gaussians=3000, device="cpu")


def outcome(psnr_db: float, beside_db: float | None, label: str = "run") -> Outcome:
    beside = {} if beside_db is None else {"off_left_1m": beside_db}
    return Outcome(label, "optimise", 2.0, 10, psnr_db, 0.9, None, 1.0, beside, 100)


def test_both_methods_are_judged_on_the_same_held_out_frames() -> None:
    recording = make_tiny_world().recording
    prepared = prepare_drive(recording, SETTINGS)
    assert first_outcome(prepared, recording, SETTINGS).steps == 0
    (learned,) = (run_trial(trial, prepared, recording) for trial in g3r_trials(SETTINGS, [2]))
    (optimised,) = (run_trial(trial, prepared, recording) for trial in optimise_trials(SETTINGS, 0.5, [2.0]))
    assert (learned.label, learned.method, learned.steps) == ("G3R, T = 2", "g3r", 2)
    assert (optimised.label, optimised.method) == ("optimise, 2 x", "optimise")
    assert 0.8 < optimised.seconds < 3
    assert all(0 < row.ssim < 1 and row.psnr_actors_db is not None for row in (learned, optimised))


def test_a_benchmark_without_held_out_frames_is_refused() -> None:
    with pytest.raises(ConfigError, match="held-out frames"):
        prepare_drive(make_tiny_world().recording, replace(SETTINGS, holdout=0))


def test_the_mean_over_drives_leaves_out_what_one_of_them_lacks() -> None:
    mean = mean_outcome([outcome(20.0, 18.0), outcome(30.0, 22.0)])
    assert (mean.psnr_db, mean.psnr_beside_db, mean.psnr_actors_db) == (25.0, 20.0, None)
    assert mean_outcome([outcome(20.0, 18.0), outcome(30.0, None)]).psnr_beside_db is None


def test_quality_beside_the_path_is_compared_at_equal_quality_on_it() -> None:
    runs = [outcome(28.0, 22.0), outcome(24.0, 20.0), outcome(30.0, 21.0)]
    assert beside_at(runs, 26.0) == pytest.approx(21.0)
    assert beside_at(runs, 29.0) == pytest.approx(21.5)
    assert beside_at(runs, 31.0) is None
    assert beside_at([outcome(28.0, None)], 28.0) is None
