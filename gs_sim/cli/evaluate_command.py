"""`gs-sim evaluate`: a scene against the frames of a bag, as numbers and as a page with pictures."""

import argparse

from gs_sim.cli.terminal import ProgressDisplay, say, warn
from gs_sim.evaluation.evaluate import EvaluationSettings, FrameComparison, evaluate
from gs_sim.evaluation.pictures import PictureBook
from gs_sim.evaluation.report import ReportSource, report_page
from gs_sim.evaluation.summary import Evaluation, Summary, evaluation_document
from gs_sim.evaluation.video import write_atomically
from gs_sim.jobs.hardware import choose_device, describe_hardware
from gs_sim.jobs.recordings import open_recording_of
from gs_sim.jobs.scene_folder import open_scene, write_json


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and write the report."""
    device = choose_device(arguments.device)
    folder = open_scene(arguments.scene, device)
    settings = EvaluationSettings(
        cameras=arguments.cameras or folder.cameras,
        holdout=arguments.holdout or 0,
        width_px=arguments.width or folder.width_px,
    )
    book = PictureBook()
    with ProgressDisplay() as display, open_recording_of(folder, arguments.bag, _note) as recording:

        def on_frame(comparison: FrameComparison, done: int, total: int) -> None:
            book.add(comparison)
            display.update("evaluate", done, total, f"PSNR {comparison.score.psnr_db:.2f} dB")

        evaluation = evaluate(folder.scene, recording, settings, on_frame)
        skipped = dict(recording.skipped)
    source = ReportSource(
        title=arguments.scene.resolve().name,
        recording_name=arguments.bag.name,
        reconstruction=folder.report,
        hardware=describe_hardware(device),
    )
    report = arguments.report or arguments.scene / "report.html"
    write_atomically(report, report_page(evaluation, book, source).encode())
    if arguments.json is not None:
        write_json(arguments.json, evaluation_document(evaluation))
    _print(evaluation)
    for sentence, count in skipped.items():
        warn(f"{count} skipped: {sentence}")
    say(f"The report is {report}")
    return 0


def _note(sentence: str) -> None:
    warn(f"note: {sentence}")


def _print(evaluation: Evaluation) -> None:
    k = evaluation.holdout
    which = f"held-out frames (index % {k} == {k // 2})" if k else "every frame"
    say(f"{which}, {evaluation.width_px} px wide")
    say(f"{'camera':<20}{'images':>8}{'PSNR dB':>10}{'SSIM':>8}{'actors dB':>11}{'depth m':>9}")
    for name, summary in evaluation.per_camera.items():
        say(_row(name, summary))
    if len(evaluation.per_camera) > 1:
        say(_row("all", evaluation.total))
    if evaluation.num_frames_outside_path:
        warn(f"{evaluation.num_frames_outside_path} frames lie outside the scene's path and were not judged")


def _row(name: str, summary: Summary) -> str:
    actors = "–" if summary.psnr_actors_db is None else f"{summary.psnr_actors_db:.2f}"
    depth = "–" if summary.depth_mae_m is None else f"{summary.depth_mae_m:.3f}"
    return f"{name:<20}{summary.num_frames:>8}{summary.psnr_db:>10.2f}{summary.ssim:>8.3f}{actors:>11}{depth:>9}"
