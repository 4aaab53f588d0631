"""Lessons as training asks for them: from the cache, or drawn by worker processes ahead of time."""

import contextlib
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from gs_sim.config import to_dict
from gs_sim.errors import GsSimError, StorageError
from gs_sim.training.lesson import Lesson, LessonSettings, draw_lesson
from gs_sim.training.lesson_file import has_lesson, load_lesson, save_lesson

POLL_S = 0.2


@dataclass(frozen=True)
class Cache:
    """A folder of lessons, one folder for each seed; only lessons of equal settings may share it."""

    folder: Path
    settings: LessonSettings

    def folder_of(self, seed: int) -> Path:
        """Where the lesson of a seed lies."""
        return self.folder / str(seed)

    def claim(self) -> None:
        """Make the folder, or check that its lessons are of these settings.

        Raises:
            StorageError: they are not, or it cannot be made.
        """
        note = self.folder / "settings.txt"
        mine = repr(to_dict(self.settings))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not note.exists():
                fresh = note.with_name(f"settings.{os.getpid()}.part")
                fresh.write_text(mine)
                fresh.replace(note)
            if note.read_text() != mine:
                raise StorageError(
                    f"the lessons in {self.folder} were drawn with other settings; choose another folder"
                )
        except OSError as error:
            raise StorageError(f"lessons cannot be kept in {self.folder}: {error}") from None


class LessonPool:
    """Owns the processes that draw lessons, and the lessons read so far. Use it in a `with` block."""

    def __init__(self, cache: Cache, seeds: Sequence[int], num_workers: int) -> None:
        cache.claim()
        self._cache = cache
        self._known: dict[int, Lesson] = {}
        spawn = multiprocessing.get_context("spawn")
        missing = [seed for seed in seeds if not has_lesson(cache.folder_of(seed))]
        self._workers: list[BaseProcess] = [
            spawn.Process(target=_draw_all, args=(cache, missing[first::num_workers]), daemon=True)
            for first in range(min(num_workers, len(missing)))
        ]

    def __enter__(self) -> "LessonPool":
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.terminate()
            worker.join()

    def lesson(self, seed: int) -> Lesson:
        """The lesson of a seed, as soon as it is there; drawn here if no worker is left that could."""
        if seed not in self._known:
            folder = self._cache.folder_of(seed)
            while not has_lesson(folder) and (alive := [worker for worker in self._workers if worker.is_alive()]):
                alive[0].join(POLL_S)
            if not has_lesson(folder):
                save_lesson(draw_lesson(seed, self._cache.settings), folder)
            self._known[seed] = load_lesson(folder)
        return self._known[seed]


def _draw_all(cache: Cache, seeds: Sequence[int]) -> None:
    """Draw lessons one after the other on one core; a street that cannot be drawn is left to whoever asks for it."""
    torch.set_num_threads(1)
    for seed in seeds:
        with contextlib.suppress(GsSimError):
            save_lesson(draw_lesson(seed, cache.settings), cache.folder_of(seed))
