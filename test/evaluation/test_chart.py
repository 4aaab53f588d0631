"""Charts: round ticks that enclose the data, and lines that stay inside the frame."""

import itertools
import re

import pytest

from gs_sim.evaluation.chart import HEIGHT, WIDTH, Series, line_chart, nice_ticks


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [18.2, 21.7], [3.0, 3.0], [-5.0, 250.0], [1e-3, 2e-3], [19.99, 20.01], [0.0]]
)
def test_ticks_enclose_the_values_evenly_and_are_few(values: list[float]) -> None:
    ticks = nice_ticks(values)
    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    assert 2 <= len(ticks) <= 9
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_lines_stay_inside_the_picture_and_names_are_escaped() -> None:
    lines = [Series("<a>", ((0.0, 1.0), (5.0, 9.0))), Series("b", ((1.0, -3.0), (2.0, 4.0), (3.0, 2.0)))]
    chart = line_chart(lines, "seconds", "dB")
    assert "&lt;a&gt;" in chart
    assert "<a>" not in chart
    for points in re.findall(r'points="([^"]+)"', chart):
        for point in points.split():
            x, y = (float(number) for number in point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_nothing_to_draw_is_no_chart() -> None:
    assert not line_chart([Series("empty", ())], "x", "y")
