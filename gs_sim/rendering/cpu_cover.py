"""Which tiles a splat touches: those where its ellipse alpha >= 1/255 holds a pixel centre.

Splats of at most 2x2 tiles, nearly all, are done 16 at a time while they are projected. For larger ones the span of
each row of tiles is computed where it is needed.
"""

import math
from typing import Any

import numba
import numpy as np

from gs_sim.rendering.cpu_lanes import ceil, floor, larger, root, smaller, spread, where
from gs_sim.rendering.cpu_runtime import INLINE
from gs_sim.rendering.cpu_splat import (
    KA,
    LOG2_255,
    LOG2_O,
    REACH_X,
    REACH_Y,
    SLACK_PX,
    SLOPE_X,
    SLOPE_Y,
    TILE,
    TILE_ROWS,
    Floats,
    X,
    Y,
)

f32 = np.float32
ONE, HALF, ZERO = f32(1), f32(0.5), f32(0)
PER_TILE, PER_BAND = f32(1 / TILE), f32(1 / TILE_ROWS)


@numba.njit(**INLINE)
def span_lanes(low: Any, high: Any, num: float, per_tile: float) -> Any:
    """First tile and one past the last whose pixel centres may lie within [low, high]."""
    first = floor(larger(ceil(low - (SLACK_PX + HALF)), ZERO) * per_tile)
    last = floor(floor(high + (SLACK_PX - HALF)) * per_tile) + ONE
    return first, smaller(last, num)


@numba.njit(**INLINE)
def _band_lanes(ellipse: Any, band: Any, num_x: float) -> Any:
    """As `band_span`, for 16 ellipses and a row of tiles each."""
    x, y, widest, shrink, tilt, slope = ellipse
    top = band * f32(TILE_ROWS) + HALF - y
    bottom = top + f32(TILE_ROWS - 1)
    right_y = smaller(larger(tilt, top), bottom)
    left_y = smaller(larger(ZERO - tilt, top), bottom)
    right = slope * right_y + root(larger(widest - shrink * right_y * right_y, ZERO))
    left = slope * left_y - root(larger(widest - shrink * left_y * left_y, ZERO))
    return span_lanes(x + left, x + right, num_x, PER_TILE)


@numba.njit(**INLINE)
def cover_lanes(ellipse: Any, reach_x: Any, reach_y: Any, num_x: float, num_y: float) -> Any:
    """Rect and number of tiles of 16 splats as `Splats` has them, but 0 tiles for those of more than 2x2."""
    x0, x1 = span_lanes(ellipse[0] - reach_x, ellipse[0] + reach_x, num_x, PER_TILE)
    y0, y1 = span_lanes(ellipse[1] - reach_y, ellipse[1] + reach_y, num_y, PER_BAND)
    is_small = (x1 - x0 <= f32(2)) & (y1 - y0 <= f32(2))
    mask = count = spread(ZERO)
    for dy in range(2):
        first, last = _band_lanes(ellipse, y0 + f32(dy), num_x)
        for dx in range(2):
            tile_x = x0 + f32(dx)
            is_touched = (y0 + f32(dy) < y1) & (tile_x < x1) & (tile_x >= first) & (tile_x < last)
            mask += where(is_touched, f32(1 << (2 * dy + dx)), ZERO)
            count += where(is_touched, ONE, ZERO)
    return x0, y0, where(is_small, mask, x1), where(is_small, f32(-1), y1), where(is_small, count, ZERO)


@numba.njit(**INLINE)
def band_span(splats: Floats, at: int, band: int, num_x: int) -> tuple[int, int]:
    """First tile and one past the last, in one row of tiles, that a splat touches."""
    top = f32(band * TILE_ROWS) + HALF - splats[at + Y]
    bottom = top + f32(TILE_ROWS - 1)
    widest = (splats[at + LOG2_O] + LOG2_255) / -splats[at + KA]
    shrink = widest / (splats[at + REACH_Y] * splats[at + REACH_Y])
    tilt = splats[at + REACH_X] * splats[at + SLOPE_Y]
    right_y, left_y = min(max(tilt, top), bottom), min(max(-tilt, top), bottom)
    right = splats[at + SLOPE_X] * right_y + math.sqrt(max(widest - shrink * right_y * right_y, ZERO))
    left = splats[at + SLOPE_X] * left_y - math.sqrt(max(widest - shrink * left_y * left_y, ZERO))
    first = math.ceil(max(splats[at + X] + left - SLACK_PX, -ONE) - HALF)
    last = math.floor(min(splats[at + X] + right + SLACK_PX, f32(num_x * TILE + 1)) - HALF)
    return max(first, 0) >> 4, min((last + TILE) >> 4, num_x)
