"""Training: every learned part hears from the loss, going on equals never having stopped, and it learns."""

import csv
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_lesson import SMALL_LESSONS, SMALL_TRAINING

from gs_sim.errors import ConfigError, StorageError
from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.weights import load_networks
from gs_sim.training.learning_rate import LAST_SHARE, WARM_UP, learning_rate_at
from gs_sim.training.lesson import Lesson
from gs_sim.training.lesson_file import save_lesson
from gs_sim.training.lesson_pool import Cache
from gs_sim.training.run import TrainingRun, train_g3r
from gs_sim.training.train_g3r import Drawn, IterationResult, TrainG3RSettings, draw_iteration, learn_lesson


@pytest.fixture
def lessons(lesson: Lesson, tmp_path: Path) -> Path:
    cache = Cache(tmp_path / "lessons", SMALL_LESSONS)
    cache.claim()
    save_lesson(lesson, cache.folder_of(7))
    return cache.folder


def run_in(
    folder: Path, lessons: Path, settings: TrainG3RSettings, should_stop: Callable[[], bool] = lambda: False
) -> list[IterationResult]:
    told: list[IterationResult] = []
    train_g3r(settings, TrainingRun(folder, lessons, "cpu", 0, 100, told.append, should_stop))
    return told


def test_every_learned_part_hears_from_the_loss(lesson: Lesson) -> None:
    networks = G3RNetworks(SMALL_TRAINING.networks, torch.Generator().manual_seed(0))
    heard = {name: 0.0 for name, _ in networks.named_parameters()}

    def listen() -> None:
        for name, p in networks.named_parameters():
            heard[name] += 0.0 if p.grad is None else float(p.grad.abs().sum())
            with torch.no_grad():  # first weights are zero in places, and hide what lies before them
                p.add_(0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(len(name))))

    settings = replace(SMALL_TRAINING, thinned=0.0)
    for window in learn_lesson(networks, lesson, Drawn(6, 2), settings, torch.Generator().manual_seed(1)):
        assert len(window.losses) == len(window.psnr_db) == settings.unroll
        listen()
    has_actors = any(len(actor.gaussians_box) for actor in lesson.scene.actors)
    silent = [name for name, total in heard.items() if total == 0.0 and (has_actors or not name.startswith("actors"))]
    assert silent == []


def test_going_on_equals_never_having_stopped(lessons: Path, tmp_path: Path) -> None:
    whole = run_in(tmp_path / "whole", lessons, SMALL_TRAINING)
    looks = iter([False, False, True])
    first = run_in(tmp_path / "parts", lessons, SMALL_TRAINING, lambda: next(looks))
    second = run_in(tmp_path / "parts", lessons, SMALL_TRAINING)
    assert (len(first), len(second)) == (2, 2)
    assert first + second == whole
    one, other = (load_file(tmp_path / folder / "checkpoint.safetensors") for folder in ("whole", "parts"))
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    with (tmp_path / "parts" / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["0", "1", "2", "3"]
    assert float(rows[3]["loss"]) == whole[3].loss


def mean_loss(networks: G3RNetworks, lesson: Lesson, settings: TrainG3RSettings) -> float:
    """Of eight refinements, the same ones for every network."""
    windows = [
        window
        for seed in range(8)
        for window in learn_lesson(networks, lesson, Drawn(2, 2), settings, torch.Generator().manual_seed(seed))
    ]
    return sum(sum(window.losses) for window in windows) / sum(len(window.losses) for window in windows)


def test_what_it_learns_makes_refinement_better_on_its_street(lesson: Lesson, lessons: Path, tmp_path: Path) -> None:
    settings = replace(SMALL_TRAINING, iterations=60, steps=(2,), learning_rate=5e-3, averaging=0.9)
    run_in(tmp_path / "run", lessons, settings)
    learned = load_networks(tmp_path / "run" / "weights.safetensors").requires_grad_(True)
    assert learned.settings == settings.networks
    untrained = G3RNetworks(settings.networks, torch.Generator().manual_seed(0))
    assert mean_loss(learned, lesson, settings) < mean_loss(untrained, lesson, settings) - 0.02


def test_training_goes_on_from_weights_of_the_same_sizes(lessons: Path, tmp_path: Path) -> None:
    run_in(tmp_path / "first", lessons, replace(SMALL_TRAINING, iterations=1))
    weights = tmp_path / "first" / "weights.safetensors"
    told = run_in(tmp_path / "second", lessons, replace(SMALL_TRAINING, iterations=1, start_from=str(weights)))
    afresh = run_in(tmp_path / "third", lessons, replace(SMALL_TRAINING, iterations=1))
    assert told[0].loss != afresh[0].loss
    wider = replace(SMALL_TRAINING, networks=replace(SMALL_TRAINING.networks, width=16), start_from=str(weights))
    with pytest.raises(ConfigError, match="is of other networks"):
        run_in(tmp_path / "fourth", lessons, wider)


def test_a_checkpoint_of_another_network_is_refused(lessons: Path, tmp_path: Path) -> None:
    run_in(tmp_path / "run", lessons, replace(SMALL_TRAINING, iterations=1))
    wider = replace(SMALL_TRAINING, networks=replace(SMALL_TRAINING.networks, width=16))
    with pytest.raises(StorageError, match="train into another folder"):
        run_in(tmp_path / "run", lessons, wider)
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"damaged")
    with pytest.raises(StorageError, match="is no checkpoint"):
        run_in(tmp_path / "run", lessons, SMALL_TRAINING)


def test_streets_come_in_ever_new_order_and_all_once_before_any_again() -> None:
    settings = replace(SMALL_TRAINING, streets=5, steps=(4, 8), views_per_step=(2, 3))
    places = [draw_iteration(settings, iteration)[1] for iteration in range(15)]
    assert places[:5] == [0, 1, 2, 3, 4]
    assert sorted(places[5:10]) == sorted(places[10:15]) == [0, 1, 2, 3, 4]
    assert places[5:10] != places[10:15]
    assert {draw_iteration(settings, iteration)[0].num_steps for iteration in range(15)} == {4, 8}


def test_the_learning_rate_rises_then_falls_along_a_cosine() -> None:
    assert learning_rate_at(0.0, 1) == pytest.approx(1 / WARM_UP)
    assert learning_rate_at(0.0, WARM_UP) == pytest.approx(1.0)
    assert learning_rate_at(0.5, 10_000) == pytest.approx(0.5 * (1 + LAST_SHARE))
    assert learning_rate_at(1.0, 10_000) == pytest.approx(LAST_SHARE)


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="iterations"):
        TrainG3RSettings(iterations=0)


@pytest.mark.timeout(300)
def test_two_processes_hold_equal_weights(lessons: Path, tmp_path: Path) -> None:
    """As `torchrun` starts them; both see the same street, but not the same views."""
    script = tmp_path / "train.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from small_lesson import SMALL_TRAINING\n"
        "from dataclasses import replace\n"
        "from gs_sim.training.run import TrainingRun, train_g3r\n"
        "folder = Path(sys.argv[2]) / os.environ['RANK']\n"
        "run = TrainingRun(folder, Path(sys.argv[3]), 'cpu', 0, 1, print)\n"
        "train_g3r(replace(SMALL_TRAINING, iterations=2), run)\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    here = str(Path(__file__).resolve().parents[1])
    done = subprocess.run([*launch, here, str(tmp_path), str(lessons)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "0" / "weights.safetensors").is_file()
    assert done.stdout.count("IterationResult") == 2, "only one of them reports"
