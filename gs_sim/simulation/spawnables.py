"""What can be spawned: copies of the scene's own actors, and PLY files of one folder.

They are named by URI, `actor:<id>` and `asset:<file>`; nothing else is opened, whatever a message says.
"""

from dataclasses import dataclass
from pathlib import Path

from gs_sim.errors import InputError
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.ply import load_ply
from gs_sim.scene.scene import Scene

ACTOR, ASSET = "actor:", "asset:"


@dataclass(frozen=True)
class Spawnable:
    """One thing that can be spawned."""

    uri: str
    description: str


@dataclass(frozen=True)
class Shape:
    """Gaussians in a box frame (origin in the centre, x forward, z up) and the box around them."""

    label: str
    size_m: tuple[float, float, float]
    gaussians_box: Gaussians


def spawnables_of(scene: Scene, assets: Path | None) -> list[Spawnable]:
    """All that can be spawned, actors first."""
    actors = [
        Spawnable(
            ACTOR + actor.actor_id,
            f"{actor.label} of {actor.size_m[0]:.1f} x {actor.size_m[1]:.1f} x {actor.size_m[2]:.1f} m, of this scene",
        )
        for actor in scene.actors
    ]
    files = sorted(assets.glob("*.ply")) if assets is not None and assets.is_dir() else []
    return actors + [Spawnable(ASSET + file.name, "3D Gaussians of an actor in its box frame") for file in files]


def load_spawnable(uri: str, scene: Scene, assets: Path | None) -> Shape:
    """The shape that a URI names, on the device of the scene.

    Raises:
        InputError: there is no such actor or file.
        StorageError: the file is damaged.
    """
    if uri.startswith(ACTOR):
        actor = scene.actor(uri.removeprefix(ACTOR))
        return Shape(actor.label, actor.size_m, actor.gaussians_box)
    known = {spawnable.uri for spawnable in spawnables_of(scene, assets)}
    if not uri.startswith(ASSET) or assets is None or uri not in known:
        listed = ", ".join(sorted(known)) or "nothing"
        raise InputError(f"'{uri[:120]}' is none of what can be spawned: {listed[:500]}")
    gaussians = load_ply(assets / uri.removeprefix(ASSET)).to(scene.background.means.device)
    if not len(gaussians):
        raise InputError(f"'{uri}' holds no Gaussians")
    length_m, width_m, height_m = (2 * gaussians.means.abs().amax(dim=0)).tolist()
    return Shape(Path(uri.removeprefix(ASSET)).stem, (length_m, width_m, height_m), gaussians)
