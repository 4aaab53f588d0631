"""Scenes as folders: exact round trip, replacing, and every way a folder can be bad."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gs_sim.errors import StorageError
from gs_sim.scene.editing import remove_actor
from gs_sim.scene.scene import Scene
from gs_sim.scene.storage import load_scene, save_scene


def assert_identical(left: Any, right: Any, where: str = "scene") -> None:  # Any: walks whatever a scene holds
    assert type(left) is type(right), where
    if isinstance(left, Tensor):
        assert left.dtype == right.dtype, where
        assert torch.equal(left, right), where
    elif is_dataclass(left):
        for field in fields(left):
            assert_identical(getattr(left, field.name), getattr(right, field.name), f"{where}.{field.name}")
    elif isinstance(left, tuple):
        assert len(left) == len(right), where
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_identical(one, other, f"{where}[{index}]")
    else:
        assert left == right, where


def entries(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_scene_comes_back_identical(scene: Scene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "new" / "scene")
    assert_identical(load_scene(tmp_path / "new" / "scene"), scene)
    names = ["actors", "actors/8.ply", "actors/van-9.ply", "background.ply", "distant.ply", "scene.json"]
    assert entries(tmp_path / "new" / "scene") == names
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["scene"], "no temporary folder is left"


def test_a_saved_scene_is_readable_as_other_new_folders_are(scene: Scene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "scene")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "scene").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_saving_again_replaces_the_scene_and_keeps_foreign_files(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    save_scene(scene, folder)
    (folder / "report.json").write_text("{}")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"png")
    smaller = remove_actor(scene, "8")
    save_scene(smaller, folder)
    assert_identical(load_scene(folder), smaller)
    assert (folder / "report.json").read_text() == "{}"
    assert (folder / "pictures" / "a.png").read_bytes() == b"png"
    assert not (folder / "actors" / "8.ply").exists(), "nothing of the old scene is left"
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def test_saving_through_a_link_writes_to_its_target(scene: Scene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    save_scene(remove_actor(scene, "8"), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(load_scene(tmp_path / "real").actors) == 1


def test_an_actor_id_never_becomes_a_path(scene: Scene, tmp_path: Path) -> None:
    ids = ["../../escape", "/etc/passwd", "a b", "a_b", "A_B", "", "日本", "x" * 300, ".", "\ud800"]
    actors = tuple(replace(scene.actors[0], actor_id=actor_id) for actor_id in ids)
    save_scene(replace(scene, actors=actors), tmp_path / "scene")
    assert [actor.actor_id for actor in load_scene(tmp_path / "scene").actors] == ids
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]
    assert len(list((tmp_path / "scene" / "actors").iterdir())) == len(ids)


def test_two_actors_of_one_id_are_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="two actors of the scene have the id '8'"):
        save_scene(replace(scene, actors=(scene.actors[0], scene.actors[0])), tmp_path / "scene")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_scene_is_not_overwritten(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "background.ply").write_bytes(b"precious")
    with pytest.raises(StorageError, match=r"is no scene but holds 'background.ply'"):
        save_scene(scene, tmp_path / "mine")
    assert (tmp_path / "mine" / "background.ply").read_bytes() == b"precious"
    (tmp_path / "file").write_bytes(b"precious")
    with pytest.raises(StorageError, match="is a file"):
        save_scene(scene, tmp_path / "file")


def test_a_folder_with_only_a_report_becomes_a_scene(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    save_scene(scene, tmp_path)
    assert_identical(load_scene(tmp_path), scene)
    assert (tmp_path / "report.json").exists()


@pytest.mark.parametrize("step", ["background.ply", "distant.ply", "8.ply", "scene.json", "swap"])
def test_a_full_disk_leaves_the_old_scene_untouched(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = tmp_path / "scene"
    save_scene(scene, folder)
    before = {name: (folder / name).read_bytes() for name in entries(folder) if (folder / name).is_file()}

    real_fsync, real_rename = os.fsync, Path.rename

    def full(descriptor: int) -> None:
        if step in Path(f"/proc/self/fd/{descriptor}").readlink().name:
            raise OSError(28, "No space left on device")
        real_fsync(descriptor)

    def full_rename(self: Path, target: Path) -> Path:
        if step == "swap" and target == folder and self.name == "scene":
            raise OSError(28, "No space left on device")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(Path, "rename", full_rename)
    with pytest.raises(StorageError, match="No space left on device") as error:
        save_scene(remove_actor(scene, "van-9"), folder)
    monkeypatch.undo()
    assert str(folder) in str(error.value)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert [path.name for path in tmp_path.iterdir()] == ["scene"], "nothing half-written is left"


LIMITED = """
import resource, signal, sys
from pathlib import Path
from gs_sim.errors import StorageError
from gs_sim.scene.storage import load_scene, save_scene
scene = load_scene(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    save_scene(scene, Path(sys.argv[2]))
except StorageError as error:
    sys.exit(f"refused: {error}")
"""


def test_a_real_write_error_of_the_system_is_one_sentence(scene: Scene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "scene")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "scene"), str(tmp_path / "other")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("refused: the scene"), done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 300, "the limit was the other process's own"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "scene.json").read_text())
    change(content)
    (folder / "scene.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(version=2), "newer gs_sim .scene version 2, this one reads up to 1.; update"),
        (lambda m: m.update(version="one"), "version number is expected, found 'one'"),
        (lambda m: m.update(format="something"), "no scene manifest"),
        (lambda m: m.pop("rig"), "lacks the entry 'rig'"),
        (lambda m: m.update(rig=[]), "damaged"),
        (lambda m: m.update(map_from_world=[[1.0]]), "4x4"),
        (lambda m: m["map_from_world"][0].__setitem__(0, float("nan")), "finite 4x4"),
        (lambda m: m["rig"]["cameras"][0]["camera"].update(width_px=-1), "positive image size"),
        (lambda m: m["rig"]["cameras"][0]["camera"].update(lens="magic"), "unknown lens model 'magic'"),
        (lambda m: m["rig"]["cameras"][0]["camera"].update(fx="wide"), "finite number is expected, found 'wide'"),
        (lambda m: m["rig"]["cameras"][0].update(name=3), "text is expected"),
        (lambda m: m["world_from_rig"]["stamps_ns"].pop(), "5 stamps but 6 poses"),
        (lambda m: m["world_from_rig"].update(stamps_ns=[], poses=[]), "at least one pose"),
        (lambda m: m["world_from_rig"]["stamps_ns"].reverse(), "strictly increase"),
        (lambda m: m["world_from_rig"]["stamps_ns"].__setitem__(0, 0.5), "whole nanoseconds"),
        (lambda m: m["world_from_rig"]["stamps_ns"].__setitem__(0, -(10**30)), "damaged"),
        (lambda m: m["world_from_rig"]["poses"][0].pop(), "damaged"),
        (lambda m: m["world_from_rig"]["poses"][0].__setitem__(0, "x"), "damaged"),
        (lambda m: m["actors"][0].update(size_m=[1.0, 2.0]), "damaged"),
        (lambda m: m["actors"][0].update(file="../../../etc/passwd"), "actors/NAME.ply"),
        (lambda m: m["actors"][0].update(file="/etc/passwd"), "actors/NAME.ply"),
        (lambda m: m["actors"][0].update(file="actors/../scene.json"), "actors/NAME.ply"),
        (lambda m: m["actors"][0].update(file="actors/none.ply"), "cannot be read"),
    ],
)
def test_a_bad_manifest_is_refused_in_one_sentence(
    scene: Scene, tmp_path: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    save_scene(scene, tmp_path / "scene")
    edit(tmp_path / "scene", change)
    with pytest.raises(StorageError, match=sentence) as error:
        load_scene(tmp_path / "scene")
    assert str(tmp_path / "scene") in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": "gs_sim scene"}'])
def test_a_truncated_manifest_is_refused(scene: Scene, tmp_path: Path, text: str) -> None:
    save_scene(scene, tmp_path / "scene")
    (tmp_path / "scene" / "scene.json").write_text(text)
    with pytest.raises(StorageError):
        load_scene(tmp_path / "scene")


def test_a_manifest_that_is_no_text_is_refused(scene: Scene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "scene")
    (tmp_path / "scene" / "scene.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StorageError, match="cannot be read"):
        load_scene(tmp_path / "scene")


def test_a_folder_without_a_manifest_or_background_is_no_scene(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"is no scene: it has no scene.json"):
        load_scene(tmp_path)
    save_scene(scene, tmp_path / "scene")
    (tmp_path / "scene" / "background.ply").unlink()
    with pytest.raises(StorageError, match=r"background.ply cannot be read"):
        load_scene(tmp_path / "scene")


def test_a_scene_can_be_copied_as_a_folder(scene: Scene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "scene")
    shutil.copytree(tmp_path / "scene", tmp_path / "copy")
    assert_identical(load_scene(tmp_path / "copy"), scene)


def test_the_backdrop_is_told_from_the_rest_of_the_distant_region(scene: Scene, tmp_path: Path) -> None:
    guessed = replace(scene, num_backdrop=min(2, len(scene.distant)))
    save_scene(guessed, tmp_path / "scene")
    assert_identical(load_scene(tmp_path / "scene"), guessed)
    assert torch.equal(guessed.backdrop.means, scene.distant.means[-guessed.num_backdrop :])
    manifest = json.loads((tmp_path / "scene" / "scene.json").read_text())
    for wrong, message in ((len(scene.distant) + 1, "as its backdrop"), (-1, "a count is expected"), ("2", "a count")):
        (tmp_path / "scene" / "scene.json").write_text(json.dumps(manifest | {"num_backdrop": wrong}))
        with pytest.raises(StorageError, match=message):
            load_scene(tmp_path / "scene")
    del manifest["num_backdrop"]
    (tmp_path / "scene" / "scene.json").write_text(json.dumps(manifest))
    assert load_scene(tmp_path / "scene").num_backdrop == 0
