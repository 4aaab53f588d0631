"""The worlds that reconstruction is tested on, each made once."""

import pytest
from textured_world import make_textured_recording
from tiny_world import TinyWorld, make_tiny_world

from gs_sim.sensing.recording import MemoryRecording


@pytest.fixture(scope="session")
def tiny_world() -> TinyWorld:
    return make_tiny_world()


@pytest.fixture(scope="session")
def textured() -> MemoryRecording:
    """A short drive through the textured street, with LiDAR."""
    return make_textured_recording(12)
