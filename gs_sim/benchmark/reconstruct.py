"""How good a scene is after how many seconds: held-out quality at checkpoints of one reconstruction.

Time spent on looking (snapshots and their evaluation) is taken out of the clock, so that a
curve with many points is as fast as one with few.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gs_sim.errors import ConfigError
from gs_sim.evaluation.evaluate import EvaluationSettings, FrameComparison, evaluate
from gs_sim.reconstruction.reconstruct import (
    Hooks,
    Progress,
    Reconstruction,
    ReconstructionSettings,
    count_gaussians,
    reconstruct,
)
from gs_sim.scene.scene import Scene
from gs_sim.sensing.recording import Recording

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
"""Checkpoints as shares of the budget; the end is always one."""


@dataclass(frozen=True)
class QualityAt:
    """Held-out quality at one moment of the refining loop."""

    method: str
    seconds: float
    """Since the refining loop began, without the time spent on measuring."""
    step: int
    psnr_db: float
    ssim: float
    psnr_actors_db: float | None
    depth_mae_m: float | None
    num_gaussians: int


@dataclass(frozen=True)
class ReconstructBenchmark:
    """A whole curve and what it was measured with."""

    rows: tuple[QualityAt, ...]
    device: str
    seed: int
    holdout: int
    width_px: int
    num_views: int
    seconds_initialise: float


class PausableClock:
    """Seconds that stand still while something is measured."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._paused_s = 0.0

    def __call__(self) -> float:
        """Seconds of work so far."""
        return self._clock() - self._paused_s

    def exclude(self, work: Callable[[], None]) -> None:
        """Do something off the clock."""
        start_s = self._clock()
        work()
        self._paused_s += self._clock() - start_s


def run_reconstruct_benchmark(
    recording: Recording, settings: ReconstructionSettings, on_row: Callable[[QualityAt], None]
) -> ReconstructBenchmark:
    """Reconstruct once and judge the scene at checkpoints on frames it never saw.

    Raises:
        ConfigError: the settings hold no frame out, or bound no time.
    """
    if settings.holdout < 2:
        raise ConfigError(f"a benchmark needs held-out frames: holdout must be 2 or more, got {settings.holdout}")
    budget_s = settings.optimise.budget_s
    if budget_s <= 0:
        raise ConfigError(f"a benchmark needs a time budget: optimise.budget_s must be positive, got {budget_s}")
    clock = PausableClock()
    watcher = _Watcher(recording, settings, clock, on_row)
    result = reconstruct(recording, settings, Hooks(clock, watcher.on_progress))
    watcher.measure(result.scene, result.seconds_refine, result.steps)
    return _benchmark(result, settings, watcher.rows)


def _benchmark(
    result: Reconstruction, settings: ReconstructionSettings, rows: Sequence[QualityAt]
) -> ReconstructBenchmark:
    return ReconstructBenchmark(
        rows=tuple(rows),
        device=result.device,
        seed=settings.seed,
        holdout=settings.holdout,
        width_px=settings.width_px,
        num_views=result.num_views,
        seconds_initialise=result.seconds_initialise,
    )


class _Watcher:
    """Looks at the scene whenever the loop passes a checkpoint."""

    def __init__(
        self,
        recording: Recording,
        settings: ReconstructionSettings,
        clock: PausableClock,
        on_row: Callable[[QualityAt], None],
    ) -> None:
        self._recording, self._settings, self._clock, self._on_row = recording, settings, clock, on_row
        self._start_s: float | None = None
        self._due_s = [share * settings.optimise.budget_s for share in SHARES]
        self.rows: list[QualityAt] = []

    def on_progress(self, progress: Progress) -> None:
        """Measure if a checkpoint has passed."""
        if progress.snapshot is None:
            return
        snapshot = progress.snapshot
        if self._start_s is None:
            self._start_s = self._clock()
        seconds = self._clock() - self._start_s
        if not self._due_s or seconds < self._due_s[0]:
            return
        self._due_s = [due_s for due_s in self._due_s if due_s > seconds]
        self._clock.exclude(lambda: self.measure(snapshot(), seconds, progress.step))

    def measure(self, scene: Scene, seconds: float, step: int) -> None:
        """Judge a scene on the held-out frames."""
        settings = EvaluationSettings(
            cameras=self._settings.cameras, holdout=self._settings.holdout, width_px=self._settings.width_px
        )
        total = evaluate(scene, self._recording, settings, _ignore).total
        row = QualityAt(
            method="optimise",
            seconds=seconds,
            step=step,
            psnr_db=total.psnr_db,
            ssim=total.ssim,
            psnr_actors_db=total.psnr_actors_db,
            depth_mae_m=total.depth_mae_m,
            num_gaussians=count_gaussians(scene),
        )
        self.rows.append(row)
        self._on_row(row)


def _ignore(_comparison: FrameComparison, _done: int, _total: int) -> None:
    """A benchmark keeps no pictures."""


def with_budget(settings: ReconstructionSettings, budget_s: float) -> ReconstructionSettings:
    """The same settings with another time budget of the refining loop."""
    return replace(settings, optimise=replace(settings.optimise, budget_s=budget_s))
