"""Which moment of the logged drive belongs to a stamp of the outside world."""

import logging
from typing import Literal

logger = logging.getLogger(__name__)

SceneTime = Literal["auto", "stamp", "elapsed"]

NEAR_NS = 60 * 10**9
"""Stamps within a minute of the drive are taken for its own."""


class SceneClock:
    """Maps stamps to the drive's own time: they are it, or the drive starts with the first stamp."""

    def __init__(self, mode: SceneTime, *, loops: bool = False) -> None:
        """Choose how; `auto` decides by the first stamp, and `loops` lets an elapsed drive start again at its end."""
        self._mode, self._loops = mode, loops
        self._is_elapsed = mode == "elapsed"
        self._first_ns: int | None = None

    def reset(self) -> None:
        """Let the drive start again with the next stamp."""
        self._first_ns = None

    def scene_ns(self, stamp_ns: int, start_ns: int, end_ns: int) -> int:
        """The moment of the drive, which lasts from `start_ns` to `end_ns`; a stamp before the first starts it anew."""
        if self._first_ns is None or stamp_ns < self._first_ns:
            self._first_ns = stamp_ns
            is_near = start_ns - NEAR_NS <= stamp_ns <= end_ns + NEAR_NS
            self._is_elapsed = self._mode == "elapsed" or (self._mode == "auto" and not is_near)
            if self._mode == "auto" and self._is_elapsed:
                logger.info("stamps are not of the time of the drive: it starts with this one (scene_time: elapsed)")
            elif self._mode == "stamp" and not is_near:
                logger.warning(
                    "stamps are %.0f s from the drive, where nothing moves; scene_time elapsed starts it with the first one",
                    (stamp_ns - start_ns) / 1e9,
                )
        return self.look_up_ns(stamp_ns, start_ns, end_ns)

    def look_up_ns(self, stamp_ns: int, start_ns: int, end_ns: int) -> int:
        """As `scene_ns`, for who only asks: the clock stays as it is."""
        if not self._is_elapsed:
            return stamp_ns
        elapsed_ns = 0 if self._first_ns is None else stamp_ns - self._first_ns
        return start_ns + (elapsed_ns % max(1, end_ns - start_ns) if self._loops else elapsed_ns)
