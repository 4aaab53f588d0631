"""Many independent pieces of one picture at once: one worker per core, each with single-threaded tensor operations.

Pieces of some ten thousand rays stay in a core's cache; splitting every tensor operation over
the cores instead would wait at thousands of barriers per image.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier
from typing import TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")


def map_pieces(function: Callable[[A], B], pieces: Iterable[A], device: str) -> list[B]:
    """Apply a function to all pieces, in order of the pieces; a GPU takes them one after another."""
    if device != "cpu" or torch.get_num_threads() == 1:
        return [function(piece) for piece in pieces]
    return list(_pool(torch.get_num_threads()).map(function, pieces))


@lru_cache(maxsize=2)
def _pool(num_workers: int) -> ThreadPoolExecutor:
    """Workers whose own thread count is one; the caller's is put back, since torch also keeps a global default."""
    ready = Barrier(num_workers)

    def start() -> None:
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="street")
    list(pool.map(lambda _: start(), range(num_workers)))
    torch.set_num_threads(num_workers)
    return pool
