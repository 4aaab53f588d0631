"""How far each of the T steps may go."""

import math
from typing import Literal

COSINE_OFFSET = 0.008
"""Keeps the first step from being the whole way (Nichol and Dhariwal 2021, eq. 17)."""


def step_sizes(num_steps: int, schedule: Literal["cosine", "constant"] = "cosine") -> list[float]:
    """gamma(t) for t = 0 ... T - 1: a squared cosine from 1 towards 0; the last step is small but no stand-still.

    The paper names a cosine schedule as in DDIM; its amplitude is not published, so it is 1 here. A constant one is there
    to measure what the cosine is worth.

    Raises:
        ValueError: there is no step.
    """
    if num_steps < 1:
        raise ValueError(f"a refinement has at least one step, got {num_steps}")

    if schedule == "constant":
        return [1.0] * num_steps

    def alpha_bar(fraction: float) -> float:
        return math.cos((fraction + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2

    return [alpha_bar(step / num_steps) / alpha_bar(0.0) for step in range(num_steps)]
