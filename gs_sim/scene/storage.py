"""Scenes as folders: a versioned JSON manifest beside standard 3DGS PLY files. No pickle anywhere.

A save writes a complete new folder next to the old one and swaps the names, so that the folder asked
for always holds one whole scene, whatever interrupts it.
"""

import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gs_sim.errors import GsSimError, StorageError
from gs_sim.scene.actor import Actor
from gs_sim.scene.manifest import Manifest, manifest_of, parse_manifest
from gs_sim.scene.ply import load_ply, save_ply
from gs_sim.scene.scene import Scene

logger = logging.getLogger(__name__)

MANIFEST = "scene.json"
BACKGROUND = "background.ply"
DISTANT = "distant.ply"
ACTORS = "actors"
OWN_ENTRIES = (MANIFEST, BACKGROUND, DISTANT, ACTORS)
"""What a save replaces; whatever else lies in the folder (report.json, pictures) stays."""

MAX_MANIFEST_BYTES = 1 << 30


def save_scene(scene: Scene, folder: Path) -> None:
    """Write a scene, replacing one that is there; foreign files in the folder are kept.

    Raises:
        StorageError: the folder is no scene but not empty, or cannot be written; it is as it was before.
    """
    folder = folder.resolve()
    refuse_foreign_folder(folder)
    files = actor_files(scene)
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        workplace = Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=folder.parent))
    try:
        with storage_errors(folder):
            fresh = workplace / "scene"
            (fresh / ACTORS).mkdir(parents=True)
            save_ply(scene.background, fresh / BACKGROUND)
            save_ply(scene.distant, fresh / DISTANT)
            for actor, file in zip(scene.actors, files, strict=True):
                save_ply(actor.gaussians_box, fresh / file)
            write_text(fresh / MANIFEST, json.dumps(manifest_of(scene, files), indent=1) + "\n")
            swap_in(fresh, folder, workplace / "replaced")
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def load_scene(folder: Path) -> Scene:
    """Read a scene; it equals the saved one to the bit.

    Raises:
        StorageError: there is no scene, it is damaged, or a newer version of gs_sim wrote it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise StorageError(f"{folder} is no scene: it has no {MANIFEST}")
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise StorageError(f"{path} has {path.stat().st_size} bytes, which no scene needs; it is damaged")
        manifest = parse_manifest(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    distant = load_ply(folder / DISTANT)
    if manifest.num_backdrop > len(distant):
        raise StorageError(
            f"{path} names {manifest.num_backdrop} Gaussians of {DISTANT} as its backdrop, which has {len(distant)}"
        )
    return Scene(
        background=load_ply(folder / BACKGROUND),
        distant=distant,
        actors=load_actors(folder, manifest),
        rig=manifest.rig,
        world_from_rig=manifest.world_from_rig,
        map_from_world=manifest.map_from_world,
        num_backdrop=manifest.num_backdrop,
    )


def load_actors(folder: Path, manifest: Manifest) -> tuple[Actor, ...]:
    """Read the actors' Gaussians; their files are looked for in `actors/` only, whatever the manifest says.

    Raises:
        StorageError: a file name is none that this module gives, or a file is damaged.
    """
    actors = []
    for entry in manifest.actors:
        if not re.fullmatch(rf"{ACTORS}/[A-Za-z0-9_-]+\.ply", entry.file):
            raise StorageError(
                f"{folder / MANIFEST}: 'actors/NAME.ply' is expected as an actor's file, found '{entry.file}'"
            )
        gaussians = load_ply(folder / entry.file)
        actors.append(Actor(entry.actor_id, entry.label, entry.size_m, gaussians, entry.world_from_box))
    return tuple(actors)


def actor_files(scene: Scene) -> list[str]:
    """A file for each actor, named after its id as far as that is safe; equal names are numbered.

    Raises:
        StorageError: two actors have the same id.
    """
    taken: set[str] = set()
    files = []
    ids = [actor.actor_id for actor in scene.actors]
    for actor_id in ids:
        if ids.count(actor_id) > 1:
            raise StorageError(f"two actors of the scene have the id '{actor_id}'; give one another id first")
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", actor_id)[:64] or "_"
        name, number = stem, 2
        # some file systems do not tell upper from lower case
        while name.lower() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.lower())
        files.append(f"{ACTORS}/{name}.ply")
    return files


def refuse_foreign_folder(folder: Path) -> None:
    """Protect what is no scene from being overwritten.

    Raises:
        StorageError: the target is a file, or a folder with content that save_scene did not make.
    """
    if folder.is_dir():
        names = {entry.name for entry in folder.iterdir()}
        clashing = names & set(OWN_ENTRIES)
        if clashing and MANIFEST not in names:
            raise StorageError(f"{folder} is no scene but holds '{min(clashing)}'; choose another folder")
    elif folder.exists():
        raise StorageError(f"{folder} is a file; a scene is a folder, choose another name")


def swap_in(fresh: Path, folder: Path, replaced: Path) -> None:
    """Give the fresh folder its name; files of the old one that are no part of a scene move over."""
    if not folder.exists():
        fresh.rename(folder)
        return
    foreign = [entry for entry in folder.iterdir() if entry.name not in OWN_ENTRIES]
    for entry in foreign:
        link_or_copy(entry, fresh / entry.name)
    folder.rename(replaced)
    try:
        fresh.rename(folder)
    finally:
        if not folder.exists():
            replaced.rename(folder)


def link_or_copy(source: Path, target: Path) -> None:
    """Have a file or folder in both places; hard links where the file system has them."""

    def link(from_path: str, to_path: str) -> str:
        try:
            os.link(from_path, to_path, follow_symlinks=False)
        except OSError:
            shutil.copy2(from_path, to_path, follow_symlinks=False)
        return to_path

    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=link)
    else:
        link(str(source), str(target))


def write_text(path: Path, text: str) -> None:
    """Write a file and wait until the disk has it."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says about a failed write into a sentence."""
    try:
        yield
    except StorageError as error:
        raise StorageError(f"the scene {folder} was not saved and is as before: {error}") from error
    except GsSimError:
        raise
    except OSError as error:
        raise StorageError(
            f"the scene {folder} was not saved and is as before: {error.strerror or error}; "
            "check the free space and the permissions of its parent folder"
        ) from error
