"""`gs-sim actor`: put an actor into a scene; making one from a picture is announced, not built."""

import argparse
import csv
import math
from pathlib import Path

from gs_sim.cli.terminal import say
from gs_sim.cli.values import refuse_unbuilt
from gs_sim.errors import InputError
from gs_sim.jobs.scene_folder import REPORT, read_report, write_json
from gs_sim.scene.editing import insert_actor
from gs_sim.scene.placement import Place, compose, place_actor, standing_path
from gs_sim.scene.ply import load_ply
from gs_sim.scene.scene import Scene
from gs_sim.scene.storage import load_scene, save_scene

LABEL = "inserted"


def run(arguments: argparse.Namespace) -> int:
    """Insert, or refuse."""
    if arguments.verb == "from-image":
        refuse_unbuilt("making an actor from an image", "take one of another scene: its actors/*.ply files are actors")
    scene = load_scene(arguments.scene)
    x_m, y_m, yaw_deg = arguments.at
    start = (x_m, y_m, math.radians(yaw_deg))
    if arguments.path is None:
        stamps_ns = standing_path(scene)
        places = [start] * len(stamps_ns)
    else:
        steps = read_path(arguments.path)
        stamps_ns = [scene.world_from_rig.start_ns + round(stamp_s * 1e9) for stamp_s, _ in steps]
        places = [compose(start, relative) for _, relative in steps]
    actor_id = _free_id(scene, arguments.actor.stem)
    actor = place_actor(scene, (actor_id, LABEL), load_ply(arguments.actor), stamps_ns, places)
    save_scene(insert_actor(scene, actor), arguments.output)
    report = read_report(arguments.scene)
    if report and arguments.output.resolve() != arguments.scene.resolve():
        write_json(arguments.output / REPORT, report)
    say(f"Actor '{actor_id}' stands in {arguments.output}")
    return 0


def _free_id(scene: Scene, stem: str) -> str:
    taken = {actor.actor_id for actor in scene.actors}
    if stem not in taken:
        return stem
    return next(f"{stem}-{number}" for number in range(2, len(taken) + 3) if f"{stem}-{number}" not in taken)


def read_path(file: Path) -> list[tuple[float, Place]]:
    """Read rows `stamp_s,x,y,yaw_deg`: seconds since the drive began, and the place as seen from --at.

    Raises:
        InputError: a row is no such row, or the stamps do not increase.
    """
    steps: list[tuple[float, Place]] = []
    try:
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the path {file} cannot be read: {error}") from error
    for number, row in enumerate(rows, start=1):
        if not row or row[0].lstrip().startswith(("#", "stamp")):
            continue
        try:
            stamp_s, x_m, y_m, yaw_deg = (float(cell) for cell in row)
        except ValueError:
            raise InputError(f"{file}, line {number}: expected stamp_s,x,y,yaw_deg; got '{','.join(row)}'") from None
        if not all(math.isfinite(value) for value in (stamp_s, x_m, y_m, yaw_deg)):
            raise InputError(f"{file}, line {number}: the numbers must be finite; got '{','.join(row)}'")
        if steps and stamp_s <= steps[-1][0]:
            raise InputError(f"{file}, line {number}: stamps must increase; {stamp_s:g} s follows {steps[-1][0]:g} s")
        steps.append((stamp_s, (x_m, y_m, math.radians(yaw_deg))))
    if not steps:
        raise InputError(f"the path {file} has no rows stamp_s,x,y,yaw_deg")
    return steps
