"""How the CPU kernels are compiled and on which threads they run.

numba's `workqueue` layer aborts the process when two threads render at once and GNU `omp`
aborts after a fork, so `tbb` is chosen on purpose.
"""

import numba

from gs_sim.errors import MissingFeatureError
from gs_sim.threads import load_tbb

FAST_MATH = {"contract", "arcp", "nsz", "afn"}
"""No `nnan`/`ninf`: a non-finite Gaussian must still be recognised as such. No `reassoc`: sums keep their order."""

INLINE = {"forceinline": True, "fastmath": FAST_MATH, "error_model": "numpy"}
"""Options of parts of kernels."""
SERIAL = {"cache": True, "nogil": True, "fastmath": FAST_MATH, "error_model": "numpy"}
"""Options of kernels on one core."""
PARALLEL = {**SERIAL, "parallel": True}
"""Options of kernels on all cores. Their loop must hold nothing but a call: numba drops what the loop itself writes
to arrays that are fields of a tuple."""


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


use_tbb()
