"""A reconstruction in a process of its own, so that the node stays responsive whatever it does.

The process is spawned (threads of DDS do not survive a fork). It tells how far it is through a pipe, whose
end also tells it that the node is gone, and then it leaves too. Stopping keeps nothing: the process is
asked to leave, and ended if it does not.
"""

import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from gs_sim.errors import GsSimError
from gs_sim.nodes.reconstructing.work import (
    GRACE_S,
    MEMORY_HINT,
    Finished,
    Note,
    ReconstructionOrder,
    Refused,
    Scores,
    work_and_report,
)
from gs_sim.reconstruction.reconstruct import Progress

logger = logging.getLogger(__name__)

POLL_S = 0.05
"""How often the node looks whether it shall stop."""


class StoppedError(GsSimError):
    """A reconstruction was stopped, as somebody wished."""


@dataclass(frozen=True)
class Watch:
    """What whoever waits for a reconstruction lends it."""

    tell: Callable[[Progress], None]
    """Is told several times a second how far it is."""
    should_stop: Callable[[], bool]
    """Asked as often."""


def reconstruct_apart(order: ReconstructionOrder, watch: Watch) -> tuple[Finished, Scores]:
    """Reconstruct a bag in another process and wait for it.

    Raises:
        StoppedError: `watch` asked to stop; nothing was saved, unless the sentence says so.
        GsSimError: the bag or the settings cannot be used, or the process died; nothing was saved.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work_and_report, args=(order, theirs), name="gs_sim reconstruction", daemon=True)
    with contextlib.closing(ours):
        with contextlib.closing(theirs), _blocked_interrupts():
            process.start()
        try:
            return _Listener(process, ours).follow(watch, order)
        finally:
            _end(process)


@contextlib.contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; a process started here never sees it, from its first moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Listener:
    """What the process has said so far."""

    def __init__(self, process: BaseProcess, pipe: "Connection[object, object]") -> None:
        self._process, self._pipe = process, pipe
        self._newest = Progress("start", 0, 1)
        self._finished: Finished | None = None
        self._scores: Scores | None = None

    def follow(self, watch: Watch, order: ReconstructionOrder) -> tuple[Finished, Scores]:
        """Listen until it is done; raises as `reconstruct_apart`."""
        while self._finished is None or self._scores is None:
            if watch.should_stop():
                kept = f"the scene had already been saved to {order.output}" if self._finished else "nothing was saved"
                raise StoppedError(f"the reconstruction was stopped; {kept}")
            watch.tell(self._newest)
            self._listen()
        return self._finished, self._scores

    def _listen(self) -> None:
        """Wait a moment for one message."""
        try:
            message = self._pipe.recv() if self._pipe.poll(POLL_S) else None
        except (EOFError, OSError):
            if self._finished is None:
                self._process.join()
                raise GsSimError(_death(self._process.exitcode)) from None
            logger.warning("the scene was saved, but the process that judged it ended unexpectedly")
            message = Scores()
        match message:
            case Progress():
                self._newest = message
            case Note():
                logger.log(message.level, "%s", message.text)
            case Finished():
                self._finished = message
            case Scores():
                self._scores = message
            case Refused():
                raise GsSimError(message.sentence)


def _end(process: BaseProcess) -> None:
    """Make sure that the process is gone."""
    if process.is_alive():
        process.terminate()
        process.join(GRACE_S)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()


def _death(code: int | None) -> str:
    """The sentence for a process that left without a word."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = f"memory may have run out: {MEMORY_HINT}" if name == "SIGKILL" else "nothing was saved"
        return f"the reconstruction process was ended by {name}; {hint}"
    return (
        f"the reconstruction process ended unexpectedly with code {code}; what it said is in the terminal of the node"
    )
