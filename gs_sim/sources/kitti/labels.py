"""Boxes of KITTI's tracking labels, turned into boxes with the core's axes."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.pose import pose_from
from gs_sim.sources.kitti.files import parse_floats, read_lines


@dataclass(frozen=True)
class LabelledBox:
    """One object in one frame."""

    frame: int
    actor_id: str
    label: str
    """Lower case."""
    size_m: tuple[float, float, float]
    """Length (x), width (y), height (z)."""
    rectified_from_box: Float64[Tensor, "4 4"]
    """Box frame (origin in the centre, x forward, y left, z up) to the rectified camera 0."""


def read_tracking_labels(path: Path) -> tuple[list[LabelledBox], int]:
    """Read the boxes of a tracking label file and count its DontCare lines, which have no box.

    Lines are `frame track_id type truncated occluded alpha l t r b h w l x y z ry`.

    Raises:
        InputError: a line is damaged.
    """
    boxes: list[LabelledBox] = []
    num_dont_care = 0
    for number, line in enumerate(read_lines(path, "tracking labels"), start=1):
        words = line.split()
        where = f"{path}, line {number}"
        if len(words) != 17 or not words[0].isdecimal():
            raise InputError(f"{where}: 17 values starting with a frame number expected, found '{line[:60]}'")
        if words[1] == "-1" or words[2] == "DontCare":
            num_dont_care += 1
            continue
        height, width, length, x, y, z, ry = parse_floats(" ".join(words[10:17]), 7, where)
        if min(height, width, length) <= 0:
            raise InputError(f"{where}: a box needs positive sizes, found {length} x {width} x {height} m")
        boxes.append(
            LabelledBox(
                int(words[0]), words[1], words[2].lower(), (length, width, height), box_pose((x, y, z), height, ry)
            )
        )
    return boxes, num_dont_care


def box_pose(bottom_rectified: tuple[float, float, float], height_m: float, ry_rad: float) -> Float64[Tensor, "4 4"]:
    """The pose `rectified_from_box` of a box given by its bottom centre and its turn `ry` about +y (down).

    The object's forward direction is (cos ry, 0, -sin ry) in the rectified camera 0.
    """
    ry = torch.tensor(ry_rad, dtype=torch.float64)
    zero, one = torch.zeros_like(ry), torch.ones_like(ry)
    forward = torch.stack([torch.cos(ry), zero, -torch.sin(ry)])
    left = torch.stack([torch.sin(ry), zero, torch.cos(ry)])
    up = torch.stack([zero, -one, zero])
    x, y, z = bottom_rectified
    centre = torch.tensor([x, y - height_m / 2, z], dtype=torch.float64)
    return pose_from(torch.stack([forward, left, up], dim=-1), centre)
