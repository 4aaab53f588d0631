"""`report.html`: one file that shows how good a scene is, with pictures, and needs nothing else to open."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gs_sim.evaluation.chart import Series, line_chart
from gs_sim.evaluation.pictures import ERROR_GAIN, FAR_M, NEAR_M, Picture, PictureBook
from gs_sim.evaluation.report_style import STYLE
from gs_sim.evaluation.summary import PROTOCOL, Evaluation, FrameScore, Summary

MAX_FRAME_ROWS = 400
"""More frames than this are summarised by the curve alone, to keep the page quick."""


@dataclass(frozen=True)
class ReportSource:
    """What the report is about besides the evaluation."""

    title: str
    """The scene's name."""
    recording_name: str
    reconstruction: Mapping[str, object]
    """The contents of the scene's report.json; empty where there is none."""
    hardware: str
    """The machine that evaluated, in words."""


def report_page(evaluation: Evaluation, book: PictureBook, source: ReportSource) -> str:
    """Write the whole page."""
    title = html.escape(source.title)
    sections = [
        f"<h1>{title}</h1>",
        f'<p class="lead">{_lead(evaluation, source)}</p>',
        _cards(evaluation.total, source.reconstruction),
        _section("Cameras", _camera_table(evaluation)),
        '<div class="columns">',
        _section("PSNR while reconstructing", _training_chart(source.reconstruction)),
        _section("PSNR along the drive", _drive_chart(evaluation.per_frame)),
        "</div>",
        _section("Pictures", _pictures(book)),
        _section("How it was measured", f'<p class="note">{html.escape(PROTOCOL)}</p>'),
        _section("Details", _details(evaluation, source)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · gs_sim</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{html.escape(heading)}</h2>{body}</section>" if body else ""


def _lead(evaluation: Evaluation, source: ReportSource) -> str:
    k = evaluation.holdout
    which = f"frames held out of reconstruction (index % {k} == {k // 2})" if k else "every frame"
    text = (
        f"{evaluation.total.num_frames} images of {', '.join(evaluation.cameras)} from {source.recording_name}: "
        f"{which}, {evaluation.width_px} px wide."
    )
    method, device = source.reconstruction.get("method"), source.reconstruction.get("device")
    if method is not None and device is not None:
        text += f" Reconstructed by {method} on {device}."
    return html.escape(text)


def _cards(total: Summary, reconstruction: Mapping[str, object]) -> str:
    cards = [
        ("PSNR", _number(total.psnr_db, 2), "dB"),
        ("SSIM", _number(total.ssim, 3), ""),
        ("PSNR of moving actors", _number(total.psnr_actors_db, 2), "dB"),
        ("Depth error against LiDAR", _number(total.depth_mae_m, 2), "m"),
        ("Gaussians", _grouped(reconstruction.get("num_gaussians")), ""),
        ("Reconstructed in", _number(reconstruction.get("seconds"), 0), "s"),
        ("Peak memory", _grouped(reconstruction.get("peak_memory_mb")), "MB"),
    ]
    shown = [
        f'<div class="card"><b>{html.escape(value)} <small>{unit}</small></b><span>{html.escape(name)}</span></div>'
        for name, value, unit in cards
        if value
    ]
    return f'<div class="cards">{"".join(shown)}</div>'


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) else ""


def _grouped(value: object) -> str:
    return f"{round(value):,}".replace(",", "\u202f") if isinstance(value, (int, float)) else ""


def _camera_table(evaluation: Evaluation) -> str:
    head = ("Camera", "Images", "PSNR dB", "SSIM", "Actors dB", "Depth m", "LiDAR points")
    rows = [_summary_row(name, summary) for name, summary in evaluation.per_camera.items()]
    if len(rows) > 1:
        rows.append(_summary_row("all", evaluation.total))
    return _table(head, rows)


def _summary_row(name: str, summary: Summary) -> tuple[str, ...]:
    return (
        name,
        str(summary.num_frames),
        _number(summary.psnr_db, 2),
        _number(summary.ssim, 3),
        _number(summary.psnr_actors_db, 2) or "–",
        _number(summary.depth_mae_m, 2) or "–",
        _grouped(summary.num_depth_points) if summary.num_depth_points else "–",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], css_class: str = "") -> str:
    header = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    top = f"<thead><tr>{header}</tr></thead>" if head else ""
    return f'<div class="scroll"><table class="{css_class}">{top}<tbody>{body}</tbody></table></div>'


