"""When cameras are due."""

import itertools

import pytest

from gs_sim.simulation.schedule import Schedule

START_NS = 1_700_000_000_123_456_789


def due(schedule: Schedule, moments_ms: list[int]) -> list[int]:
    return [ms for ms in moments_ms if schedule.is_due(START_NS + ms * 1_000_000)]


def test_in_steps_a_camera_is_due_exactly_at_its_rate() -> None:
    assert due(Schedule(10.0), list(range(10, 600, 10))) == [10, 110, 210, 310, 410, 510]


def test_a_rate_that_steps_do_not_divide_holds_on_average() -> None:
    found = due(Schedule(30.0), list(range(0, 10_000, 10)))
    assert len(found) == 300
    assert {after - before for before, after in itertools.pairwise(found)} == {30, 40}


def test_poses_that_jitter_at_the_cameras_own_rate_are_all_taken() -> None:
    jittering = [0, 99, 201, 298, 402, 499, 600]
    assert due(Schedule(10.0, is_tolerant=True), jittering) == jittering


def test_poses_slower_than_the_rate_are_all_taken_and_leave_no_debt() -> None:
    schedule = Schedule(20.0)
    assert due(schedule, [0, 200, 400, 600]) == [0, 200, 400, 600]
    assert due(schedule, [610, 620, 650]) == [650]


def test_a_clock_that_goes_back_starts_anew() -> None:
    schedule = Schedule(10.0)
    assert due(schedule, [0, 100, 200]) == [0, 100, 200]
    assert due(schedule, [50, 60, 150]) == [50, 150]


@pytest.mark.parametrize("rate_hz", [0.0])
def test_without_a_rate_a_camera_looks_only_when_asked(rate_hz: float) -> None:
    assert due(Schedule(rate_hz), [0, 100, 200]) == []
