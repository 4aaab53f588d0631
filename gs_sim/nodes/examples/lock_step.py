"""The order of ticks and images, which DDS does not keep between topics, so that equal runs decide equally.

The rule: the vehicle moves to a tick only when the image that was due before it has been looked at. Which
ticks have an image follows from the camera's rate, by the schedule that `sensor_sim` has too.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from gs_sim.simulation.schedule import Schedule

Image = TypeVar("Image")


@dataclass(frozen=True)
class Restart:
    """Time begins here, for the first time or anew."""

    stamp_ns: int


@dataclass(frozen=True)
class Move:
    """The vehicle's pose at this moment is asked for."""

    stamp_ns: int
    elapsed_s: float


@dataclass(frozen=True)
class Look(Generic[Image]):
    """An image of a moment that was reached, before the next one."""

    stamp_ns: int
    image: Image


@dataclass(frozen=True)
class Missed:
    """The image of this moment did not come in time."""

    stamp_ns: int


Event = Restart | Move | Look[Image] | Missed


class LockStep(Generic[Image]):
    """Takes ticks and images as they arrive, and says what is to be done in which order."""

    def __init__(self, rate_hz: float, timeout_s: float) -> None:
        self._rate_hz, self._timeout_s = rate_hz, timeout_s
        self._schedule = Schedule(rate_hz)
        self._ticks: deque[int] = deque()
        self._now_ns: int | None = None
        self._awaited_ns: int | None = None
        self._image: Image | None = None
        self._blocked_since_s: float | None = None
        self._is_blind = False
        self.num_images = 0
        self.num_strays = 0
        """Images of other moments than were awaited, such as late ones from before a reset."""

    @property
    def now_ns(self) -> int | None:
        """The moment that the vehicle has reached."""
        return self._now_ns

    def tick(self, stamp_ns: int) -> None:
        """Take a time of /clock."""
        self._ticks.append(stamp_ns)

    def image(self, stamp_ns: int, image: Image) -> None:
        """Take an image."""
        is_future = self._now_ns is None or stamp_ns > self._now_ns
        if stamp_ns != self._awaited_ns and (self._awaited_ns is not None or is_future):
            self.num_strays += 1
            return
        if stamp_ns != self._awaited_ns:
            # the camera looks at other moments than was thought: this is one, and the next follow from it
            self._schedule = Schedule(self._rate_hz)
            self._schedule.is_due(stamp_ns)
            self._awaited_ns = stamp_ns
        self._is_blind, self._image = False, image
        self.num_images += 1

    def next(self, now_s: float) -> Event[Image] | None:
        """What is to be done next; None until more arrives. `now_s` is the time of any steady clock."""
        if self._awaited_ns is not None and self._image is not None:
            look = Look(self._awaited_ns, self._image)
            self._awaited_ns = self._image = self._blocked_since_s = None
            return look
        while self._ticks and self._ticks[0] == self._now_ns:
            self._ticks.popleft()  # said again, as when the simulation is paused
        if not self._ticks:
            return None
        if self._now_ns is None or self._ticks[0] < self._now_ns:
            return self._restart()
        return self._move() if self._awaited_ns is None else self._wait(now_s)

    def _restart(self) -> Restart:
        self._now_ns = self._ticks.popleft()
        self._awaited_ns = self._image = self._blocked_since_s = None
        self._schedule, self._is_blind = Schedule(self._rate_hz), False
        return Restart(self._now_ns)

    def _move(self) -> Move:
        assert self._now_ns is not None
        stamp_ns = self._ticks.popleft()
        elapsed_s = (stamp_ns - self._now_ns) / 1e9
        self._now_ns = stamp_ns
        if self._schedule.is_due(stamp_ns) and not self._is_blind:
            self._awaited_ns = stamp_ns
        return Move(stamp_ns, elapsed_s)

    def _wait(self, now_s: float) -> Missed | None:
        assert self._awaited_ns is not None
        if self._blocked_since_s is None:
            self._blocked_since_s = now_s
        if now_s - self._blocked_since_s < self._timeout_s:
            return None
        missed = Missed(self._awaited_ns)
        self._awaited_ns = self._blocked_since_s = None
        # one is waited for, and none after it until they come again: else each would stop the simulation for as long
        self._is_blind = True
        return missed
