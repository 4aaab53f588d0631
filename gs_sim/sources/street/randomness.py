"""Small draws from one generator, so that a seed fixes a whole street on every device."""

from collections.abc import Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """One number, equally likely anywhere between the bounds."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def normal(generator: torch.Generator, mean: float, deviation: float) -> float:
    """One normally distributed number, cut at two and a half deviations so that no draw is absurd."""
    draw = float(torch.randn((), generator=generator, dtype=torch.float64))
    return mean + deviation * max(-2.5, min(2.5, draw))


def whole(generator: torch.Generator, low: int, high: int) -> int:
    """One whole number, both bounds included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def chance(generator: torch.Generator, probability: float) -> bool:
    """True with this probability."""
    return uniform(generator, 0.0, 1.0) < probability


def pick(generator: torch.Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """One of the options, equally likely or by weight."""
    if weights is None:
        return options[whole(generator, 0, len(options) - 1)]
    mark = uniform(generator, 0.0, sum(weights))
    for option, weight in zip(options, weights, strict=True):
        mark -= weight
        if mark <= 0:
            return option
    return options[-1]


def tint(
    generator: torch.Generator, colour: tuple[float, float, float], brightness: float, hue: float
) -> tuple[float, float, float]:
    """The colour, brighter or darker by a common factor and each channel by its own smaller one."""
    common = 1.0 + uniform(generator, -brightness, brightness)
    r, g, b = (min(0.95, max(0.01, c * common * (1.0 + uniform(generator, -hue, hue)))) for c in colour)
    return r, g, b
