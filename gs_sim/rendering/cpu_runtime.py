"""How the CPU kernels are compiled and on which threads they run.

numba's `workqueue` layer aborts the process when two threads render at once and GNU `omp`
aborts after a fork, so `tbb` is chosen on purpose. Its wheel puts the library into the
environment's own `lib`, where the loader does not look; it is loaded by its full path first.
"""

import ctypes
import importlib.metadata
import os
from pathlib import Path

import numba

from gs_sim.errors import MissingFeatureError

FAST_MATH = {"contract", "arcp", "nsz", "afn", "reassoc"}
"""No `nnan`/`ninf`: a non-finite Gaussian must still be recognised as such."""

SERIAL = {"cache": True, "nogil": True, "fastmath": FAST_MATH, "error_model": "numpy"}
PARALLEL = {**SERIAL, "parallel": True}


def _tbb_library() -> Path | None:
    """Where the `tbb` distribution of this environment put its library, if it is installed."""
    try:
        files = importlib.metadata.files("tbb") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name in ("libtbb.so.12", "libtbb.12.dylib", "tbb12.dll"):
            return Path(os.fspath(file.locate())).resolve()
    return None


def use_tbb() -> None:
    """Make numba run its parallel kernels on TBB; must come before the first kernel.

    Raises:
        MissingFeatureError: TBB cannot be loaded.
    """
    library = _tbb_library()
    try:
        ctypes.CDLL(str(library) if library and library.exists() else "libtbb.so.12", mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise MissingFeatureError(
            f"the CPU rasterizer needs the TBB library, which could not be loaded ({error}): run 'pip install tbb'"
        ) from error
    numba.config.THREADING_LAYER = "tbb"


use_tbb()
