"""Gradient of the projection: sums the pairs of each splat, then walks `cpu_project` backwards, 16 splats at a time.

Pose gradients are summed per chunk and the chunks in order, so that the result does not depend on the threads.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from gs_sim.rendering.cpu_blend_backward import PAIR_WIDTH
from gs_sim.rendering.cpu_lanes import WIDTH, total
from gs_sim.rendering.cpu_lanes_memory import load
from gs_sim.rendering.cpu_project import BLOCK, OUT_BASIS, Cloud, stage
from gs_sim.rendering.cpu_project_chain import (
    IN_CONIC,
    IN_SUM,
    IN_WEIGHT,
    NUM_POSE,
    OUT_GRADIENT,
    SCRATCH_ROWS,
    gradient_lanes,
)
from gs_sim.rendering.cpu_runtime import INLINE, parallel_kernel
from gs_sim.rendering.cpu_splat import (
    CHUNK,
    GAUSSIAN,
    KA,
    RED,
    SPLAT_WIDTH,
    Floats,
    Ints,
)


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
def _stage_row(cloud: Cloud, drawn: Drawn, pair_grads: Floats, scratch: Floats, place: tuple[int, int]) -> Any:
    """Put the splat of a row, and the sums over its pairs, at place j of the block; the Gaussian's index."""
    row, j = place
    rows, at = drawn.rows, row * SPLAT_WIDTH
    i = np.int64(rows.view(np.int32)[at + GAUSSIAN])
    stage(cloud, i, scratch, j)
    for c in range(4):
        scratch[(IN_CONIC + c) * BLOCK + j] = rows[at + KA + c]
    for c in range(PAIR_WIDTH):
        scratch[(IN_SUM + c) * BLOCK + j] = 0
    first = np.int64(drawn.slots[row])
    for slot in range(first, first + drawn.num_tiles[row]):
        for c in range(PAIR_WIDTH):
            scratch[(IN_SUM + c) * BLOCK + j] += pair_grads[slot, c]
    for c in range(3):
        if rows[at + RED + c] <= 0:
            scratch[(IN_SUM + 6 + c) * BLOCK + j] = 0
    red, green, blue = (IN_SUM + 6) * BLOCK + j, (IN_SUM + 7) * BLOCK + j, (IN_SUM + 8) * BLOCK + j
    k = cloud.sh.shape[0] // cloud.opacity_logits.shape[0] // 3
    for b in range(1, k):
        at = 3 * (i * k + b)
        weight = cloud.sh[at] * scratch[red] + cloud.sh[at + 1] * scratch[green] + cloud.sh[at + 2] * scratch[blue]
        scratch[(IN_WEIGHT + b) * BLOCK + j] = weight
    return i


@numba.njit(**INLINE)
def _scatter(scratch: Floats, i: int, j: int, k: int, gradients: CloudGradients) -> None:
    """Add the gradients at place j of the block to those of Gaussian i."""
    for c in range(3):
        gradients.means[3 * i + c] += scratch[(OUT_GRADIENT + c) * BLOCK + j]
        gradients.log_scales[3 * i + c] += scratch[(OUT_GRADIENT + 3 + c) * BLOCK + j]
    for c in range(4):
        gradients.quaternions[4 * i + c] += scratch[(OUT_GRADIENT + 6 + c) * BLOCK + j]
    gradients.opacity_logits[i] += scratch[(OUT_GRADIENT + 10) * BLOCK + j]
    if gradients.offsets.shape[0] > 0:
        gradients.offsets[2 * i] = scratch[(OUT_GRADIENT + 11) * BLOCK + j]
        gradients.offsets[2 * i + 1] = scratch[(OUT_GRADIENT + 12) * BLOCK + j]
    red, green, blue = (IN_SUM + 6) * BLOCK + j, (IN_SUM + 7) * BLOCK + j, (IN_SUM + 8) * BLOCK + j
    for b in range(k):
        basis, at = scratch[(OUT_BASIS + b) * BLOCK + j], 3 * (i * k + b)
        gradients.sh[at] += basis * scratch[red]
        gradients.sh[at + 1] += basis * scratch[green]
        gradients.sh[at + 2] += basis * scratch[blue]


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
    scratch, pose = np.zeros(SCRATCH_ROWS * BLOCK, np.float32), np.zeros(NUM_POSE * WIDTH, np.float32)
    indices = np.empty(BLOCK, np.int64)
    end = chunk * CHUNK + drawn.counts[chunk]
    for first in range(chunk * CHUNK, end, BLOCK):
        num = min(BLOCK, end - first)
        padded = (num + WIDTH - 1) // WIDTH * WIDTH
        for j in range(padded):
            # The last lanes repeat the last splat without any gradient
            indices[j] = _stage_row(cloud, drawn, pair_grads, scratch, (min(first + j, end - 1), j))
            if j >= num:
                for c in range(PAIR_WIDTH):
                    scratch[(IN_SUM + c) * BLOCK + j] = 0
                for b in range(k):
                    scratch[(IN_WEIGHT + b) * BLOCK + j] = 0
        for j in range(0, padded, WIDTH):
            gradient_lanes(scratch, j, drawn.camera, pose, k)
        for j in range(num):
            _scatter(scratch, indices[j], j, k, gradients)
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
