"""`gs-sim bench sensor_sim`: latency, rate and losses of virtual cameras over DDS."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gs_sim.benchmark.simulation_scene import write_simulation_scene
from gs_sim.cli.terminal import say
from gs_sim.errors import MissingFeatureError
from gs_sim.jobs.hardware import choose_device, describe_hardware

CASES = ((100_000, (640, 360), 20.0), (2_000, (1920, 1080), 5.0))
"""Gaussians, image size, poses per second: the camera that must be fast, and the image that must not be lost."""
SEED = 0


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure each case; ROS 2 runs in processes of its own."""
    say(f"sensor_sim on {describe_hardware(choose_device(arguments.device))}, seed {SEED}")
    profile = arguments.dds_profile.resolve() if arguments.dds_profile is not None else None
    say(f"DDS profile: {profile.name if profile else 'none, the default transport'}")
    columns = ("Gaussians", "image", "images/s", "latency ms", "p95", "render ms", "overhead", "lost")
    say("".join(f"{name:>12}" for name in columns))
    rows = []
    for num_gaussians, size_px, rate_hz in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rig = write_simulation_scene(Path(folder) / "scene", num_gaussians, size_px, SEED)
            figures = _in_own_process(Path(folder), rig, rate_hz, profile)
        row = {"num_gaussians": num_gaussians, "width_px": size_px[0], "height_px": size_px[1], **figures}
        rows.append(row)
        say("".join(f"{value:>12}" for value in _cells(row)))
    return {"seed": SEED, "dds_profile": profile.name if profile else "", "cases": rows}


def _in_own_process(folder: Path, rig: Path, rate_hz: float, profile: Path | None) -> dict[str, Any]:
    environment = dict(os.environ)
    if profile is not None:
        environment["FASTDDS_DEFAULT_PROFILES_FILE"] = str(profile)
    output = folder / "figures.json"
    command = [sys.executable, "-m", "gs_sim.nodes.benchmark", str(folder / "scene"), str(rig)]
    command += [str(rate_hz), str(output)]
    finished = subprocess.run(  # noqa: S603  # our own module
        command, env=environment, capture_output=True, text=True, check=False
    )
    if finished.returncode or not output.is_file():
        last = finished.stderr.strip().splitlines()[-1:] or ["no message"]
        raise MissingFeatureError(f"sensor_sim could not be measured ({last[0]}); are rclpy and gs_sim_msgs installed?")
    figures: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return figures


def _cells(row: dict[str, Any]) -> list[str]:
    paced = row["paced"]
    return [
        str(row["num_gaussians"]),
        f"{row['width_px']}x{row['height_px']}",
        str(row["flooded"]["images_per_s"]),
        str(paced["pose_to_image_ms_median"]),
        str(paced["pose_to_image_ms_p95"]),
        str(paced["render_ms_median"]),
        str(paced["node_overhead_ms"]),
        f"{paced['num_lost']}/{paced['num_published']}",
    ]
