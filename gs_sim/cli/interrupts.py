"""Ctrl-C as a wish: long work is asked to stop and hands over what it has; a second one stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gs_sim.cli.terminal import warn


class StopWish:
    """Whether the user wants to stop."""

    def __init__(self) -> None:
        self._is_wished = False

    def __call__(self) -> bool:
        """True from the first Ctrl-C on."""
        return self._is_wished

    def wish(self) -> None:
        """Note the first Ctrl-C.

        Raises:
            KeyboardInterrupt: it is the second.
        """
        if self._is_wished:
            raise KeyboardInterrupt
        self._is_wished = True
        warn("stopping; the scene as it stands will be saved (Ctrl-C again to stop without it)")


@contextmanager
def stop_on_interrupt() -> Iterator[StopWish]:
    """Turn Ctrl-C into a wish while the context lasts."""
    wish = StopWish()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        wish.wish()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
