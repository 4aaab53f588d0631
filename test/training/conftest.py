"""One small street to learn on."""

import pytest
from small_lesson import SMALL_LESSONS

from gs_sim.training.lesson import Lesson, draw_lesson


@pytest.fixture(scope="session")
def lesson() -> Lesson:
    return draw_lesson(7, SMALL_LESSONS, "cpu")
