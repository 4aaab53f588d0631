"""Which moment of the logged drive belongs to a stamp of the outside world."""

from typing import Literal

SceneTime = Literal["stamp", "elapsed"]


class SceneClock:
    """Maps stamps to the drive's own time: they are it, or the drive starts with the first stamp."""

    def __init__(self, mode: SceneTime) -> None:
        self._mode = mode
        self._first_ns: int | None = None

    def reset(self) -> None:
        """Let the drive start again with the next stamp."""
        self._first_ns = None

    def scene_ns(self, stamp_ns: int, start_ns: int) -> int:
        """The moment of the drive, which begins at `start_ns`; a stamp before the first one starts it anew."""
        if self._mode == "stamp":
            return stamp_ns
        if self._first_ns is None or stamp_ns < self._first_ns:
            self._first_ns = stamp_ns
        return start_ns + stamp_ns - self._first_ns
