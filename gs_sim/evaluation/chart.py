"""Line charts as inline SVG: small enough to write out, and a report needs no plotting package."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 640.0
HEIGHT = 220.0
MARGIN_LEFT = 52.0
MARGIN_RIGHT = 14.0
MARGIN_TOP = 12.0
MARGIN_BOTTOM = 40.0
NUM_COLOURS = 6
"""The style sheet has classes `line-0` to `line-5`."""


@dataclass(frozen=True)
class Series:
    """One named line; points in the order they are joined."""

    name: str
    points: tuple[tuple[float, float], ...]


def line_chart(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Draw lines over common axes; nothing at all if no line has a point."""
    drawn = [line for line in series if line.points]
    if not drawn:
        return ""
    x_ticks = nice_ticks([x for line in drawn for x, _ in line.points])
    y_ticks = nice_ticks([y for line in drawn for _, y in line.points])
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{html.escape(y_label)}">']
    for tick in y_ticks:
        y = _place(tick, y_ticks, HEIGHT - MARGIN_BOTTOM, MARGIN_TOP)
        parts.append(f'<line class="grid" x1="{MARGIN_LEFT}" x2="{WIDTH - MARGIN_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{MARGIN_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        x = _place(tick, x_ticks, MARGIN_LEFT, WIDTH - MARGIN_RIGHT)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN_BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    for number, line in enumerate(drawn):
        parts.append(_polyline(line, x_ticks, y_ticks, number % NUM_COLOURS))
    middle = (MARGIN_LEFT + WIDTH - MARGIN_RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x_label)}</text></svg>')
    return f'<p class="axis">{html.escape(y_label)}{_legend(drawn)}</p>' + "".join(parts)


def nice_ticks(values: Sequence[float], count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) that enclose the values."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda each: abs(each - rough))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _place(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    return start + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (end - start)


def _polyline(line: Series, x_ticks: Sequence[float], y_ticks: Sequence[float], colour: int) -> str:
    placed = [
        (
            _place(x, x_ticks, MARGIN_LEFT, WIDTH - MARGIN_RIGHT),
            _place(y, y_ticks, HEIGHT - MARGIN_BOTTOM, MARGIN_TOP),
        )
        for x, y in line.points
    ]
    if len(placed) == 1:
        return f'<circle class="line-{colour}" cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="3"/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    return f'<polyline class="line-{colour}" points="{points}"/>'


def _legend(drawn: Sequence[Series]) -> str:
    if len(drawn) < 2:
        return ""
    keys = (
        f'<span class="key"><i class="key-{number % NUM_COLOURS}"></i>{html.escape(line.name)}</span>'
        for number, line in enumerate(drawn)
    )
    return "".join(keys)
