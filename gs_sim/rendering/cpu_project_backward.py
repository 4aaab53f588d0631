"""Gradient of the projection: sums the pairs of each splat, then walks `cpu_project` backwards, 16 splats at a time.

Pose gradients are summed per chunk and the chunks in order, so that the result does not depend on the threads.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_blend_backward import PAIR_WIDTH
from gs_sim.rendering.cpu_lanes import WIDTH, spread, total
from gs_sim.rendering.cpu_lanes_memory import aligned_zeros, load, put, store, take
from gs_sim.rendering.cpu_lanes_shuffle import turn
from gs_sim.rendering.cpu_project_chain import (
    IN_SPLAT,
    IN_SUM,
    IN_WEIGHT,
    NUM_POSE,
    OUT_BASIS,
    OUT_GRADIENT,
    SCRATCH_ROWS,
    clamp_colours,
    gradient_lanes,
)
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel
from gs_sim.rendering.cpu_splat import (
    CHUNK,
    GAUSSIAN,
    SPLAT_WIDTH,
    Floats,
    Ints,
)
from gs_sim.rendering.cpu_view import BLOCK, Cloud, stage

f32 = np.float32
LINES = SCRATCH_ROWS * BLOCK
"""Where in the scratch array the sums of 16 splats are put, before they are turned."""


class Drawn(NamedTuple):
    """What the forward pass of one view leaves for its gradient."""

    camera: Floats
    rows: Floats
    counts: Ints
    slots: Ints
    num_tiles: Ints
    """Of a `View`, its `Splats` and its `Bins`; in one level, since numba's parallel loops take tuples apart only once."""


class CloudGradients(NamedTuple):
    """Gradients of a `Cloud`, added to."""

    means: Floats
    log_scales: Floats
    quaternions: Floats
    opacity_logits: Floats
    sh: Floats
    offsets: Floats
    pose: npt.NDArray[np.float64]
    """[chunks, 15]: R, t, centre."""


@numba.njit(**INLINE)
def _stage_lanes(cloud: Cloud, drawn: Drawn, pair_grads: Floats, scratch: Floats, place: tuple[int, int, int]) -> None:
    """Put the Gaussians of `num` rows, their splats and the sums over their pairs at the places from j on.

    What is left of the 16 places repeats the last Gaussian without any gradient.
    """
    first, j, num = place
    for lane in range(WIDTH):
        row = first + min(lane, num - 1)
        stage(cloud, np.int64(take(drawn.rows.view(np.int32), row * SPLAT_WIDTH + GAUSSIAN)), scratch, j + lane)
        sums = spread(f32(0))
        if lane < num:
            slot = np.int64(take(drawn.slots, row))
            for pair in range(slot, slot + take(drawn.num_tiles, row)):
                sums += load(pair_grads, pair * PAIR_WIDTH)
        store(scratch, LINES + lane * PAIR_WIDTH, sums)
    turn(scratch, (LINES, PAIR_WIDTH), scratch, (IN_SUM * BLOCK + j, BLOCK))
    turn(drawn.rows, (first * SPLAT_WIDTH, SPLAT_WIDTH), scratch, (IN_SPLAT * BLOCK + j, BLOCK))
    for lane in range(num, WIDTH):
        for column in range(SPLAT_WIDTH):
            at = (IN_SPLAT + column) * BLOCK + j
            put(scratch, at + lane, take(scratch, at + num - 1))
    clamp_colours(scratch, j)


@numba.njit(**INLINE)
def _weigh_harmonics(cloud: Cloud, i: int, scratch: Floats, j: int, k: int) -> None:
    """What the colour's gradient makes of each harmonic of Gaussian i."""
    at = (IN_SUM + 6) * BLOCK + j
    red, green, blue = take(scratch, at), take(scratch, at + BLOCK), take(scratch, at + 2 * BLOCK)
    for b in range(1, k):
        at = 3 * (i * k + b)
        weight = take(cloud.sh, at) * red + take(cloud.sh, at + 1) * green + take(cloud.sh, at + 2) * blue
        put(scratch, (IN_WEIGHT + b) * BLOCK + j, weight)


@numba.njit(**INLINE)
def _add(array: Floats, i: int, value: float) -> None:
    put(array, i, take(array, i) + value)


