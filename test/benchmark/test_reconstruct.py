"""PSNR over time: measured on held-out frames, with the measuring itself off the clock."""

from dataclasses import replace

import pytest
from tiny_world import make_tiny_world

from gs_sim.benchmark.reconstruct import PausableClock, QualityAt, run_reconstruct_benchmark, with_budget
from gs_sim.errors import ConfigError
from gs_sim.reconstruction.optimise import OptimiseSettings
from gs_sim.reconstruction.reconstruct import ReconstructionSettings

SETTINGS = ReconstructionSettings(
    width_px=48, holdout=4, max_gaussians=3000, device="cpu", optimise=OptimiseSettings(steps=40)
)


def test_what_is_excluded_does_not_count_as_work() -> None:
    times = iter([0.0, 10.0, 17.0, 20.0])
    clock = PausableClock(lambda: next(times))
    assert clock() == 0.0
    clock.exclude(lambda: None)  # from 10 to 17
    assert clock() == 13.0


def test_quality_is_told_over_time_until_the_budget_is_spent() -> None:
    told: list[QualityAt] = []
    result = run_reconstruct_benchmark(make_tiny_world().recording, with_budget(SETTINGS, 3.0), told.append)
    assert list(result.rows) == told
    assert len(told) >= 2
    seconds = [row.seconds for row in told]
    assert seconds == sorted(seconds)
    assert told[-1].step > told[0].step
    assert told[-1].psnr_db > told[0].psnr_db - 1
    assert all(row.psnr_actors_db is not None and 0 < row.ssim < 1 for row in told)
    assert (result.device, result.seed, result.holdout, result.num_views) == ("cpu", 0, 4, 6)


def test_a_benchmark_without_held_out_frames_or_budget_is_refused() -> None:
    recording = make_tiny_world().recording
    with pytest.raises(ConfigError, match="held-out frames"):
        run_reconstruct_benchmark(recording, with_budget(replace(SETTINGS, holdout=0), 3.0), lambda _row: None)
    with pytest.raises(ConfigError, match="time budget"):
        run_reconstruct_benchmark(recording, SETTINGS, lambda _row: None)
