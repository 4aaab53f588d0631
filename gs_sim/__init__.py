"""gs_sim: a logged drive becomes a 3D Gaussian scene, and the scene becomes camera images."""

import contextlib

from gs_sim.threads import let_idle_threads_sleep, load_tbb

__version__ = "0.1.0"

let_idle_threads_sleep()
with contextlib.suppress(OSError):  # whoever needs it says so: rendering on the CPU does, `--help` does not
    load_tbb()
