"""What a splat is: a Gaussian projected into one view, as the kernels share it.

The splats of a view lie in one flat array, `SPLAT_WIDTH` numbers each: one cache line.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_runtime import INLINE

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Keys = npt.NDArray[np.uint32]
Rects = npt.NDArray[np.int16]
Longs = npt.NDArray[np.int64]

f32 = np.float32

CHUNK = 1024
"""Gaussians per unit of work. Chunk k writes its splats from row k * CHUNK on, so that no chunk waits for another."""
TILE = 16
"""Pixels across a tile: one row is one vector of 16 floats."""
TILE_ROWS = 32
"""Pixels down a tile."""
SLACK_PX = f32(1e-2)
"""Extents are widened by this much, so that rounding never loses a pixel at the edge."""
MIN_ALPHA = f32(1 / 255)
LOG2_255 = f32(7.994353436858858)
LOG2_E = f32(1.4426950408889634)

SPLAT_WIDTH = 16
X, Y, KA, KB, KC, LOG2_O, RED, GREEN, BLUE, DEPTH, REACH_X, REACH_Y, SLOPE_X, SLOPE_Y, TALLEST, GAUSSIAN = range(16)
"""Columns: centre; exponent of 2 = KA dx^2 + KB dx dy + KC dy^2 + LOG2_O; colour; z. Of the ellipse alpha >= 1/255:
half extents in pixels; slopes x/y of the middles of its rows and y/x of the middles of its columns; the square of
half its height at the centre's column. The Gaussian's index (as bits)."""


class Splats(NamedTuple):
    """What projection leaves of one view."""

    rows: Floats
    """Flat, `SPLAT_WIDTH` per Gaussian; only the first rows of each chunk are filled."""
    keys: Keys
    """Per row: the bits of z, which sort as z does."""
    rects: Rects
    """Per row, x and y of its first tile, then: if it spans at most 2x2 tiles, a mask of those it touches and -1;
    else x and y one past its last tile."""
    num_tiles: Ints
    """Per row: how many tiles it touches."""
    counts: Ints
    """Filled rows of each chunk."""
    radii: Floats
    """Per Gaussian: half extent in pixels, 0 if not drawn."""


class Bins(NamedTuple):
    """Sorted lists of splats per tile; a pair is one splat in one tile."""

    pairs: Longs
    """Per pair: the row of the splat, and from bit 32 on its slot: where its gradient goes, such that a splat's slots
    are neighbours. One more entry at the end that means nothing."""
    tile_starts: Ints
    """Where the list of each tile starts, and the end."""
    slots: Ints
    """Per row: its first slot."""
    num_x: int
    """Tiles in a row of tiles."""


class Images(NamedTuple):
    """What one view shows, or the gradient of it."""

    colour: Floats
    depth: Floats
    opacity: Floats


@numba.njit(**INLINE)
def row_of(pair: int) -> Any:
    """Row of a pair's splat."""
    return np.int64(pair & 0xFFFFFFFF)


@numba.njit(**INLINE)
def slot_of(pair: int) -> Any:
    """Slot of a pair."""
    return np.int64(pair >> 32)
