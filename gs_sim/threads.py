"""Loads the TBB library that the CPU kernels run on, before anything else can load another one.

The `tbb` wheel puts its library into the environment's own `lib`, where the loader does not
look, and open3d brings an older one that numba refuses. Whichever comes first stays, so the
package loads the right one when it is imported.
"""

import ctypes
import importlib.metadata
import os
from pathlib import Path


def tbb_library() -> Path | None:
    """Where the `tbb` distribution of this environment put its library, if it is installed."""
    try:
        files = importlib.metadata.files("tbb") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name in ("libtbb.so.12", "libtbb.12.dylib", "tbb12.dll"):
            path = Path(os.fspath(file.locate())).resolve()
            return path if path.exists() else None
    return None


def load_tbb() -> None:
    """Load TBB into the process.

    Raises:
        OSError: there is none, or it cannot be loaded.
    """
    # Waiting OpenMP threads (torch's) spin by default, which starves the TBB threads of the kernels.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    ctypes.CDLL(str(tbb_library() or "libtbb.so.12"), mode=ctypes.RTLD_GLOBAL)


def let_idle_threads_sleep() -> None:
    """Ask OpenMP, on which torch runs, not to spin while it waits; works until torch is imported.

    Its threads would take the cores from the CPU kernels, which run on TBB: a training step took twice as long.
    A choice the user made stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
