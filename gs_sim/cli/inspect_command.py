"""`gs-sim inspect`: what is in a bag, and "ready" or the sentence that says what to fix."""

import argparse
import json

from gs_sim.cli.terminal import say
from gs_sim.config import load_config
from gs_sim.errors import BagError
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.inspect import BagSummary, StreamSummary, inspect_bag, summary_as_dict


def run(arguments: argparse.Namespace) -> int:
    """Print the summary; a bag that is not ready ends like any other refusal."""
    settings = BagSettings()
    if arguments.config is not None:
        # brings all of reconstruction, which takes seconds
        from gs_sim.jobs.reconstruct_bag import ReconstructBagSettings

        settings = load_config(arguments.config, ReconstructBagSettings()).bag
    summary = inspect_bag(arguments.bag, settings)
    if arguments.json:
        say(json.dumps(summary_as_dict(summary), indent=1, allow_nan=False))
    elif summary.size_bytes:
        _print(summary)
    if not summary.is_ready:
        raise BagError(summary.verdict)
    if not arguments.json:
        say("ready")
    return 0


def _print(summary: BagSummary) -> None:
    say(f"{summary.path}: {summary.duration_s:.1f} s, {summary.size_bytes / 1e6:.1f} MB")
    for camera in summary.cameras:
        about = f"{camera.width_px}x{camera.height_px} {camera.encoding}, {camera.lens}"
        say(_row("camera", camera.name, camera.stream, about, is_usable=camera.is_usable))
    for lidar in summary.lidars:
        about = f"fields {' '.join(lidar.fields)}, point time {lidar.point_time}"
        say(_row("lidar", lidar.name, lidar.stream, about, is_usable=lidar.is_usable))
    if summary.pose is not None:
        pose = summary.pose
        say(
            f"  path    {pose.source}: {pose.count} poses of {pose.base_frame} in {pose.fixed_frame} "
            f"at {pose.rate_hz:.1f} Hz, {pose.path_length_m:.1f} m"
        )
    if summary.num_tracks:
        say(f"  tracks  {summary.num_tracks} objects")
    for sentence in summary.warnings:
        say(f"  note    {sentence}")
    for sentence, count in summary.skipped.items():
        say(f"  skipped {count}: {sentence}")
    for sentence in summary.problems:
        say(f"  to fix  {sentence}")


def _row(kind: str, name: str, stream: StreamSummary, about: str, *, is_usable: bool) -> str:
    used = f"{stream.num_used} of {stream.count} used" if is_usable else f"{stream.count}, not usable"
    gap = f", longest gap {stream.longest_gap_s:.2f} s" if stream.longest_gap_s * stream.rate_hz > 2 else ""
    return f"  {kind:<7} {name}: {used}, {stream.rate_hz:.1f} Hz{gap}; {about}"
