"""PSNR over time as an SVG file: time on a logarithmic axis, one line for each method."""

import html
import math
from collections.abc import Sequence

from gs_sim.evaluation.chart import Series, nice_ticks

WIDTH, HEIGHT = 640.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 16.0, 34.0, 48.0
COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7c3aed", "#a16207", "#475569")
STYLE = "font-family:sans-serif;font-size:12px;fill:#334155"


def curve_plot(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Draw lines whose x is positive over a logarithmic axis; the text of a whole SVG file.

    Raises:
        ValueError: there is no point, or an x that is not positive.
    """
    xs = [x for line in series for x, _ in line.points]
    ticks_x = _log_ticks(min(xs), max(xs))
    ticks_y = nice_ticks([y for line in series for _, y in line.points])
    left_log, right_log = math.log10(ticks_x[0]), math.log10(ticks_x[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        share_x = (math.log10(x) - left_log) / (right_log - left_log)
        share_y = (y - ticks_y[0]) / (ticks_y[-1] - ticks_y[0])
        return LEFT + share_x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share_y * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" style="{STYLE}">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for tick in ticks_y:
        x, y = place(ticks_x[0], tick)
        parts.append(f'<line x1="{x:.1f}" x2="{WIDTH - RIGHT:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks_x:
        x, y = place(tick, ticks_y[0])
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{tick:g}</text>')
    for number, line in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        dots = [place(x, y) for x, y in line.points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in dots]
        key_x = LEFT + 170.0 * number
        parts.append(f'<rect x="{key_x:.0f}" y="12" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{key_x + 20:.0f}" y="18">{html.escape(line.name)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 10:g}" text-anchor="middle">{html.escape(x_label)}</text>')
    turn = f"rotate(-90 16 {HEIGHT / 2:g})"
    label = html.escape(y_label)
    parts.append(f'<text x="16" y="{HEIGHT / 2:g}" text-anchor="middle" transform="{turn}">{label}</text></svg>')
    return "\n".join(parts) + "\n"


def _log_ticks(low: float, high: float) -> list[float]:
    """Numbers 1, 2 and 5 times powers of ten that enclose the values."""
    if low <= 0:
        raise ValueError(f"a logarithmic axis has no place for {low}")
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    every = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = max(tick for tick in every if tick <= low)
    last = min(tick for tick in every if tick >= high and tick > first)
    return [tick for tick in every if first <= tick <= last]
