"""Weights on disk: what was saved is what is read, and anything else is refused in one sentence."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from g3r_start import SMALL
from safetensors.torch import save_file

from gs_sim.errors import StorageError
from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.weights import FORMAT, load_networks, save_networks, shipped_weights

METADATA = {"format": FORMAT, "settings": json.dumps(asdict(SMALL))}


def test_what_was_saved_is_read_again(networks: G3RNetworks, tmp_path: Path) -> None:
    save_networks(networks, tmp_path / "w.safetensors", {"seed": "3"})
    read = load_networks(tmp_path / "w.safetensors")
    assert read.settings == SMALL
    for name, tensor in networks.state_dict().items():
        assert torch.equal(tensor, read.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_the_shipped_weights_load_and_are_small() -> None:
    path = shipped_weights()
    assert path.stat().st_size < 16 * 2**20
    assert not any(p.requires_grad for p in load_networks(path).parameters())


@pytest.mark.parametrize(
    ("tampered", "expected"),
    [
        ({"decoder.linear.bias": torch.zeros(13)}, r"'decoder.linear.bias' must have shape \(14,\), got \(13,\)"),
        ({"decoder.linear.bias": torch.full((14,), float("nan"))}, "not finite"),
        ({"decoder.linear.bias": None}, "missing decoder.linear.bias"),
        ({"extra": torch.zeros(1)}, "unknown extra"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    networks: G3RNetworks, tmp_path: Path, tampered: dict[str, torch.Tensor | None], expected: str
) -> None:
    tensors = {**networks.state_dict(), **tampered}
    path = tmp_path / "w.safetensors"
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path, metadata=METADATA)
    with pytest.raises(StorageError, match=expected):
        load_networks(path)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "holds no G3R weights"),
        ({**METADATA, "format": "other"}, "'other'"),
        ({"format": FORMAT}, "sizes"),
        ({**METADATA, "settings": "{"}, "sizes"),
        ({**METADATA, "settings": '{"width": 1e9}'}, "sizes"),
        ({**METADATA, "settings": '{"widht": 8}'}, "did you mean 'width'"),
    ],
)
def test_files_that_do_not_say_what_they_are_are_refused(
    networks: G3RNetworks, tmp_path: Path, metadata: dict[str, str], expected: str
) -> None:
    save_file(networks.state_dict(), tmp_path / "w.safetensors", metadata=metadata)
    with pytest.raises(StorageError, match=expected):
        load_networks(tmp_path / "w.safetensors")


def test_a_truncated_or_foreign_or_missing_file_is_one_sentence(networks: G3RNetworks, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_networks(networks, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StorageError, match="no readable safetensors file"):
        load_networks(path)
    path.write_text("not weights at all")
    with pytest.raises(StorageError, match="no readable safetensors file"):
        load_networks(path)
    with pytest.raises(StorageError, match="there are no weights at .*nowhere"):
        load_networks(tmp_path / "nowhere")


def test_weights_are_written_whole_or_not_at_all(networks: G3RNetworks, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        save_networks(networks, tmp_path / "file" / "w.safetensors")
