"""What the user sees while a command works: a progress bar on a terminal, plain lines anywhere else."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_S = 10.0
"""Without a terminal, a stage says how far it is this often."""


def say(text: str = "") -> None:
    """Print a line of the command's result."""
    print(text)


def warn(text: str) -> None:
    """Print a line beside the result, so that it never lands in a pipe."""
    print(text, file=sys.stderr)


class ProgressDisplay:
    """Shows stage, step, what is known, time spent and time left; use as a context."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = _progress_bar(console) if console.is_terminal else None
        self._task: TaskID | None = None
        self._stage = ""
        self._stage_start_s = 0.0
        self._last_line_s = 0.0
        self._unsaid = ""

    def __enter__(self) -> "ProgressDisplay":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._say_last_line()
        if self._bar is not None:
            self._bar.stop()

    def update(self, stage: str, step: int, num_steps: int, note: str = "") -> None:
        """Show that `step` of `num_steps` of a stage are done; the stage before is finished then."""
        now_s = time.monotonic()
        is_new = stage != self._stage
        if is_new:
            self._say_last_line()
            self._stage, self._stage_start_s, self._last_line_s = stage, now_s, now_s
        if self._bar is not None:
            self._update_bar(self._bar, step, num_steps, note, is_new=is_new)
            return
        self._unsaid = _line(stage, step, num_steps, note, now_s - self._stage_start_s)
        if is_new or now_s - self._last_line_s >= LINE_EVERY_S:
            self._last_line_s = now_s
            self._say_last_line()

    def _say_last_line(self) -> None:
        if self._unsaid:
            warn(self._unsaid)
            self._unsaid = ""

    def _update_bar(self, bar: Progress, step: int, num_steps: int, note: str, *, is_new: bool) -> None:
        if is_new and self._task is not None:
            bar.update(self._task, completed=bar.tasks[-1].total)
        if is_new or self._task is None:
            self._task = bar.add_task(self._stage, total=max(num_steps, 1), note=note)
        bar.update(self._task, completed=step, total=max(num_steps, 1), note=note)


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def _line(stage: str, step: int, num_steps: int, note: str, elapsed_s: float) -> str:
    parts = [f"{stage} {step}/{num_steps}", note, f"{elapsed_s:.0f} s"]
    if 0 < step < num_steps:
        parts.append(f"about {elapsed_s / step * (num_steps - step):.0f} s left")
    return "  ".join(part for part in parts if part)


def progress_note(psnr_db: float | None, num_gaussians: int) -> str:
    """What a reconstruction knows about itself on the way."""
    parts = [] if psnr_db is None else [f"PSNR {psnr_db:.2f} dB"]
    if num_gaussians:
        parts.append(f"{num_gaussians / 1000:.0f} k Gaussians")
    return "  ".join(parts)
