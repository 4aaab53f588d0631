"""What blending would cost if nothing but its arithmetic counted: as many pairs, evaluated on registers.

Runs in the same process as the rasterizer it is compared with, since machines and their load differ.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_blend import weigh
from gs_sim.rendering.cpu_lanes import WIDTH, ramp, spread, total
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel

f32 = np.float32
CHAINS = 4
"""Rows of pixels side by side, as the rows of a tile are: one alone would wait for its own transmittance."""


@numba.njit(**INLINE)
def _step(state: Any, dy: float) -> Any:
    t, red, green, blue, depth = state
    dx = ramp() - f32(7.5)
    w, t, _, _, _ = weigh((dx * f32(0.01) + dy * f32(-0.02)) * dy + dx * dx * f32(-0.02) - f32(5), t)
    return t, red + w * f32(0.5), green + w * f32(0.4), blue + w * f32(0.3), depth + w * f32(9)


@numba.njit(**INLINE)
def _evaluate(num_steps: int) -> Any:
    one, none = spread(f32(1)), spread(f32(0))
    a = b = c = d = (one, none, none, none, none)
    for step in range(num_steps):
        dy = f32(step & 7) - f32(3.5)
        a, b, c, d = _step(a, dy), _step(b, dy + f32(1)), _step(c, dy + f32(2)), _step(d, dy + f32(3))
    sums = a[0] + a[1] + a[2] + a[3] + a[4] + b[0] + b[1] + b[2] + b[3] + b[4]
    return total(sums + c[0] + c[1] + c[2] + c[3] + c[4] + d[0] + d[1] + d[2] + d[3] + d[4])


@parallel_kernel
def evaluate_on_registers(num_pairs: int, sums: npt.NDArray[np.float32]) -> None:
    """Evaluate at least `num_pairs` (pixel, Gaussian) pairs, shared between `len(sums)` parts."""
    parts = sums.shape[0]
    steps = num_pairs // (parts * CHAINS * WIDTH) + 1
    for part in numba.prange(parts):
        sums[part] = _evaluate(steps)
