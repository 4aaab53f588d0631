"""Tensor files: whole or not at all."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gs_sim.errors import StorageError
from gs_sim.scene.tensor_file import save_tensors


def test_what_is_saved_is_read_again_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tensors.safetensors"
    for value in (1.0, 2.0):
        save_tensors({"a": torch.full((2, 3), value).T}, path, {"fact": "x"}, "the tensors")
    assert torch.equal(load_file(path)["a"], torch.full((3, 2), 2.0))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder.safetensors"
    folder.mkdir()
    (folder / "file").write_text("in the way")
    with pytest.raises(StorageError, match="the tensors cannot be written to"):
        save_tensors({"a": torch.zeros(2)}, folder, {}, "the tensors")
    assert [file.name for file in tmp_path.iterdir()] == [folder.name]
