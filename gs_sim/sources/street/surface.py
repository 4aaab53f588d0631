"""What a ray has hit, gathered per material: the points to colour, and the answer."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gs_sim.sources.street.primitives import Primitives, Shape


@dataclass(frozen=True)
class Points:
    """n hits on primitives."""

    local_m: Float[Tensor, "n 3"]
    """In the primitive's own axes, from its centre: textures read this, so they stick to what moves."""
    normal_local: Float[Tensor, "n 3"]
    half_m: Float[Tensor, "n 3"]
    colours: Float[Tensor, "n 3"]
    details: Float[Tensor, "n 8"]
    seeds: Int64[Tensor, "n"]
    shapes: Int64[Tensor, "n"]
    footprint_m: Float[Tensor, "n"]
    """Extent of the pixel on the surface, a mean over its two directions."""
    view_local: Float[Tensor, "n 3"]
    """Unit direction of the ray in the primitive's own axes."""

    def select(self, chosen: Tensor) -> "Points":
        """These points."""
        return Points(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Surface:
    """How n points reflect light; linear."""

    albedo: Float[Tensor, "n 3"]
    mirror: Float[Tensor, "n"]
    """Reflectance at normal incidence of a polished coat; 0 for matt."""
    occlusion: Float[Tensor, "n"]
    """Share of the ambient light that arrives."""
    glow: Float[Tensor, "n 3"]
    """Light sent out by itself."""
    normal_local: Float[Tensor, "n 3"]

    def select(self, chosen: Tensor) -> "Surface":
        """These points."""
        return Surface(*(getattr(self, field.name)[chosen] for field in fields(self)))


def matt(points: Points, albedo: Float[Tensor, "n 3"], occlusion: Float[Tensor, "n"] | float = 1.0) -> Surface:
    """A surface without gloss or light of its own."""
    zero = torch.zeros_like(points.footprint_m)
    shade = occlusion if isinstance(occlusion, Tensor) else torch.full_like(zero, occlusion)
    return Surface(albedo, zero, shade, torch.zeros_like(albedo), points.normal_local)


def points_on(
    primitives: Primitives,
    index: Int64[Tensor, "n"],
    positions: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    cone_m: Float[Tensor, "n"],
) -> Points:
    """Gather what the materials need; `cone_m` is the width of the ray's cone at the hit."""
    axes = primitives.rotations[index]
    local_m = torch.bmm((positions - primitives.centres[index])[:, None], axes)[:, 0]
    view_local = torch.bmm(directions[:, None], axes)[:, 0]
    half_m, leans, shapes = primitives.half_m[index], primitives.leans[index], primitives.shapes[index]
    normal_local = torch.where(
        (shapes <= Shape.WEDGE)[:, None],
        _box_normals(local_m, half_m, leans),
        torch.where((shapes == Shape.CYLINDER)[:, None], _cylinder_normals(local_m, half_m), local_m / half_m.square()),
    )
    normal_local = torch.nn.functional.normalize(normal_local, dim=1)
    facing = (normal_local * view_local).sum(1, keepdim=True)
    normal_local = torch.where(facing > 0, -normal_local, normal_local)
    return Points(
        local_m=local_m,
        normal_local=normal_local,
        half_m=half_m,
        colours=primitives.colours[index],
        details=primitives.details[index],
        seeds=primitives.seeds[index],
        shapes=shapes,
        footprint_m=cone_m * facing[:, 0].abs().clamp(min=0.08).rsqrt(),
        view_local=view_local,
    )


def _box_normals(local_m: Tensor, half_m: Tensor, leans: Tensor) -> Float[Tensor, "n 3"]:
    """Normal of the face whose plane the point lies on, slanted faces included."""
    x, y, z = local_m.unbind(1)
    front, back, side = leans.unbind(1)
    rise = z + half_m[:, 2]
    gaps = torch.stack(
        [
            (x - half_m[:, 0] + front * rise) * (1 + front * front).rsqrt(),
            (-x - half_m[:, 0] + back * rise) * (1 + back * back).rsqrt(),
            (y.abs() - half_m[:, 1] + side * rise) * (1 + side * side).rsqrt(),
            z.abs() - half_m[:, 2],
        ],
        dim=1,
    )
    face = gaps.argmax(1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    options = torch.stack(
        [
            torch.stack([one, zero, front], dim=1),
            torch.stack([-one, zero, back], dim=1),
            torch.stack([zero, torch.sign(y), side], dim=1),
            torch.stack([zero, zero, torch.sign(z)], dim=1),
        ],
        dim=1,
    )
    return options[torch.arange(len(face), device=face.device), face]


def _cylinder_normals(local_m: Tensor, half_m: Tensor) -> Float[Tensor, "n 3"]:
    radial_gap = local_m[:, :2].norm(dim=1) - half_m[:, 0]
    axial_gap = local_m[:, 2].abs() - half_m[:, 2]
    is_end = (axial_gap > radial_gap)[:, None]
    flat = torch.stack([*local_m[:, :2].unbind(1), torch.zeros_like(radial_gap)], dim=1)
    up = torch.stack([torch.zeros_like(radial_gap), torch.zeros_like(radial_gap), torch.sign(local_m[:, 2])], dim=1)
    return torch.where(is_end, up, flat)
