"""When a virtual camera looks: at its rate on average, at moments that poses or steps give."""


class Schedule:
    """One camera's next due time."""

    def __init__(self, rate_hz: float, *, is_tolerant: bool = False) -> None:
        """Plan for a rate; 0 is never due.

        A tolerant schedule takes a moment that is up to a tenth of a period early: poses that come at the camera's own
        rate jitter, and waiting for the next one would halve the rate.
        """
        self._period_ns = round(1e9 / rate_hz) if rate_hz > 0 else 0
        self._early_ns = self._period_ns // 10 if is_tolerant else 0
        self._next_ns: int | None = None
        self._last_ns = 0

    def reset(self) -> None:
        """Be due at the next moment, whichever it is."""
        self._next_ns = None

    def is_due(self, stamp_ns: int) -> bool:
        """Whether to look at this moment; notes that it was asked. A clock that went back starts anew."""
        if not self._period_ns:
            return False
        if self._next_ns is None or stamp_ns < self._last_ns:
            self._next_ns = stamp_ns
        self._last_ns = stamp_ns
        if stamp_ns < self._next_ns - self._early_ns:
            return False
        self._next_ns += self._period_ns
        if self._next_ns <= stamp_ns:
            # moments come more slowly than the rate: no debt is kept
            self._next_ns = stamp_ns + self._period_ns
        return True