@numba.njit(**INLINE)
def _scatter(scratch: Floats, i: int, j: int, k: int, gradients: CloudGradients) -> None:
    """Add the gradients at place j of the block to those of Gaussian i."""
    out = OUT_GRADIENT * BLOCK + j
    for c in range(3):
        _add(gradients.means, 3 * i + c, take(scratch, out + c * BLOCK))
        _add(gradients.log_scales, 3 * i + c, take(scratch, out + (3 + c) * BLOCK))
    for c in range(4):
        _add(gradients.quaternions, 4 * i + c, take(scratch, out + (6 + c) * BLOCK))
    _add(gradients.opacity_logits, i, take(scratch, out + 10 * BLOCK))
    if gradients.offsets.shape[0] > 0:
        put(gradients.offsets, 2 * i, take(scratch, out + 11 * BLOCK))
        put(gradients.offsets, 2 * i + 1, take(scratch, out + 12 * BLOCK))
    at = (IN_SUM + 6) * BLOCK + j
    red, green, blue = take(scratch, at), take(scratch, at + BLOCK), take(scratch, at + 2 * BLOCK)
    for b in range(k):
        basis, at = take(scratch, (OUT_BASIS + b) * BLOCK + j), 3 * (i * k + b)
        _add(gradients.sh, at, basis * red)
        _add(gradients.sh, at + 1, basis * green)
        _add(gradients.sh, at + 2, basis * blue)


@numba.njit(**INLINE)
def _clear(gradients: CloudGradients, chunk: int, sh_width: int, is_first: bool) -> None:
    """Set the gradients of a chunk to zero, where it is about to write them anyway."""
    begin, end = chunk * CHUNK, min((chunk + 1) * CHUNK, gradients.opacity_logits.shape[0])
    if is_first:
        gradients.means[3 * begin : 3 * end] = 0
        gradients.log_scales[3 * begin : 3 * end] = 0
        gradients.quaternions[4 * begin : 4 * end] = 0
        gradients.opacity_logits[begin:end] = 0
        gradients.sh[sh_width * begin : sh_width * end] = 0
    if gradients.offsets.shape[0] > 0:
        gradients.offsets[2 * begin : 2 * end] = 0


@numba.njit(**INLINE)
def _chunk_backward(cloud: Cloud, drawn: Drawn, pair_grads: Floats, gradients: CloudGradients, chunk: int) -> None:
    k = cloud.sh.shape[0] // cloud.opacity_logits.shape[0] // 3
    scratch, pose = aligned_zeros(LINES + WIDTH * PAIR_WIDTH), np.zeros(NUM_POSE * WIDTH, np.float32)
    indices = drawn.rows.view(np.int32)
    end = chunk * CHUNK + drawn.counts[chunk]
    for first in range(chunk * CHUNK, end, BLOCK):
        num = min(BLOCK, end - first)
        for j in range(0, num, WIDTH):
            _stage_lanes(cloud, drawn, pair_grads, scratch, (first + j, j, min(WIDTH, num - j)))
        if k > 1:
            for j in range((num + WIDTH - 1) // WIDTH * WIDTH):
                i = take(indices, (first + min(j, num - 1)) * SPLAT_WIDTH + GAUSSIAN)
                _weigh_harmonics(cloud, np.int64(i), scratch, j, k)
        for j in range(0, num, WIDTH):
            gradient_lanes(scratch, j, drawn.camera, pose, k)
        for j in range(num):
            i = np.int64(take(indices, (first + j) * SPLAT_WIDTH + GAUSSIAN))
            _scatter(scratch, i, j, k, gradients)
    for c in range(NUM_POSE):
        gradients.pose[chunk, c] = total(load(pose, c * WIDTH))


@parallel_kernel
def project_backward(cloud: Cloud, drawn: Drawn, pair_grads: Floats, gradients: CloudGradients, is_first: bool) -> None:
    """Write the gradients of all Gaussians, if this is the first view, or add to them.

    Those of the pose and of the screen offsets are this view's own.
    """
    for chunk in numba.prange(drawn.counts.shape[0]):
        _clear(gradients, chunk, cloud.sh.shape[0] // cloud.opacity_logits.shape[0], is_first)
        _chunk_backward(cloud, drawn, pair_grads, gradients, chunk)
