"""A tiny world for simulations: a textured wall, a car that passes before it, a vehicle that drives towards it."""

import pytest
from tiny_world import TinyWorld, make_tiny_world


@pytest.fixture(scope="session")
def tiny_world() -> TinyWorld:
    return make_tiny_world()
