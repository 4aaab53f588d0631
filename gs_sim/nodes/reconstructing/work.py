"""What the process of a reconstruction does and says; `reconstruction_process.py` starts it and listens.

Nothing of ROS is used here.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from gs_sim.errors import GsSimError
from gs_sim.evaluation.evaluate import EvaluationSettings, evaluate
from gs_sim.jobs.reconstruct_bag import ReconstructBagSettings, reconstruct_bag
from gs_sim.jobs.recordings import open_recording_of
from gs_sim.jobs.scene_folder import open_scene
from gs_sim.reconstruction.reconstruct import Hooks, Progress

GRACE_S = 0.7
"""How long the process may tidy up after it was asked to leave."""
TELL_EVERY_S = 0.1
"""Within a stage, progress is told this often at most."""
MEMORY_HINT = "use a smaller width_px or max_gaussians, or fewer images"


@dataclass(frozen=True)
class ReconstructionOrder:
    """One reconstruction that may begin."""

    bag: Path | None
    """None records the live topics first."""
    live_duration_s: float
    output: Path
    """Folder of the scene."""
    settings: ReconstructBagSettings


@dataclass(frozen=True)
class Finished:
    """A scene was saved."""

    seconds: float
    seconds_refine: float
    num_gaussians: int
    skipped: Mapping[str, int]


@dataclass(frozen=True)
class Scores:
    """How good the scene is on frames it never saw; None where none were held out."""

    psnr_db: float | None = None
    ssim: float | None = None


@dataclass(frozen=True)
class Refused:
    """It cannot be done, and why."""

    sentence: str


@dataclass(frozen=True)
class Note:
    """One line for the log."""

    level: int
    text: str


class _Reporter:
    """Speaks through the pipe, from any thread."""

    def __init__(self, pipe: "Connection[object, object]") -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._stage, self._told_s = "", 0.0

    def send(self, message: object) -> None:
        """Send one message; a node that is gone is noticed elsewhere."""
        with self._lock, contextlib.suppress(OSError):
            self._pipe.send(message)

    def progress(self, progress: Progress) -> None:
        """Send progress, but not each step of thousands."""
        now_s = time.monotonic()
        if progress.stage != self._stage or now_s - self._told_s >= TELL_EVERY_S:
            self._stage, self._told_s = progress.stage, now_s
            self.send(replace(progress, snapshot=None))


class _LogThroughPipe(logging.Handler):
    """Hands what the core logs over to the node."""

    def __init__(self, reporter: _Reporter) -> None:
        super().__init__(logging.INFO)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._reporter.send(Note(record.levelno, record.getMessage()))


def work_and_report(order: ReconstructionOrder, pipe: "Connection[object, object]") -> None:
    """Reconstruct, and send progress, notes and the outcome through the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_node, args=(pipe,), name="gs_sim node watch", daemon=True).start()
    reporter = _Reporter(pipe)
    core = logging.getLogger("gs_sim")
    core.setLevel(logging.INFO)
    core.addHandler(_LogThroughPipe(reporter))
    outcome: Scores | Refused
    try:
        outcome = _reconstruct(order, reporter)
    except GsSimError as error:
        outcome = Refused(str(error))
    except MemoryError as error:
        outcome = Refused(f"memory ran out ({error}); {MEMORY_HINT}")
    except SystemExit:
        os._exit(128 + signal.SIGTERM)  # all is tidied up; the interpreter would need another second to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to tidy up
    reporter.send(outcome)


def _reconstruct(order: ReconstructionOrder, reporter: _Reporter) -> Scores:
    assert order.bag is not None
    hooks = Hooks(time.perf_counter, reporter.progress)
    job = reconstruct_bag(
        order.bag, order.output, order.settings, hooks, lambda text: reporter.send(Note(logging.INFO, text))
    )
    reporter.send(Finished(job.seconds, job.result.seconds_refine, job.result.num_gaussians, job.skipped))
    device = job.result.device
    del job  # its scene has another copy of every Gaussian
    if not order.settings.holdout:
        return Scores()
    try:
        return _judge(order, device, reporter)
    except GsSimError as error:
        reporter.send(Note(logging.WARNING, f"the scene was saved, but could not be judged: {error}"))
        return Scores()


def _judge(order: ReconstructionOrder, device: str, reporter: _Reporter) -> Scores:
    """Compare the saved scene with the frames that were held out."""
    assert order.bag is not None
    folder = open_scene(order.output, device)
    settings = EvaluationSettings(folder.cameras, order.settings.holdout, folder.width_px)
    with open_recording_of(folder, order.bag, lambda _: None) as recording:
        evaluation = evaluate(
            folder.scene,
            recording,
            settings,
            lambda _, done, total: reporter.progress(Progress("evaluate", done, total)),
        )
    return Scores(evaluation.total.psnr_db, evaluation.total.ssim)


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)


def _leave_with_node(pipe: "Connection[object, object]") -> None:
    """Wait until the node is gone (it never sends anything), and leave; at once, if tidying up takes too long."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
