"""One reconstruction at a time: recorded first if it is live, done in another process, then shown."""

import contextlib
import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rclpy.node import Node

from gs_sim.errors import GsSimError, StorageError
from gs_sim.jobs.scene_folder import read_report
from gs_sim.nodes.reconstructing.live_topics import LiveOrder, Recorded, record
from gs_sim.nodes.reconstructing.messages import failure_message, success_message
from gs_sim.nodes.reconstructing.process import StoppedError, Watch, reconstruct_apart
from gs_sim.nodes.reconstructing.settings import ReconstructorSettings
from gs_sim.nodes.reconstructing.whole_progress import Standing, WholeProgress
from gs_sim.nodes.reconstructing.work import ReconstructionOrder
from gs_sim.nodes.ros.diagnostics import Status
from gs_sim.nodes.ros.guard import guarded
from gs_sim.nodes.ros.interfaces import Reconstruct
from gs_sim.nodes.scene_topics import SceneTopics
from gs_sim.reconstruction.reconstruct import Progress
from gs_sim.scene.storage import load_scene
from gs_sim.sources.live import MEGABYTE, LiveRecorder, RecordingLimits

logger = logging.getLogger(__name__)

FEEDBACK_EVERY_S = 0.2
LOG_EVERY_S = 10.0


@dataclass(frozen=True)
class Client:
    """Who asked for a reconstruction."""

    hear: Callable[[Standing], None] = lambda standing: None
    """Is told about five times a second how far it is."""
    has_cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Outcome:
    """How a reconstruction ended; the names are those of an action's goal."""

    state: Literal["succeeded", "aborted", "canceled"]
    result: Reconstruct.Result


@dataclass
class _Counts:
    """For diagnostics."""

    finished: int = 0
    failed: int = 0
    last_failure: str = ""
    standing: Standing | None = None
    recorder: LiveRecorder | None = field(default=None, repr=False)


