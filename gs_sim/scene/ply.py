"""Gaussians as PLY files in the layout of the original 3DGS implementation, which other viewers open.

Little-endian float32 properties x y z nx ny nz f_dc_0..2 f_rest_* opacity scale_0..2 rot_0..3, values before
activation. f_rest holds the higher spherical harmonics channel by channel: all of red, then green, then blue.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gs_sim.errors import StorageError
from gs_sim.scene.gaussians import Gaussians

PLY_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("int", "int32"), "<i4"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
}

MAX_HEADER_BYTES = 65_536
REST_COUNTS = (0, 9, 24, 45)
"""Number of f_rest properties for spherical-harmonic degrees 0 to 3."""

POSITION = ("x", "y", "z")
COLOUR = ("f_dc_0", "f_dc_1", "f_dc_2")
SCALE = ("scale_0", "scale_1", "scale_2")
ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")


@dataclass(frozen=True)
class PlyHeader:
    """What a PLY file says about itself."""

    num_vertices: int
    properties: tuple[tuple[str, str], ...]
    """Name and numpy type of each, in the file's order."""
    size_bytes: int
    """Where the vertices begin."""

    @property
    def vertex_type(self) -> np.dtype[Any]:
        """One vertex as a numpy record."""
        return np.dtype(list(self.properties))


def save_ply(gaussians: Gaussians, path: Path) -> None:
    """Write Gaussians atomically; what is read back equals them to the bit.

    Raises:
        StorageError: the file cannot be written, for want of space for example, or the Gaussians hold NaN; nothing
            is left behind.
    """
    check_finite(gaussians, path)
    num, num_rest = len(gaussians), 3 * (gaussians.sh.shape[1] - 1)
    rest = tuple(f"f_rest_{index}" for index in range(num_rest))
    names = (*POSITION, "nx", "ny", "nz", *COLOUR, *rest, "opacity", *SCALE, *ROTATION)
    columns = torch.cat(
        [
            gaussians.means,
            torch.zeros_like(gaussians.means),
            gaussians.sh[:, 0],
            gaussians.sh[:, 1:].transpose(1, 2).reshape(num, num_rest),
            gaussians.opacity_logits[:, None],
            gaussians.log_scales,
            gaussians.quaternions,
        ],
        dim=1,
    )
    values = columns.detach().cpu().float().numpy().astype("<f4")
    header = "\n".join(
        [
            "ply",
            "format binary_little_endian 1.0",
            f"element vertex {num}",
            *(f"property float {name}" for name in names),
            "end_header\n",
        ]
    )
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(header.encode("ascii"))
            file.write(values.tobytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error.strerror}; nothing was changed") from error


