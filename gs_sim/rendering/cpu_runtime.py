"""How the CPU kernels are compiled, where they are kept, and on which threads they run.

numba's `workqueue` layer aborts the process when two threads render at once and GNU `omp`
aborts after a fork, so `tbb` is chosen on purpose.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from gs_sim.errors import MissingFeatureError
from gs_sim.threads import load_tbb

FAST_MATH = {"contract", "arcp", "nsz", "afn"}
"""No `nnan`/`ninf`: a non-finite Gaussian must still be recognised as such. No `reassoc`: sums keep their order."""

INLINE = {"forceinline": True, "fastmath": FAST_MATH, "error_model": "numpy"}
"""Options of parts of kernels."""


def use_tbb() -> None:
    """Make numba run its parallel kernels on TBB; must come before the first kernel.

    Raises:
        MissingFeatureError: TBB cannot be loaded.
    """
    try:
        load_tbb()
    except OSError as error:
        raise MissingFeatureError(
            f"the CPU rasterizer needs the TBB library, which could not be loaded ({error}): run 'pip install tbb'"
        ) from error
    numba.config.THREADING_LAYER = "tbb"


def cache_folder(package: Path) -> Path:
    """Where compiled kernels are kept: beside the sources, or in the user's cache if that cannot be written.

    Its name is the digest of all sources that hold parts of kernels. numba itself looks at the file of a kernel alone, and would
    go on with what another file has put into it since.
    """
    texts = (path.read_bytes() for path in sorted(package.rglob("*.py")))
    digest = hashlib.sha256(b"".join(text for text in texts if b"@numba." in text or b"@intrinsic" in text))
    name = f"kernels-{digest.hexdigest()[:16]}"
    if os.access(package, os.W_OK):
        return package / "__pycache__" / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gs_sim" / name


CACHE_FOLDER = cache_folder(Path(__file__).resolve().parents[1])


def kernel(function: Callable[..., Any], **options: bool) -> Any:
    """Compile a function for one core, once per machine and version."""
    dispatcher = numba.njit(nogil=True, fastmath=FAST_MATH, error_model="numpy", **options)(function)
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(CACHE_FOLDER)
    dispatcher.enable_caching()
    numba.config.CACHE_DIR = before
    return dispatcher


def parallel_kernel(function: Callable[..., None]) -> Any:
    """Compile a function for all cores.

    Its loop must hold nothing but a call: numba drops what the loop itself writes to arrays that are fields of a
    tuple, and takes tuples of arguments apart one level deep.
    """
    return kernel(function, parallel=True)


use_tbb()
