"""Step sizes."""

import itertools

import pytest

from gs_sim.reconstruction.g3r.schedule import step_sizes


@pytest.mark.parametrize("num_steps", [1, 4, 12, 24])
def test_steps_begin_whole_and_shrink_and_never_stand_still(num_steps: int) -> None:
    sizes = step_sizes(num_steps)
    assert len(sizes) == num_steps
    assert sizes[0] == pytest.approx(1.0)
    assert all(before > after > 0 for before, after in itertools.pairwise(sizes))


def test_half_way_a_step_is_half_as_large() -> None:
    assert step_sizes(24)[12] == pytest.approx(0.5, abs=0.01)


def test_a_constant_schedule_never_shrinks() -> None:
    assert step_sizes(5, "constant") == [1.0] * 5


def test_without_a_step_there_is_no_schedule() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        step_sizes(0)
