"""`gs-sim train`: announced, not built."""

import argparse

from gs_sim.cli.values import refuse_unbuilt


def run(arguments: argparse.Namespace) -> int:
    """Refuse."""
    refuse_unbuilt(
        f"training '{arguments.network}'", "reconstruct without learned weights: gs-sim reconstruct --method optimise"
    )
