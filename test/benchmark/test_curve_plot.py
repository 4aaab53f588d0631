"""PSNR over time as a picture."""

import xml.etree.ElementTree as ET

import pytest

from gs_sim.benchmark.curve_plot import curve_plot
from gs_sim.evaluation.chart import Series

SVG = "{http://www.w3.org/2000/svg}"


def test_points_lie_where_they_belong_on_a_logarithmic_axis() -> None:
    lines = [Series("a & b", ((1.0, 20.0), (10.0, 22.0), (100.0, 24.0))), Series("c", ((2.0, 21.0),))]
    root = ET.fromstring(curve_plot(lines, "seconds", "dB"))
    dots = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.iter(f"{SVG}circle")]
    assert len(dots) == 4
    assert dots[1][0] - dots[0][0] == pytest.approx(dots[2][0] - dots[1][0], abs=0.2), "equal ratios, equal distances"
    assert dots[0][1] > dots[1][1] > dots[2][1], "more is higher up"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a & b", "c", "seconds", "dB", "1", "10", "100"} <= set(texts)


def test_a_time_of_zero_has_no_place() -> None:
    with pytest.raises(ValueError, match="no place for 0"):
        curve_plot([Series("a", ((0.0, 1.0),))], "s", "dB")
