"""Train a network from settings into a folder, going on where an earlier run stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from gs_sim.errors import ConfigError, StorageError
from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.weights import load_networks, save_networks
from gs_sim.training.group import ProcessGroup
from gs_sim.training.lesson_pool import Cache, LessonPool
from gs_sim.training.train_g3r import IterationResult, TrainG3RSettings, draw_iteration, learn_lesson
from gs_sim.training.trainer import Curves, Trainer

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class TrainingRun:
    """Where a training runs and who hears of it."""

    folder: Path
    """Checkpoint, curves and weights."""
    lessons: Path
    """Cache of drawn streets."""
    device: str
    num_workers: int
    """Processes that draw streets."""
    save_every: int
    """Iterations between two checkpoints."""
    on_iteration: Callable[[IterationResult], None]
    should_stop: Callable[[], bool] = lambda: False


def train_g3r(settings: TrainG3RSettings, run: TrainingRun) -> Path:
    """Train until all iterations are done; gives the file of averaged weights.

    Raises:
        StorageError: something cannot be written or read, or the folder belongs to another network.
        ConfigError: the weights to start from are of other sizes.
    """
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{run.folder} cannot be made: {error}") from None
    seeds = [settings.first_street + index for index in range(settings.streets)]
    with ProcessGroup() as group:
        networks = _first_networks(settings).to(group.device(run.device))
        trainer = Trainer(networks, settings.learning_rate, settings.averaging, group)
        trainer.resume(run.folder)
        workers = run.num_workers if group.rank == 0 else 0
        with LessonPool(Cache(run.lessons, settings.lessons), seeds, workers) as pool:
            _iterate(trainer, settings, run, group, pool)
    return run.folder / WEIGHTS


def _first_networks(settings: TrainG3RSettings) -> G3RNetworks:
    """Networks as training begins: drawn from the seed, or read from a file."""
    if not settings.start_from:
        return G3RNetworks(settings.networks, torch.Generator().manual_seed(settings.seed))
    networks = load_networks(Path(settings.start_from))
    if networks.settings != settings.networks:
        raise ConfigError(
            f"{settings.start_from} is of other networks ({networks.settings}) than these settings ask for"
        )
    return networks.train().requires_grad_(True)


def _iterate(
    trainer: Trainer[G3RNetworks], settings: TrainG3RSettings, run: TrainingRun, group: ProcessGroup, pool: LessonPool
) -> None:
    curves = Curves(run.folder, IterationResult) if group.rank == 0 else None
    while trainer.iteration < settings.iterations and not run.should_stop():
        result = _learn_next(trainer, settings, group, pool)
        trainer.iteration += 1
        if curves is not None:
            curves.add(result)
            run.on_iteration(result)
            if trainer.iteration % run.save_every == 0:
                _save(trainer, settings, run)
    if curves is not None:
        _save(trainer, settings, run)


def _learn_next(
    trainer: Trainer[G3RNetworks], settings: TrainG3RSettings, group: ProcessGroup, pool: LessonPool
) -> IterationResult:
    """One street in each process of the group; all of them take as many steps."""
    iteration = trainer.iteration
    drawn, _ = draw_iteration(settings, iteration)
    own = iteration * group.size + group.rank
    _, place = draw_iteration(settings, own)
    generator = torch.Generator().manual_seed(settings.seed * 7919 + own)
    losses: list[float] = []
    psnr_db: list[float] = []
    lesson = pool.lesson(settings.first_street + place)
    for window in learn_lesson(trainer.networks, lesson, drawn, settings, generator):
        trainer.update(iteration / settings.iterations)
        losses += window.losses
        psnr_db += window.psnr_db
    return IterationResult(iteration, sum(losses) / len(losses), psnr_db[0], psnr_db[-1], drawn.num_steps)


def _save(trainer: Trainer[G3RNetworks], settings: TrainG3RSettings, run: TrainingRun) -> None:
    trainer.save(run.folder)
    averaged = G3RNetworks(settings.networks, torch.Generator().manual_seed(0))
    averaged.load_state_dict(trainer.averaged, strict=False)
    facts = {
        "trained_on": f"synthetic streets {settings.first_street} to {settings.first_street + settings.streets - 1}",
        "iterations": str(trainer.iteration),
        "seed": str(settings.seed),
        "started_from": settings.start_from and Path(settings.start_from).name,
    }
    save_networks(averaged, run.folder / WEIGHTS, facts)