def _training_chart(reconstruction: Mapping[str, object]) -> str:
    """PSNR over seconds, from the checkpoints that reconstruction wrote down."""
    checkpoints = reconstruction.get("checkpoints")
    lines: dict[str, list[tuple[float, float]]] = {"training views": [], "held-out views": []}
    for checkpoint in checkpoints if isinstance(checkpoints, list) else []:
        for name, key in (("training views", "psnr_db"), ("held-out views", "psnr_held_out_db")):
            seconds, psnr = checkpoint.get("seconds"), checkpoint.get(key)
            if isinstance(seconds, (int, float)) and isinstance(psnr, (int, float)):
                lines[name].append((float(seconds), float(psnr)))
    series = [Series(name, tuple(points)) for name, points in lines.items()]
    return line_chart(series, "seconds since the refining loop began", "PSNR, dB")


def _drive_chart(scores: Sequence[FrameScore]) -> str:
    start_ns = min(score.stamp_ns for score in scores)
    names = list(dict.fromkeys(score.camera for score in scores))
    series = [
        Series(name, tuple(((s.stamp_ns - start_ns) / 1e9, s.psnr_db) for s in scores if s.camera == name))
        for name in names[:6]
    ]
    return line_chart(series, "seconds of the drive", "PSNR, dB")


def _pictures(book: PictureBook) -> str:
    note = (
        f"Error is the mean absolute difference of the channels, drawn {ERROR_GAIN:g} times brighter. "
        f"Depth runs on a logarithmic scale from {NEAR_M:g} m (red) to {FAR_M:g} m (blue); dark is see-through."
    )
    parts = [f'<p class="note">{note}</p>']
    for name, picture in (("Best frame", book.best), ("Worst frame", book.worst)):
        if picture is not None and book.best is not book.worst:
            parts.append(_figure(picture, name))
    extremes = {id(book.best), id(book.worst)}
    parts.extend(_figure(picture, "") for picture in book.spread if id(picture) not in extremes)
    return "".join(parts)


def _figure(picture: Picture, heading: str) -> str:
    score = picture.score
    name = f"{heading}: {score.camera}" if heading else score.camera
    actors = "" if score.psnr_actors_db is None else f" · actors {score.psnr_actors_db:.2f} dB"
    depth = "" if score.depth_mae_m is None else f" · depth {score.depth_mae_m:.2f} m"
    caption = f"frame {score.index} · {score.psnr_db:.2f} dB · SSIM {score.ssim:.3f}{actors}{depth}"
    panels = (
        ("ground truth", picture.truth),
        ("rendered", picture.image),
        (f"error × {ERROR_GAIN:g}", picture.error),
        ("depth", picture.depth),
    )
    shown = "".join(
        f'<div class="panel"><img alt="{label}" loading="lazy" src="data:image/jpeg;base64,'
        f'{base64.b64encode(data).decode("ascii")}"><span>{label}</span></div>'
        for label, data in panels
    )
    return (
        f"<figure><figcaption><b>{html.escape(name)}</b> · {html.escape(caption)}</figcaption>"
        f'<div class="panels">{shown}</div></figure>'
    )


def _details(evaluation: Evaluation, source: ReportSource) -> str:
    facts = [*_flatten(source.reconstruction), ("evaluated on", source.hardware)]
    parts = [f"<details><summary>Reconstruction and configuration</summary>{_table((), facts, 'facts')}</details>"]
    if len(evaluation.per_frame) <= MAX_FRAME_ROWS:
        head = ("Camera", "Frame", "PSNR dB", "SSIM", "Actors dB", "Depth m")
        rows = [
            (
                score.camera,
                str(score.index),
                _number(score.psnr_db, 2),
                _number(score.ssim, 3),
                _number(score.psnr_actors_db, 2) or "–",
                _number(score.depth_mae_m, 2) or "–",
            )
            for score in evaluation.per_frame
        ]
        parts.append(f"<details><summary>Every frame</summary>{_table(head, rows)}</details>")
    return "".join(parts)


def _flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows of dotted names; long lists (curves, skipped messages) are drawn elsewhere."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows.extend(_flatten(value, f"{prefix}{name}."))
        elif isinstance(value, list) and value and isinstance(value[0], (Mapping, list)):
            continue
        else:
            rows.append((prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
