"""The shapes of everything above the ground: oriented boxes with slanted sides, cylinders, ellipsoids.

Few shapes, all with an exact ray intersection, make houses, trees and cars; a set of them is a
struct of tensors, so that one call intersects thousands of rays with hundreds of shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class Shape(IntEnum):
    """How a ray meets a primitive; its own axes carry its half sizes."""

    BOX = 0
    WEDGE = 1
    """A box whose front, back and sides lean inwards with height."""
    CYLINDER = 2
    """Around its own z axis, with flat ends."""
    ELLIPSOID = 3
    CROWN = 4
    """An ellipsoid of leaves: a shell with holes."""


class Material(IntEnum):
    """How a primitive looks."""

    PAINTED = 0
    FACADE = 1
    ROOF = 2
    LEAVES = 3
    BARK = 4
    CAR_BODY = 5
    CAR_CABIN = 6
    WHEEL = 7
    SIGN = 8
    CONCRETE = 9
    LAMP = 10


NUM_DETAILS = 8


@dataclass(frozen=True)
class Part:
    """One primitive as it is designed, in the frame of the thing it belongs to."""

    shape: Shape
    material: Material
    centre_m: tuple[float, float, float]
    half_m: tuple[float, float, float]
    """Half lengths along its own x, y, z; at the foot where the sides lean."""
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Linear reflectance."""
    yaw_rad: float = 0.0
    tilt_rad: float = 0.0
    """Turn about its own x axis, after the yaw; a quarter turn lays a cylinder along y."""
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How far front, back and both sides move inwards per metre of height."""
    details: tuple[float, ...] = ()
    """Up to NUM_DETAILS numbers that the material reads."""
    seed: int = 0
    """Tells two things of the same material apart."""


@dataclass(frozen=True)
class Primitives:
    """n primitives in one frame."""

    shapes: Int64[Tensor, "n"]
    materials: Int64[Tensor, "n"]
    centres: Float[Tensor, "n 3"]
    rotations: Float[Tensor, "n 3 3"]
    """Columns are the primitive's own axes."""
    half_m: Float[Tensor, "n 3"]
    leans: Float[Tensor, "n 3"]
    colours: Float[Tensor, "n 3"]
    details: Float[Tensor, "n 8"]
    seeds: Int64[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.shapes)

    def select(self, chosen: Tensor) -> "Primitives":
        """Those under a mask or at these indices."""
        return Primitives(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def to(self, device: str) -> "Primitives":
        """The same primitives on another device."""
        return Primitives(*(getattr(self, field.name).to(device) for field in fields(self)))


def primitives_from(parts: Sequence[Part]) -> Primitives:
    """Turn a design into tensors, in the design's own frame."""
    n = len(parts)
    yaw = torch.tensor([part.yaw_rad for part in parts], dtype=torch.float64)
    tilt = torch.tensor([part.tilt_rad for part in parts], dtype=torch.float64)
    cy, sy, ct, st = yaw.cos(), yaw.sin(), tilt.cos(), tilt.sin()
    zero = torch.zeros_like(cy)
    rows = [[cy, -sy * ct, sy * st], [sy, cy * ct, -cy * st], [zero, st, ct]]
    details = [tuple(part.details) + (0.0,) * (NUM_DETAILS - len(part.details)) for part in parts]
    return Primitives(
        shapes=torch.tensor([int(part.shape) for part in parts], dtype=torch.int64),
        materials=torch.tensor([int(part.material) for part in parts], dtype=torch.int64),
        centres=torch.tensor([part.centre_m for part in parts]).reshape(n, 3),
        rotations=torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2).float(),
        half_m=torch.tensor([part.half_m for part in parts]).reshape(n, 3),
        leans=torch.tensor([part.lean for part in parts]).reshape(n, 3),
        colours=torch.tensor([part.colour for part in parts]).reshape(n, 3),
        details=torch.tensor(details).reshape(n, NUM_DETAILS),
        seeds=torch.tensor([part.seed for part in parts], dtype=torch.int64),
    )


def move_primitives(a_from_b: Float[Tensor, "4 4"], primitives_b: Primitives) -> Primitives:
    """Express primitives of frame b in frame a."""
    pose = a_from_b.to(primitives_b.centres)
    return replace(
        primitives_b,
        centres=primitives_b.centres @ pose[:3, :3].T + pose[:3, 3],
        rotations=pose[:3, :3] @ primitives_b.rotations,
    )


def join_primitives(sets: Sequence[Primitives]) -> Primitives:
    """All of them in one set; they must share a frame."""
    return Primitives(*(torch.cat([getattr(part, field.name) for part in sets]) for field in fields(Primitives)))
