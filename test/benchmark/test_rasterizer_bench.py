import json

import pytest

from gs_sim.benchmark.rasterizer import RasterizerBenchmarkSettings, RasterizerCase, run_rasterizer_benchmark
from gs_sim.errors import ConfigError


def test_each_case_is_measured_and_its_row_is_plain_data() -> None:
    heard: list[RasterizerCase] = []
    settings = RasterizerBenchmarkSettings(num_gaussians=(2000, 4000), widths_px=(64, 128), repeats=1)
    result = run_rasterizer_benchmark(settings, heard.append)
    assert heard == list(result.cases)
    assert [(case.num_gaussians, case.width_px, case.height_px) for case in result.cases] == [
        (2000, 64, 36),
        (2000, 128, 72),
        (4000, 64, 36),
        (4000, 128, 72),
    ]
    rows = result.rows()
    assert json.loads(json.dumps(rows)) == rows
    for row in rows:
        assert 0 < row["num_drawn"] <= row["num_gaussians"]
        assert all(value > 0 for value in row.values())


def test_what_is_evaluated_grows_with_the_pixels_and_no_faster() -> None:
    settings = RasterizerBenchmarkSettings(num_gaussians=(4000,), widths_px=(160, 320), repeats=1)
    small, large = (case.blend for case in run_rasterizer_benchmark(settings).cases)
    assert small is not None
    assert large is not None
    assert large.pairs_per_pixel < 1.1 * small.pairs_per_pixel


def test_settings_that_measure_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one Gaussian"):
        RasterizerBenchmarkSettings(num_gaussians=())
    with pytest.raises(ConfigError, match="repeats"):
        RasterizerBenchmarkSettings(repeats=0)
