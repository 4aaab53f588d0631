"""How good a scene is after how many seconds of refining, for each method, from one and the same first scene.

Every point of a curve is a whole run of its own, so that each method ends as its settings mean it to: learning rates
and step sizes follow the length of a run.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gs_sim.errors import ConfigError
from gs_sim.evaluation.evaluate import EvaluationSettings, FrameComparison, evaluate
from gs_sim.reconstruction.reconstruct import (
    Hooks,
    Prepared,
    ReconstructionSettings,
    count_gaussians,
    prepare,
    refine,
)
from gs_sim.scene.scene import Scene
from gs_sim.sensing.holdout import is_ground_truth_camera
from gs_sim.sensing.recording import Recording


@dataclass(frozen=True)
class Trial:
    """One run to measure."""

    label: str
    settings: ReconstructionSettings


@dataclass(frozen=True)
class Outcome:
    """What became of a trial, judged on frames that it never saw."""

    label: str
    method: str
    seconds: float
    """Of the refining loop."""
    steps: int
    psnr_db: float
    """Held-out frames of the path."""
    ssim: float
    psnr_actors_db: float | None
    depth_mae_m: float | None
    beside_db: dict[str, float]
    """PSNR of each displaced camera, where the recording has them."""
    num_gaussians: int

    @property
    def psnr_beside_db(self) -> float | None:
        """Mean over the displaced cameras."""
        return sum(self.beside_db.values()) / len(self.beside_db) if self.beside_db else None


def prepare_drive(recording: Recording, settings: ReconstructionSettings) -> Prepared:
    """The first scene that all trials of a drive start from; compiled code is warm afterwards.

    Raises:
        ConfigError: the settings hold no frame out.
    """
    if settings.holdout < 2:
        raise ConfigError(f"a benchmark needs held-out frames: holdout must be 2 or more, got {settings.holdout}")
    prepared = prepare(recording, settings, Hooks(time.perf_counter))
    for method in ("optimise", "g3r"):
        refine(prepared, replace(with_steps(settings, 2), method=method), Hooks(time.perf_counter))
    return prepared


def first_outcome(prepared: Prepared, recording: Recording, settings: ReconstructionSettings) -> Outcome:
    """The first scene itself, unrefined."""
    return _judge(Trial("start", replace(settings, method="optimise")), prepared.first, recording, (0.0, 0))


def run_trial(trial: Trial, prepared: Prepared, recording: Recording) -> Outcome:
    """Refine and judge; judging is not timed."""
    result = refine(prepared, trial.settings, Hooks(time.perf_counter))
    return _judge(trial, result.scene, recording, (result.seconds_refine, result.steps))


def g3r_trials(settings: ReconstructionSettings, steps: Sequence[int]) -> list[Trial]:
    """Learned steps alone, so many each."""
    return [
        Trial(
            f"G3R, T = {count}",
            replace(settings, method="g3r", g3r=replace(settings.g3r, steps=count, polish_steps=0)),
        )
        for count in steps
    ]


def polish_trials(settings: ReconstructionSettings, steps: int, polish: Sequence[int]) -> list[Trial]:
    """Learned steps, then so many of optimisation."""
    return [
        Trial(
            f"G3R + {count}, T = {steps}",
            replace(settings, method="g3r", g3r=replace(settings.g3r, steps=steps, polish_steps=count)),
        )
        for count in polish
    ]


def optimise_trials(settings: ReconstructionSettings, seconds: float, factors: Sequence[float]) -> list[Trial]:
    """Optimisation for multiples of a time."""
    return [
        Trial(
            f"optimise, {factor:g} x",
            replace(settings, method="optimise", optimise=replace(settings.optimise, budget_s=factor * seconds)),
        )
        for factor in factors
    ]


def with_steps(settings: ReconstructionSettings, steps: int) -> ReconstructionSettings:
    """The same settings with so many steps of either method."""
    return replace(
        settings,
        optimise=replace(settings.optimise, steps=steps, budget_s=0.0),
        g3r=replace(settings.g3r, steps=steps, budget_s=0.0),
    )


def mean_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Mean over drives of one and the same trial; figures that one of them lacks are left out."""

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if len(known) == len(values) else None

    count = len(outcomes)
    first = outcomes[0]
    cameras = [name for name in first.beside_db if all(name in outcome.beside_db for outcome in outcomes)]
    return Outcome(
        label=first.label,
        method=first.method,
        seconds=sum(o.seconds for o in outcomes) / count,
        steps=round(sum(o.steps for o in outcomes) / count),
        psnr_db=sum(o.psnr_db for o in outcomes) / count,
        ssim=sum(o.ssim for o in outcomes) / count,
        psnr_actors_db=mean([o.psnr_actors_db for o in outcomes]),
        depth_mae_m=mean([o.depth_mae_m for o in outcomes]),
        beside_db={name: sum(o.beside_db[name] for o in outcomes) / count for name in cameras},
        num_gaussians=round(sum(o.num_gaussians for o in outcomes) / count),
    )


def beside_at(outcomes: Sequence[Outcome], psnr_db: float) -> float | None:
    """What a method reaches beside the path where it reaches a PSNR on it: between its runs, never beyond them.

    None if it does not reach that PSNR, or there are no displaced cameras.
    """
    points = sorted((o.psnr_db, o.psnr_beside_db) for o in outcomes if o.psnr_beside_db is not None)
    for (low, low_beside), (high, high_beside) in itertools.pairwise(points):
        if low <= psnr_db <= high:
            share = (psnr_db - low) / max(1e-9, high - low)
            return low_beside + share * (high_beside - low_beside)
    return None


def _judge(trial: Trial, scene: Scene, recording: Recording, effort: tuple[float, int]) -> Outcome:
    settings = trial.settings
    chosen = EvaluationSettings(cameras=settings.cameras, holdout=settings.holdout, width_px=settings.width_px)
    total = evaluate(scene, recording, chosen, _ignore).total
    beside = tuple(m.name for m in recording.rig.cameras if is_ground_truth_camera(m.name))
    others = EvaluationSettings(cameras=beside, width_px=settings.width_px)
    by_camera = evaluate(scene, recording, others, _ignore).per_camera if beside else {}
    return Outcome(
        label=trial.label,
        method=settings.method,
        seconds=effort[0],
        steps=effort[1],
        psnr_db=total.psnr_db,
        ssim=total.ssim,
        psnr_actors_db=total.psnr_actors_db,
        depth_mae_m=total.depth_mae_m,
        beside_db={name: scores.psnr_db for name, scores in by_camera.items()},
        num_gaussians=count_gaussians(scene),
    )


def _ignore(_comparison: FrameComparison, _done: int, _total: int) -> None:
    """A benchmark keeps no pictures."""
