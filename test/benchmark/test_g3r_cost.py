"""What a learned step costs."""

import pytest

from gs_sim.benchmark.g3r_cost import G3RCost, G3RCostSettings, memory_mb_per_million, run_g3r_cost


def test_every_case_is_measured_once() -> None:
    settings = G3RCostSettings(
        num_gaussians=(500, 2000), widths_px=(32, 64), views_per_step=(1, 4), repeats=1, device="cpu"
    )
    heard: list[G3RCost] = []
    costs = run_g3r_cost(settings, heard.append)
    assert costs == tuple(heard)
    assert [(c.num_gaussians, c.width_px, c.views_per_step) for c in costs] == list(settings.cases())
    assert list(settings.cases()) == [(500, 64, 4), (2000, 64, 4), (500, 32, 4), (500, 64, 1)]
    assert all(min(c.step_s, c.render_s, c.networks_s) > 0 for c in costs)


def cost(num_gaussians: int, peak_memory_mb: int) -> G3RCost:
    return G3RCost(num_gaussians, 320, 4, 1.0, 0.1, 0.1, 0.1, 0.1, peak_memory_mb)


def test_memory_grows_with_the_scene() -> None:
    settings = G3RCostSettings(num_gaussians=(1_000_000, 3_000_000))
    assert memory_mb_per_million((cost(1, 500), cost(2_000_001, 900), cost(1, 2000)), settings) == pytest.approx(200.0)
