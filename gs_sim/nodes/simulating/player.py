"""The state `playing`: steps at the pace of a clock, or as fast as they go."""

import logging
import threading
import time

import rclpy

from gs_sim.errors import GsSimError
from gs_sim.nodes.ros.guard import guarded
from gs_sim.nodes.simulating.host import SimulationHost

logger = logging.getLogger(__name__)

IDLE_S = 0.05
"""How often a paused simulation is looked at."""
BREATH_S = 1e-4
"""Between two steps services get their turn: a lock taken again at once lets nobody else in."""
MAX_DEBT_S = 0.1
"""A simulation that is slower than its pace does not race to catch up with more than this."""


class Player:
    """One thread that steps while the simulation plays. `start` it, and `close` it."""

    def __init__(self, host: SimulationHost) -> None:
        self._host = host
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gs_sim player")

    def start(self) -> None:
        """Begin to look whether the simulation plays."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the step at hand."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pace_s, next_s = 0.0, time.monotonic()
        if self._host.settings.real_time_factor > 0:
            pace_s = self._host.settings.step_s / self._host.settings.real_time_factor
        step = guarded(self._step)
        while not self._is_over.is_set() and rclpy.ok():
            if self._host.simulator.state != "playing":
                self._is_over.wait(IDLE_S)
                next_s = time.monotonic()
                continue
            if not step():
                self._host.simulator.state = "paused"
            next_s = max(next_s + pace_s, time.monotonic() - MAX_DEBT_S)
            time.sleep(max(next_s - time.monotonic(), BREATH_S))

    def _step(self) -> None:
        try:
            self._host.step()
        except GsSimError as error:
            if not self._is_over.is_set():
                logger.error("paused: %s", error)  # noqa: TRY400  # the sentence says it all
                self._host.simulator.state = "paused"
