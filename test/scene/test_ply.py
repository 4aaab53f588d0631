"""PLY files: exact round trip, foreign files, and damaged ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gs_sim.errors import StorageError
from gs_sim.scene.gaussians import Gaussians, empty_gaussians
from gs_sim.scene.ply import load_ply, save_ply


def some_gaussians(num: int = 7, k: int = 4, seed: int = 0) -> Gaussians:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Gaussians(draw(num, 3), draw(num, 3), draw(num, 4), draw(num), draw(num, k, 3))


def assert_same(left: Gaussians, right: Gaussians) -> None:
    for name in ("means", "log_scales", "quaternions", "opacity_logits", "sh"):
        assert torch.equal(getattr(left, name), getattr(right, name)), name


@pytest.mark.parametrize("k", [1, 4, 9, 16])
def test_a_ply_file_gives_back_every_bit(tmp_path: Path, k: int) -> None:
    gaussians = some_gaussians(k=k)
    save_ply(gaussians, tmp_path / "a.ply")
    assert_same(load_ply(tmp_path / "a.ply"), gaussians)


def test_an_empty_set_survives(tmp_path: Path) -> None:
    save_ply(empty_gaussians(4), tmp_path / "a.ply")
    assert len(load_ply(tmp_path / "a.ply")) == 0
    assert load_ply(tmp_path / "a.ply").sh_degree == 1


def test_a_certain_opacity_survives_as_infinity(tmp_path: Path) -> None:
    gaussians = some_gaussians(1)
    gaussians.opacity_logits[0] = torch.inf
    save_ply(gaussians, tmp_path / "a.ply")
    assert_same(load_ply(tmp_path / "a.ply"), gaussians)


def test_the_layout_is_that_of_the_original_implementation(tmp_path: Path) -> None:
    gaussians = some_gaussians(2, k=4)
    save_ply(gaussians, tmp_path / "a.ply")
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    names = [line.split()[2] for line in header.decode().splitlines() if line.startswith("property float")]
    rest = [f"f_rest_{i}" for i in range(9)]
    dc, scale, turn = (
        ["f_dc_0", "f_dc_1", "f_dc_2"],
        ["scale_0", "scale_1", "scale_2"],
        ["rot_0", "rot_1", "rot_2", "rot_3"],
    )
    assert names == ["x", "y", "z", "nx", "ny", "nz", *dc, *rest, "opacity", *scale, *turn]
    vertex = np.frombuffer(body, dtype="<f4").reshape(2, len(names))[1]
    # channel by channel: three higher coefficients of red, then of green, then of blue
    expected = torch.cat([gaussians.sh[1, 1:, channel] for channel in range(3)])
    assert torch.equal(torch.from_numpy(vertex[9:18].copy()), expected)


def write_foreign(path: Path, gaussians: Gaussians, header_extra: str = "", vertices: int | None = None) -> None:
    """A file of another program: other order, doubles, colours as bytes, comments, faces behind the vertices."""
    num = len(gaussians)
    kinds = [("rot_3", "<f4"), ("opacity", "<f8"), ("red", "u1"), ("z", "<f4"), ("y", "<f8"), ("x", "<f4")]
    kinds += [(f"rot_{i}", "<f4") for i in range(3)] + [(f"scale_{i}", "<f4") for i in range(3)]
    kinds += [(f"f_dc_{i}", "<f4") for i in range(3)]
    table = np.zeros(num, dtype=kinds)
    for axis, name in enumerate("xyz"):
        table[name] = gaussians.means[:, axis]
    for name, values in (("rot", gaussians.quaternions), ("scale", gaussians.log_scales), ("f_dc", gaussians.sh[:, 0])):
        for column in range(values.shape[1]):
            table[f"{name}_{column}"] = values[:, column]
    table["opacity"] = gaussians.opacity_logits
    words = {"<f4": "float", "<f8": "double", "u1": "uchar"}
    lines = ["ply", "format binary_little_endian 1.0", "comment from somewhere", f"element vertex {vertices or num}"]
    lines += [f"property {words[kind]} {name}" for name, kind in kinds]
    lines += ["element face 1", "property list uchar int vertex_indices", "end_header"]
    path.write_bytes(
        ("\r\n".join(lines) + "\r\n").encode() + table.tobytes() + b"\x03" + b"\x00" * 12 + header_extra.encode()
    )


def test_a_file_with_other_property_order_and_types_is_read(tmp_path: Path) -> None:
    gaussians = some_gaussians(k=1)
    write_foreign(tmp_path / "foreign.ply", gaussians)
    assert_same(load_ply(tmp_path / "foreign.ply"), gaussians)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    save_ply(some_gaussians(), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match="truncated"):
        load_ply(path)


def test_an_absurd_count_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    write_foreign(tmp_path / "a.ply", some_gaussians(k=1), vertices=10**15)
    with pytest.raises(StorageError, match="claims 1000000000000000 vertices"):
        load_ply(tmp_path / "a.ply")


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (replaced(b"ply\n", b"plx\n"), "no PLY file"),
        (replaced(b"binary_little_endian", b"binary_big_endian"), "binary_big_endian"),
        (replaced(b"binary_little_endian", b"ascii"), "found 'format ascii 1.0'"),
        (replaced(b"element vertex 7", b"element vertex -7"), "element vertex COUNT"),
        (replaced(b"element vertex 7", b"element vertex many"), "element vertex COUNT"),
        (replaced(b"float x", b"quad x"), "property quad x"),
        (replaced(b"property float x", b"property list uchar int x"), "property list"),
        (replaced(b"float rot_3", b"float rot_9"), "no property 'rot_3'"),
        (replaced(b"float nx", b"float x"), "two of the same name"),
        (replaced(b"float f_rest_8", b"float f_else_8"), "8 f_rest properties"),
        (replaced(b"end_header", b"no_header_"), "complete header"),
        (lambda _: b"", "no PLY file"),
        (lambda _: b"ply\nformat binary_little_endian 1.0\nend_header\n", "element vertex COUNT"),
        (lambda _: bytes(range(256)) * 10, "no PLY file"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(
    tmp_path: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    path = tmp_path / "a.ply"
    save_ply(some_gaussians(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StorageError, match=sentence) as error:
        load_ply(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        load_ply(tmp_path / "none.ply")


def test_gaussians_that_are_not_finite_are_neither_written_nor_read(tmp_path: Path) -> None:
    gaussians = some_gaussians()
    save_ply(gaussians, tmp_path / "a.ply")
    data = bytearray((tmp_path / "a.ply").read_bytes())
    start = data.index(b"end_header\n") + len(b"end_header\n")
    data[start : start + 4] = np.float32(np.nan).tobytes()
    (tmp_path / "a.ply").write_bytes(data)
    with pytest.raises(StorageError, match="means that are not finite"):
        load_ply(tmp_path / "a.ply")
    gaussians.sh[2, 1, 0] = torch.nan
    with pytest.raises(StorageError, match="sh that are NaN"):
        save_ply(gaussians, tmp_path / "b.ply")
    assert not (tmp_path / "b.ply").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ply"
    save_ply(some_gaussians(), path)

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gs_sim.scene.ply.os.fsync", no_space)
    with pytest.raises(StorageError, match="No space left on device"):
        save_ply(some_gaussians(seed=1), path)
    monkeypatch.undo()
    assert_same(load_ply(path), some_gaussians())
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ply"]
