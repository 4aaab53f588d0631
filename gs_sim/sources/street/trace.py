"""Follow bundles of rays into the street at one moment: what they hit, and with what colour."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gs_sim.sources.street.bundles import Bundles, central_pairs, parallel_pairs
from gs_sim.sources.street.cast import nearest_hits
from gs_sim.sources.street.contact import Footprints, open_share
from gs_sim.sources.street.facade_surface import facade_surface
from gs_sim.sources.street.ground import GroundHits, GroundPlan, ground_hits
from gs_sim.sources.street.ground_surface import GroundLook, GroundPoints, ground_albedo
from gs_sim.sources.street.light import Light, ambient_radiance, background_radiance, sky_radiance
from gs_sim.sources.street.noise import NoiseBank
from gs_sim.sources.street.object_surface import (
    bark_surface,
    concrete_surface,
    lamp_surface,
    leaves_surface,
    painted_surface,
    roof_surface,
    sign_surface,
)
from gs_sim.sources.street.primitives import Material, Primitives
from gs_sim.sources.street.road_line import RoadMap, tangent_at
from gs_sim.sources.street.surface import Surface, points_on
from gs_sim.sources.street.vehicle_surface import car_body_surface, car_cabin_surface, wheel_surface

GROUND, NOTHING = -2, -1
RANGE_M = 350.0
SHADOW_BUNDLE = 256

SURFACES = {
    Material.PAINTED: painted_surface,
    Material.FACADE: facade_surface,
    Material.ROOF: roof_surface,
    Material.LEAVES: leaves_surface,
    Material.BARK: bark_surface,
    Material.CAR_BODY: car_body_surface,
    Material.CAR_CABIN: car_cabin_surface,
    Material.WHEEL: wheel_surface,
    Material.SIGN: sign_surface,
    Material.CONCRETE: concrete_surface,
    Material.LAMP: lamp_surface,
}


@dataclass(frozen=True)
class World:
    """The street as rays meet it at one moment; everything on one device, world frame."""

    primitives: Primitives
    plan: GroundPlan
    look: GroundLook
    road_map: RoadMap
    light: Light
    bank: NoiseBank
    footprints: Footprints
    """Of what stands on the ground."""


@dataclass(frozen=True)
class Hits:
    """n rays and what they met."""

    origins: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]
    distance_m: Float[Tensor, "n"]
    """Infinite where nothing was met."""
    index: Int64[Tensor, "n"]
    """Of the primitive; GROUND or NOTHING."""
    ground: GroundHits
    """Of the rays on the ground, in their order."""


def trace(world: World, bundles: Bundles) -> Hits:
    """The first surface along every ray, bundles flattened in order."""
    pairs = central_pairs(bundles, world.primitives, RANGE_M)
    nearest_m, index = nearest_hits(bundles, world.primitives, pairs, world.bank)
    shape = (*nearest_m.shape, 3)
    origins = bundles.origins.transpose(1, 2).expand(shape).reshape(-1, 3)
    directions = bundles.directions.transpose(1, 2).expand(shape).reshape(-1, 3)
    nearest_m, index = nearest_m.flatten(), index.flatten()
    down = (directions[:, 2] < 0.07).nonzero()[:, 0]
    ground = ground_hits(world.plan, world.road_map, origins[down], directions[down])
    is_first = ground.distance_m < nearest_m[down]
    ground = GroundHits(
        ground.distance_m[is_first], ground.s_m[is_first], ground.d_m[is_first],
        ground.beyond_kerb_m[is_first], ground.is_kerb[is_first],
    )  # fmt: skip
    nearest_m[down[is_first]] = ground.distance_m
    index[down[is_first]] = GROUND
    return Hits(origins, directions, nearest_m, index, ground)


@dataclass(frozen=True)
class Lit:
    """Surfaces of n hits in the world frame."""

    positions: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"]
    albedo: Float[Tensor, "n 3"]
    mirror: Float[Tensor, "n"]
    occlusion: Float[Tensor, "n"]
    glow: Float[Tensor, "n 3"]


def surfaces_of(world: World, hits: Hits, footprint: float) -> Lit:
    """Colour every hit surface; rays that met nothing get zeros."""
    n = len(hits.index)
    distance_m = torch.where(torch.isfinite(hits.distance_m), hits.distance_m, 0.0)
    positions = hits.origins + hits.directions * distance_m[:, None]
    cone_m = (distance_m * footprint).clamp(min=1e-4)
    lit = Lit(positions, torch.zeros_like(positions), torch.zeros_like(positions),
              torch.zeros_like(cone_m), torch.ones_like(cone_m), torch.zeros_like(positions))  # fmt: skip
    _fill_ground(world, hits, cone_m, lit)
    solid = (hits.index >= 0).nonzero()[:, 0]
    if len(solid) and n:
        index = hits.index[solid]
        materials = world.primitives.materials[index]
        for material, surface_of in SURFACES.items():
            rows = (materials == material).nonzero()[:, 0]
            if len(rows):
                chosen = solid[rows]
                points = points_on(
                    world.primitives, index[rows], positions[chosen], hits.directions[chosen], cone_m[chosen]
                )
                _fill(lit, chosen, world.primitives, index[rows], surface_of(points, world.bank))
    return lit


def _fill(lit: Lit, rows: Tensor, primitives: Primitives, index: Tensor, surface: Surface) -> None:
    turned = torch.bmm(primitives.rotations[index], surface.normal_local[:, :, None])[:, :, 0]
    lit.normals[rows] = turned
    lit.albedo[rows] = surface.albedo.clamp(0.0, 0.95)
    lit.mirror[rows] = surface.mirror
    lit.occlusion[rows] = surface.occlusion
    lit.glow[rows] = surface.glow


def _fill_ground(world: World, hits: Hits, cone_m: Tensor, lit: Lit) -> None:
    rows = (hits.index == GROUND).nonzero()[:, 0]
    if len(rows) == 0:
        return
    ground, directions, cone = hits.ground, hits.directions[rows], cone_m[rows]
    slope = (-directions[:, 2]).clamp(min=0.01)
    along = tangent_at(world.road_map, *lit.positions[rows, :2].unbind(1))
    forward = (directions[:, :2] * along).sum(1) / slope
    sideways = (directions[:, 1] * along[:, 0] - directions[:, 0] * along[:, 1]) / slope
    points = GroundPoints(ground, cone * (1 + forward.square()).sqrt(), cone * (1 + sideways.square()).sqrt())
    albedo, occlusion = ground_albedo(world.plan, world.look, points, world.bank)
    normals = torch.zeros_like(albedo)
    normals[:, 2] = 1.0
    inward = torch.stack([along[:, 1], -along[:, 0], torch.zeros_like(cone)], dim=1) * torch.sign(ground.d_m)[:, None]
    lit.normals[rows] = torch.where(ground.is_kerb[:, None], inward, normals)
    lit.albedo[rows] = albedo
    lit.occlusion[rows] = occlusion * open_share(world.footprints, lit.positions[rows])


def radiance_of(world: World, hits: Hits, footprint: float) -> Float[Tensor, "n 3"]:
    """Linear colour seen along every ray: sun with shadows, sky light, gloss, haze."""
    light, directions = world.light, hits.directions
    colour = torch.zeros_like(directions)
    empty = (hits.index == NOTHING).nonzero()[:, 0]
    colour[empty] = background_radiance(light, directions[empty], footprint, world.bank)
    full = (hits.index != NOTHING).nonzero()[:, 0]
    lit = surfaces_of(world, hits, footprint)
    lit = Lit(*(getattr(lit, name)[full] for name in ("positions", "normals", "albedo", "mirror", "occlusion", "glow")))
    view = directions[full]
    to_sun = directions.new_tensor(light.to_sun)
    facing = (lit.normals @ to_sun).clamp(min=0.0)
    leafy = world.primitives.materials[hits.index[full].clamp(min=0)] == Material.LEAVES
    facing = torch.where(leafy & (hits.index[full] >= 0), 0.35 + 0.45 * facing, facing)
    sunny = facing * _sunlight(world, lit, facing, footprint)
    sun_rgb = directions.new_tensor(light.sun_rgb)
    shaded = lit.albedo * (sunny[:, None] * sun_rgb + lit.occlusion[:, None] * ambient_radiance(light, lit.normals))
    cosine = -(view * lit.normals).sum(1)
    mirrored = view + 2 * cosine[:, None] * lit.normals
    fresnel = lit.mirror + (1 - lit.mirror) * (1 - cosine.clamp(0, 1)) ** 5 * (lit.mirror > 0)
    around = torch.where(
        (mirrored[:, 2:3] > 0.12),
        sky_radiance(light, mirrored),
        directions.new_tensor(light.bounce_rgb) * 1.2,
    )
    glint = (mirrored @ to_sun).clamp(min=0.0) ** 120 * 4.0 * (sunny > 0)
    shaded = shaded + fresnel[:, None] * (around * lit.occlusion[:, None] + glint[:, None] * sun_rgb) + lit.glow
    mist = 1 - torch.exp(-light.haze_per_m * hits.distance_m[full])
    colour[full] = torch.lerp(shaded, directions.new_tensor(light.horizon_rgb).expand_as(shaded), mist[:, None])
    return colour


def _sunlight(world: World, lit: Lit, facing: Float[Tensor, "n"], footprint: float) -> Float[Tensor, "n"]:
    """1 where the sun is seen, 0 in shadow; hits are regrouped so that neighbours across the sun's direction share a bundle."""
    visible = torch.zeros_like(facing)
    rows = (facing > 0).nonzero()[:, 0]
    if len(rows) == 0:
        return visible
    to_sun = lit.positions.new_tensor(world.light.to_sun)
    starts = lit.positions[rows] + 0.02 * lit.normals[rows]
    order = rows_by_cell(starts, to_sun)
    rows, starts = rows[order], starts[order]
    num = -(-len(rows) // SHADOW_BUNDLE)
    spare = num * SHADOW_BUNDLE - len(rows)
    padded = (
        torch.cat([starts, starts[-1:].expand(spare, 3)]).reshape(num, SHADOW_BUNDLE, 3).transpose(1, 2).contiguous()
    )
    bundles = Bundles(padded, to_sun.expand(num, 3)[:, :, None].contiguous(), footprint)
    pairs = parallel_pairs(bundles, world.primitives)
    nearest_m, _ = nearest_hits(bundles, world.primitives, pairs, world.bank)
    visible[rows] = torch.isinf(nearest_m.flatten()[: len(rows)]).to(facing)
    return visible


def rows_by_cell(positions: Float[Tensor, "n 3"], along: Float[Tensor, "3"]) -> Int64[Tensor, "n"]:
    """Order points by cells of half a metre across a direction, along a space-filling (Morton) curve."""
    helper = torch.zeros_like(along)
    helper[along.abs().argmin()] = 1.0
    side = torch.nn.functional.normalize(torch.linalg.cross(along, helper), dim=0)
    u = ((positions @ side) * 2.0 + 2048).long().clamp(0, 4095)
    v = ((positions @ torch.linalg.cross(along, side)) * 2.0 + 2048).long().clamp(0, 4095)
    code = torch.zeros_like(u)
    for bit in range(12):
        code |= ((u >> bit) & 1) << (2 * bit) | ((v >> bit) & 1) << (2 * bit + 1)
    return code.argsort()
