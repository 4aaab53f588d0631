"""The worlds that reconstruction is tested on, each made once."""

import pytest
from tiny_world import TinyWorld, make_tiny_world


@pytest.fixture(scope="session")
def tiny_world() -> TinyWorld:
    return make_tiny_world()
