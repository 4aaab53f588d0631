"""`gs-sim bench`: measure, and print one row per case."""

import argparse
import importlib

from gs_sim.jobs.hardware import choose_device, describe_hardware
from gs_sim.jobs.scene_folder import write_json


def run(arguments: argparse.Namespace) -> int:
    """Run one benchmark; each lives in a module that only this one needs."""
    module = importlib.import_module(f"gs_sim.cli.bench_{arguments.subject}")
    document: dict[str, object] = {"hardware": describe_hardware(choose_device(arguments.device))}
    document |= module.measure(arguments)
    if arguments.json is not None:
        write_json(arguments.json, document)
    return 0
