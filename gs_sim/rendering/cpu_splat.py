"""What a splat is: a Gaussian projected into one view, as the kernels share it.

The splats of a view lie in one flat array, `SPLAT_WIDTH` numbers each: one cache line.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_runtime import INLINE

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Rects = npt.NDArray[np.int16]

f32 = np.float32

CHUNK = 1024
"""Gaussians per unit of work. Chunk k writes its splats from row k * CHUNK on, so that no chunk waits for another."""
TILE = 16
"""Pixels along each side of a tile; one row is one vector of 16 floats."""
SLACK_PX = f32(1e-2)
"""Extents are widened by this much, so that rounding never loses a pixel at the edge."""
MIN_ALPHA = f32(1 / 255)
LOG2_255 = f32(7.994353436858858)
LOG2_E = f32(1.4426950408889634)

SPLAT_WIDTH = 16
X, Y, KA, KB, KC, LOG2_O, RED, GREEN, BLUE, DEPTH, REACH_X, REACH_Y, TILT, SLOPE, GAUSSIAN = range(15)
"""Columns: centre; exponent of 2 = KA dx^2 + KB dx dy + KC dy^2 + LOG2_O; colour; z; half extents in pixels;
y at which the ellipse reaches its right end; the x/y slope of its middle line; the Gaussian's index (as bits)."""


class Splats(NamedTuple):
    """What projection leaves of one view."""

    rows: Floats
    """Flat, `SPLAT_WIDTH` per Gaussian; only the first rows of each chunk are filled."""
    rects: Rects
    """Per row: first tile in x and y, one past the last in x and y."""
    counts: Ints
    """Filled rows of each chunk."""
    radii: Floats
    """Per Gaussian: half extent in pixels, 0 if not drawn."""


class Bins(NamedTuple):
    """Sorted lists of splats per tile; a pair is one splat in one tile."""

    pairs: Ints
    """Per pair: row of the splat, and slot: where its gradient goes, such that a splat's slots are neighbours."""
    tile_starts: Ints
    """Where the list of each tile starts, and the end."""
    slots: Ints
    """Per row: its first slot."""
    per_splat: Ints
    """Per row: how many slots it has."""
    num_x: int
    """Tiles in a row of tiles."""


class Images(NamedTuple):
    """What one view shows, or the gradient of it."""

    colour: Floats
    depth: Floats
    opacity: Floats


@numba.njit(**INLINE)
def tile_span(low: float, high: float, num: int) -> tuple[int, int]:
    """First tile and one past the last whose pixel centres may lie within [low, high]."""
    first = math.ceil(max(low - SLACK_PX, f32(-1)) - f32(0.5))
    last = math.floor(min(high + SLACK_PX, f32(num * TILE + 1)) - f32(0.5))
    return max(first, 0) >> 4, min((last + TILE) >> 4, num)