class ReconstructionJobs:
    """Carries out orders for a node, one at a time, until it is closed."""

    def __init__(self, node: Node, settings: ReconstructorSettings) -> None:
        self._node, self._settings = node, settings
        self._scene_topics = SceneTopics(node, settings.fixed_frame, settings.max_cloud_points)
        self._slot = threading.Lock()
        self._is_closed = threading.Event()
        self._counts = _Counts()

    def claim(self) -> str:
        """Reserve the next reconstruction for the caller, who must `carry_out` it; or say why that cannot be."""
        if self._is_closed.is_set():
            return "the node is shutting down"
        return "" if self._slot.acquire(blocking=False) else "another reconstruction is running; cancel it or wait"

    def close(self) -> None:
        """Stop what is running; it returns within about a second."""
        self._is_closed.set()

    def carry_out(self, make_order: Callable[[], ReconstructionOrder], client: Client) -> Outcome:
        """Do what was claimed, and say how it ended; every error becomes a sentence."""
        outcomes: list[Outcome] = []
        try:
            if guarded(lambda: outcomes.append(self._carry_out(make_order, client)))():
                return outcomes[0]
            self._counts.failed += 1
            self._counts.last_failure = "an unexpected error, which the log of the node shows; please report it"
            return Outcome("aborted", failure_message(self._counts.last_failure))
        finally:
            self._counts.standing = self._counts.recorder = None
            self._slot.release()

    def _carry_out(self, make_order: Callable[[], ReconstructionOrder], client: Client) -> Outcome:
        try:
            result = self._reconstruct(make_order(), client)
        except StoppedError as error:
            if self._node.context.ok():  # otherwise ROS is gone, and its log with it
                logger.info("%s", error)
            return Outcome("canceled", failure_message(str(error)))
        except GsSimError as error:
            sentence = " ".join(str(error).split())
            self._counts.failed += 1
            self._counts.last_failure = sentence
            logger.error("%s", sentence)  # noqa: TRY400  # the sentence says it all
            return Outcome("aborted", failure_message(sentence))
        self._counts.finished += 1
        logger.info("the scene was saved to %s after %.1f s", result.scene.path, result.seconds)
        return Outcome("succeeded", result)

    def status(self) -> Status:
        """What `/diagnostics` says."""
        counts = self._counts
        values: dict[str, object] = {}
        standing, recorder = counts.standing, counts.recorder
        message = "waiting for a goal"
        if standing is not None:
            message = f"{standing.stage}, {standing.fraction:.0%} of the whole"
            values |= {"gaussians": standing.num_gaussians, "psnr_db": f"{standing.psnr_db:.2f}"}
        if recorder is not None:
            dropped = sum(recorder.skipped.values())
            values |= {"recorded_mb": recorder.accepted_bytes // MEGABYTE, "recording_dropped": dropped}
            values |= {"recorded_messages": sum(recorder.counts.values())}
        elif counts.last_failure and standing is None:
            message = f"the last failure: {counts.last_failure}"
        is_warning = bool(counts.last_failure) or ("recording_dropped" in values and values["recording_dropped"] != 0)
        values |= {"scenes": counts.finished, "failures": counts.failed}
        return Status("warn" if is_warning else "ok", message, values)

    def _reconstruct(self, order: ReconstructionOrder, client: Client) -> Reconstruct.Result:
        watch = self._watch(order, client)
        with self._drive(order, watch) as (bag, recorded):
            try:
                finished, scores = reconstruct_apart(replace(order, bag=bag), watch)
            except GsSimError as error:
                if order.bag is not None or isinstance(error, StoppedError):
                    raise
                raise type(error)(self._of_recording(str(error), bag)) from error
        finished = replace(finished, skipped={**recorded.skipped, **finished.skipped})
        info = self._scene_topics.publish(load_scene(order.output), read_report(order.output), order.output)
        return success_message(finished, scores, info, recorded.remarks)

    def _of_recording(self, sentence: str, bag: Path) -> str:
        """A sentence about a bag that is gone by now, or is kept for a closer look."""
        if self._settings.keep_recordings:
            return sentence
        sentence = re.sub(r" \((\d+) more: see `gs-sim inspect [^`]*`\)", r" (and \1 more)", sentence)
        return (
            f"{sentence.replace(str(bag), 'the live recording')}; keep_recordings:=true keeps it for `gs-sim inspect`"
        )

    def _watch(self, order: ReconstructionOrder, client: Client) -> Watch:
        """Passes progress on, but not too often; and the wish to stop, be it the client's or the node's."""
        whole = WholeProgress(is_live=order.bag is None)
        start_s = time.monotonic()
        due_s = {FEEDBACK_EVERY_S: 0.0, LOG_EVERY_S: start_s + LOG_EVERY_S}
        stage = ""

        def tell(progress: Progress) -> None:
            nonlocal stage
            now_s = time.monotonic()
            standing = self._counts.standing = whole.update(progress, now_s)
            if now_s >= due_s[FEEDBACK_EVERY_S] or progress.stage != stage:
                stage = progress.stage
                due_s[FEEDBACK_EVERY_S] = now_s + FEEDBACK_EVERY_S
                client.hear(standing)
            if now_s >= due_s[LOG_EVERY_S]:
                due_s[LOG_EVERY_S] = now_s + LOG_EVERY_S
                logger.info("%s", log_line(standing, now_s - start_s))

        return Watch(tell, lambda: self._is_closed.is_set() or not self._node.context.ok() or client.has_cancelled())

    @contextlib.contextmanager
    def _drive(self, order: ReconstructionOrder, watch: Watch) -> Iterator[tuple[Path, Recorded]]:
        """The bag that was ordered, or a new one of the live topics, which goes again unless it shall be kept."""
        if order.bag is not None:
            yield order.bag, Recorded({}, ())
            return
        with _folder_beside(order.output) as folder:
            kept = free_name(order.output.with_name(f"{order.output.name}_recording"))
            path = kept if self._settings.keep_recordings else folder / "recording"
            limits = RecordingLimits(self._settings.max_buffer_mb, self._settings.max_recording_mb)
            live = LiveOrder(path, order.live_duration_s, order.settings.bag, limits, self._settings.input_reliability)
            recorded = record(self._node, live, watch, self._show)
            for remark in recorded.remarks:
                logger.warning("%s", remark)
            yield path, recorded

    def _show(self, recorder: LiveRecorder) -> None:
        self._counts.recorder = recorder


@contextlib.contextmanager
def _folder_beside(output: Path) -> Iterator[Path]:
    """A hidden folder where the scene will be, since there is room for large things; gone afterwards."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.recording-", dir=output.parent))
    except OSError as error:
        raise StorageError(
            f"live topics cannot be recorded beside {output} ({error}); choose another folder"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_name(path: Path) -> Path:
    """The path, or the first of path_2, path_3, ... that is not taken."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}_{number}"), number + 1
    return candidate


def log_line(standing: Standing, elapsed_s: float) -> str:
    """How far it is, for people."""
    parts = [f"{standing.stage}: {standing.fraction:.0%} after {elapsed_s:.0f} s"]
    if standing.num_gaussians:
        parts.append(f"{standing.num_gaussians} Gaussians, {standing.psnr_db:.2f} dB")
    if standing.time_left_s >= 0:
        parts.append(f"about {standing.time_left_s:.0f} s left")
    return ", ".join(parts)
