"""How the learning rate runs: up over the first updates, then down along a cosine."""

import math

WARM_UP = 60
LAST_SHARE = 0.02


def learning_rate_at(done: float, updates: int) -> float:
    """Share of the full rate after a share of the training and so many updates of the weights."""
    falling = LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, done))))
    return falling * min(1.0, updates / WARM_UP)
