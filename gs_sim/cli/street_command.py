"""`gs-sim street`: draw a synthetic street and record a drive through it."""

import argparse

from gs_sim.cli.terminal import ProgressDisplay, say
from gs_sim.config import load_config, override
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import draw_street
from gs_sim.sources.street.write_bag import write_street_bag


def run(arguments: argparse.Namespace) -> int:
    """Draw and write."""
    settings = _settings(arguments)
    with ProgressDisplay() as display:
        display.update("draw street", 0, 1)
        street = draw_street(settings)
        write_street_bag(
            street,
            arguments.output,
            lambda done, total: display.update("images and sweeps", done, total),
            overwrite=arguments.overwrite,
        )
    names = ", ".join(mounted.name for mounted in street.rig.cameras)
    say(f"{arguments.output}: {settings.duration_s:g} s with seed {settings.seed}, cameras {names}")
    say(f"Next: gs-sim reconstruct {arguments.output} -o scene")
    return 0


def _settings(arguments: argparse.Namespace) -> StreetSettings:
    """Defaults, then the settings file, then the command line."""
    settings = StreetSettings()
    if arguments.config is not None:
        settings = load_config(arguments.config, settings)
    values: dict[str, object] = {
        "seed": arguments.seed,
        "duration_s": arguments.duration_s,
        "num_actors": arguments.actors,
        "device": arguments.device,
    }
    if arguments.size is not None:
        values["width_px"], values["height_px"] = arguments.size
    chosen = {name: value for name, value in values.items() if value is not None}
    return override(settings, chosen, where="command line")
