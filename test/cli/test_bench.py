"""`gs-sim bench`: rows on the terminal, the same figures as JSON."""

import json
from functools import partial
from pathlib import Path

import pytest

from gs_sim.benchmark.g3r_cost import G3RCostSettings
from gs_sim.benchmark.rasterizer import RasterizerBenchmarkSettings
from gs_sim.cli import bench_g3r, bench_rasterizer, bench_street
from gs_sim.cli.main import main
from gs_sim.sources.street.settings import StreetSettings


def test_bench_reconstruct_tells_held_out_quality_of_both_methods(
    tiny_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, plot = tmp_path / "figures.json", tmp_path / "curves.svg"
    command = ["bench", "reconstruct", "--bag", str(tiny_bag), "--width", "48", "--holdout", "4", "--steps", "1,2"]
    few = tmp_path / "few.yaml"
    few.write_text("g3r: {views_per_step: 1, steps: 3}")
    command += [
        "--polish",
        "3",
        "--factors",
        "0.5,2",
        "--settings",
        f"one view={few}",
        "--json",
        str(figures),
        "--plot",
        str(plot),
    ]
    assert main(command) == 0
    document = json.loads(figures.read_text())
    (drive,) = document["drives"]
    assert (drive["name"], drive["variant"], drive["num_views"]) == ("tiny", "clean", 6)
    assert {"hardware", "device", "seed", "holdout", "peak_memory_mb"} <= set(document)
    labels = [row["label"] for row in drive["outcomes"]]
    learned = ["G3R, T = 1", "G3R, T = 2", "G3R + 3, T = 2"]
    assert labels == ["start", *learned, "one view", "optimise, 0.5 x", "optimise, 2 x"]
    assert [row["steps"] for row in drive["outcomes"][:5]] == [0, 1, 2, 5, 3]
    printed = capsys.readouterr().out
    assert f"{drive['outcomes'][2]['psnr_db']:.2f}" in printed
    assert plot.read_text().startswith("<svg")
    assert "optimise" in plot.read_text()


def test_bench_reconstruct_refuses_unknown_settings_before_it_draws_a_street(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("g3r: {step: 3}")
    assert main(["bench", "reconstruct", "--holdout", "4", "--settings", f"wrong={wrong}"]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err


def test_bench_g3r_prints_a_row_per_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = partial(G3RCostSettings, num_gaussians=(300, 900), widths_px=(16, 32), views_per_step=(1, 4), repeats=1)
    monkeypatch.setattr(bench_g3r, "G3RCostSettings", small)
    figures = tmp_path / "figures.json"
    assert main(["bench", "g3r", "--device", "cpu", "--json", str(figures)]) == 0
    assert len(json.loads(figures.read_text())["cases"]) == 4
    assert "for each million of Gaussians" in capsys.readouterr().out


def test_bench_rasterizer_prints_a_row_per_case_and_writes_all_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = partial(RasterizerBenchmarkSettings, num_gaussians=(500, 900), widths_px=(64,), repeats=1)
    monkeypatch.setattr(bench_rasterizer, "RasterizerBenchmarkSettings", small)
    figures = tmp_path / "figures.json"
    assert main(["bench", "rasterizer", "--device", "cpu", "--json", str(figures)]) == 0
    cases = json.loads(figures.read_text())["cases"]
    assert [case["num_gaussians"] for case in cases] == [500, 900]
    assert all(case["blend_to_roofline"] > 0 and case["images_per_s_forward"] > 0 for case in cases)
    assert capsys.readouterr().out.count("64x36") == 2


def test_bench_street_tells_images_and_sweeps_per_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = partial(StreetSettings, width_px=48, height_px=32, lidar_rings=4, lidar_columns=32)
    monkeypatch.setattr(bench_street, "StreetSettings", small)
    monkeypatch.setattr(bench_street, "NUM_IMAGES", 1)
    figures = tmp_path / "figures.json"
    assert main(["bench", "street", "--device", "cpu", "--json", str(figures)]) == 0
    document = json.loads(figures.read_text())
    assert document["images_per_s"] > 0
    assert document["sweeps_per_s"] > 0
    assert "images/s" in capsys.readouterr().out