def load_ply(path: Path) -> Gaussians:
    """Read Gaussians from a 3DGS PLY file, properties in any order; those that are not of 3DGS are left out.

    Raises:
        StorageError: the file is missing, is no binary little-endian 3DGS PLY, is truncated or claims absurd counts.
    """
    try:
        with open(path, "rb") as file:
            header = parse_header(file.read(MAX_HEADER_BYTES), path)
            check_size(header, path.stat().st_size, path)
            file.seek(header.size_bytes)
            vertices = np.fromfile(file, dtype=header.vertex_type, count=header.num_vertices)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    names = {name for name, _ in header.properties}
    num_rest = sum(name.startswith("f_rest_") for name in names)
    rest = tuple(f"f_rest_{index}" for index in range(num_rest))
    missing = [n for n in (*POSITION, *COLOUR, *rest, "opacity", *SCALE, *ROTATION) if n not in names]
    if missing:
        raise StorageError(
            f"{path} is no 3DGS file: it has no property '{missing[0]}'; found: {', '.join(sorted(names))}"
        )
    if num_rest not in REST_COUNTS:
        raise StorageError(f"{path} has {num_rest} f_rest properties; 0, 9, 24 or 45 are expected (degrees 0 to 3)")
    higher = columns_of(vertices, rest).reshape(header.num_vertices, 3, num_rest // 3).transpose(1, 2)
    gaussians = Gaussians(
        means=columns_of(vertices, POSITION),
        log_scales=columns_of(vertices, SCALE),
        quaternions=columns_of(vertices, ROTATION),
        opacity_logits=columns_of(vertices, ("opacity",))[:, 0],
        sh=torch.cat([columns_of(vertices, COLOUR)[:, None], higher], dim=1).contiguous(),
    )
    check_finite(gaussians, path)
    return gaussians


def parse_header(data: bytes, path: Path) -> PlyHeader:
    """Read the header strictly.

    Raises:
        StorageError: it is not the header of a binary little-endian PLY with one vertex element of plain properties.
    """
    end = data.find(b"end_header")
    newline = data.find(b"\n", end)
    if not data.startswith((b"ply\n", b"ply\r\n")) or end < 0 or newline < 0:
        raise StorageError(f"{path} is no PLY file: it must start with 'ply' and have a complete header")
    lines = [line.strip() for line in data[:end].decode("ascii", errors="replace").splitlines()[1:]]
    words = [line.split() for line in lines if line and not line.startswith(("comment", "obj_info"))]
    if not words or words[0] != ["format", "binary_little_endian", "1.0"]:
        found = " ".join(words[0]) if words else "nothing"
        raise StorageError(f"{path}: 'format binary_little_endian 1.0' is expected, found '{found}'; convert the file")
    if len(words) < 2 or words[1][:2] != ["element", "vertex"] or len(words[1]) != 3 or not words[1][2].isdecimal():
        raise StorageError(f"{path}: the first element must be 'element vertex COUNT'")
    properties = []
    for entry in words[2:]:
        if entry[0] == "element":
            break  # vertices come first, so what follows them can be left alone
        if len(entry) != 3 or entry[0] != "property" or entry[1] not in PLY_TYPES:
            raise StorageError(
                f"{path}: 'property TYPE NAME' with a number type is expected, found '{' '.join(entry)}'"
            )
        properties.append((entry[2], PLY_TYPES[entry[1]]))
    if not properties or len({name for name, _ in properties}) != len(properties):
        raise StorageError(f"{path}: the vertices have no properties, or two of the same name")
    return PlyHeader(int(words[1][2]), tuple(properties), newline + 1)


def check_size(header: PlyHeader, file_bytes: int, path: Path) -> None:
    """Compare what the header promises with the size of the file, before anything is allocated.

    Raises:
        StorageError: the file is too short.
    """
    needed = header.size_bytes + header.num_vertices * header.vertex_type.itemsize
    if needed > file_bytes:
        raise StorageError(
            f"{path} claims {header.num_vertices} vertices, which take {needed} bytes, but the file has {file_bytes}; "
            "it is truncated or damaged"
        )


def columns_of(vertices: npt.NDArray[Any], names: tuple[str, ...]) -> Tensor:
    """The named properties of a table of vertex records side by side, float32."""
    table = np.empty((len(vertices), len(names)), dtype=np.float32)
    for column, name in enumerate(names):
        table[:, column] = vertices[name]
    return torch.from_numpy(table)


def check_finite(gaussians: Gaussians, path: Path) -> None:
    """Refuse Gaussians that no rasterizer can draw.

    Raises:
        StorageError: a centre, scale, orientation or colour is NaN, or a centre or orientation infinite.
    """
    for name in ("means", "quaternions"):
        if not bool(getattr(gaussians, name).isfinite().all()):
            raise StorageError(f"the Gaussians of {path} have {name} that are not finite (NaN or infinite)")
    for name in ("log_scales", "opacity_logits", "sh"):
        if bool(getattr(gaussians, name).isnan().any()):
            raise StorageError(f"the Gaussians of {path} have {name} that are NaN")
