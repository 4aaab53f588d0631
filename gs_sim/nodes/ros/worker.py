"""Heavy work off the executor, newest first: what waits is replaced by what comes after it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gs_sim.nodes.ros.guard import guarded

Job = TypeVar("Job")


class NewestWins(Generic[Job]):
    """One thread and a mailbox of one; it survives what goes wrong in a job, and counts."""

    def __init__(self, work: Callable[[Job], object]) -> None:
        self._work = guarded(work)
        self._mailbox: Job | None = None
        self._is_closed = False
        self._condition = threading.Condition()
        self.num_replaced = 0
        """Jobs that were never done, since a newer one came first."""
        self.num_failed = 0
        self._num_told = 0
        self._thread: threading.Thread | None = None

    def give(self, job: Job) -> None:
        """Put a job into the mailbox; the first one starts the thread."""
        with self._condition:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="gs_sim worker")
                self._thread.start()
            if self._mailbox is not None:
                self.num_replaced += 1
            self._mailbox = job
            self._condition.notify()

    def take_news(self) -> int:
        """How many jobs failed since this was asked last."""
        self._num_told, before = self.num_failed, self._num_told
        return self.num_failed - before

    def close(self) -> None:
        """Finish the job at hand, drop the one that waits, and end the thread."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._mailbox is not None or self._is_closed)
                job, self._mailbox = self._mailbox, None
                if self._is_closed or job is None:
                    return
            if not self._work(job):
                self.num_failed += 1
