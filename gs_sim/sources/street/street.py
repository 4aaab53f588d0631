"""A whole street from one seed: geometry, looks, light, traffic, sensors."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from gs_sim.errors import MissingFeatureError
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory, pose_at
from gs_sim.sensing.track import Track
from gs_sim.sources.street.buildings import draw_houses
from gs_sim.sources.street.contact import Footprints, footprints_of, join_footprints
from gs_sim.sources.street.ground import GroundPlan
from gs_sim.sources.street.ground_surface import GroundLook
from gs_sim.sources.street.imaging import Imaging, draw_imaging
from gs_sim.sources.street.layout import draw_ground
from gs_sim.sources.street.light import Light, draw_light
from gs_sim.sources.street.noise import noise_bank
from gs_sim.sources.street.primitives import Material, Primitives, join_primitives, move_primitives
from gs_sim.sources.street.randomness import uniform
from gs_sim.sources.street.rig import draw_rig
from gs_sim.sources.street.road_line import (
    RoadLine,
    RoadMap,
    draw_road_line,
    map_road,
    poses_on_road,
    rotation_from_angles,
)
from gs_sim.sources.street.roadside import draw_roadside
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.trace import World
from gs_sim.sources.street.traffic import BOX_PERIOD_NS, Mover, draw_ego_distance_m, draw_movers

START_NS = 1_700_000_000_000_000_000
"""Stamp of the first sweep."""
BEHIND_M, AHEAD_M = 60.0, 150.0
"""How far the street goes on behind the first and ahead of the last position."""


@dataclass(frozen=True)
class Street:
    """Everything drawn; what rays need lies on the chosen device."""

    settings: StreetSettings
    line: RoadLine
    road_map: RoadMap
    plan: GroundPlan
    look: GroundLook
    light: Light
    imaging: Imaging
    standing: Primitives
    """All that does not move, parked vehicles included; world frame."""
    standing_footprints: Footprints
    movers: tuple[Mover, ...]
    tracks: tuple[Track, ...]
    """Boxes of moving, then of parked vehicles, over the whole drive."""
    rig: Rig
    world_from_rig: Trajectory
    device: str


def draw_street(settings: StreetSettings) -> Street:
    """Draw everything from the seed; the same on every device.

    Raises:
        MissingFeatureError: the settings ask for cuda where there is none.
    """
    device = _device(settings)
    generator = torch.Generator().manual_seed(settings.seed)
    odometry_ns = _stamps_ns(settings, settings.odometry_rate_hz)
    driven = draw_ego_distance_m(generator, (odometry_ns - START_NS).double() / 1e9)
    start_s_m, end_s_m = -BEHIND_M, math.ceil(float(driven[-1])) + AHEAD_M
    line = draw_road_line(generator, start_s_m, end_s_m)
    site, look = draw_ground(generator, line)
    light = draw_light(generator, float(line.headings_rad[round(BEHIND_M / 0.5)]))
    ego = _ego_trajectory(generator, line, site.lanes.ego_d_m, odometry_ns, driven)
    rig = draw_rig(generator, settings)
    houses = draw_houses(generator, site, start_s_m - 10.0, end_s_m)
    box_ns = _stamps_ns(settings, 1e9 / BOX_PERIOD_NS)
    things, parked = draw_roadside(generator, site, (start_s_m, end_s_m), box_ns[[0, -1]])
    movers = draw_movers(generator, settings.num_actors, site, (box_ns, _interpolate(box_ns, odometry_ns, driven)))
    moving = tuple(Track(m.actor_id, m.vehicle.label, m.vehicle.size_m, m.world_from_box) for m in movers)
    return Street(
        settings=settings,
        line=line,
        road_map=map_road(line, 90.0, device),
        plan=site.plan,
        look=look,
        light=light,
        imaging=draw_imaging(generator, light, [mounted.name for mounted in rig.cameras]),
        standing=join_primitives([houses, things]).to(device),
        standing_footprints=_standing_footprints(parked, houses),
        movers=movers,
        tracks=moving + parked,
        rig=rig,
        world_from_rig=ego,
        device=device,
    )


def world_at(street: Street, stamp_ns: int) -> World:
    """The street with its moving vehicles where they are at a moment."""
    poses = [pose_at(mover.world_from_box, stamp_ns) for mover in street.movers]
    moving = [
        move_primitives(pose, mover.vehicle.primitives_box).to(street.device)
        for pose, mover in zip(poses, street.movers, strict=True)
    ]
    contacts = [street.standing_footprints]
    if poses:
        sizes = torch.tensor([mover.vehicle.size_m for mover in street.movers])
        contacts.append(vehicle_footprints(torch.stack(poses), sizes))
    return World(
        primitives=join_primitives([street.standing, *moving]),
        plan=street.plan,
        look=street.look,
        road_map=street.road_map,
        light=street.light,
        bank=noise_bank(street.device),
        footprints=join_footprints(contacts, street.device),
    )


def _standing_footprints(parked: tuple[Track, ...], houses: Primitives) -> Footprints:
    """Of parked vehicles and of houses (their walls reach into the ground)."""
    walls = houses.select(houses.materials == Material.FACADE)
    poses = torch.eye(4, dtype=torch.float64).repeat(len(walls), 1, 1)
    poses[:, :3, :3], poses[:, :3, 3] = walls.rotations.double(), walls.centres.double()
    sets = [footprints_of(poses, 2 * walls.half_m, 0.4, 0.5)]
    if parked:
        poses = torch.stack([track.world_from_box.poses[0] for track in parked])
        sets.append(vehicle_footprints(poses, torch.tensor([track.size_m for track in parked])))
    return join_footprints(sets, "cpu")


def vehicle_footprints(poses: Float64[Tensor, "n 4 4"], sizes_m: Float[Tensor, "n 3"]) -> Footprints:
    """A vehicle's floor is open at its edge: less light is lost there than at a wall of the same height."""
    return footprints_of(poses, sizes_m, 0.5, 0.22)


def _device(settings: StreetSettings) -> str:
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise MissingFeatureError(
            "the street was asked to render on cuda, but torch finds no such device; use --device cpu"
        )
    return "cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu"


def _stamps_ns(settings: StreetSettings, rate_hz: float) -> Int64[Tensor, "t"]:
    """From the first sweep's start to at least the last sweep's end."""
    length_s = settings.duration_s + 1.0 / settings.lidar_rate_hz
    num = math.ceil(length_s * rate_hz) + 1
    return START_NS + (torch.arange(num, dtype=torch.float64) * (1e9 / rate_hz)).round().long()


def _interpolate(
    at_ns: Int64[Tensor, "n"], stamps_ns: Int64[Tensor, "t"], values: Float64[Tensor, "t"]
) -> Float64[Tensor, "n"]:
    after = torch.searchsorted(stamps_ns, at_ns).clamp(1, len(stamps_ns) - 1)
    share = (at_ns - stamps_ns[after - 1]).double() / (stamps_ns[after] - stamps_ns[after - 1]).double()
    return torch.lerp(values[after - 1], values[after], share)


def _ego_trajectory(
    generator: torch.Generator,
    line: RoadLine,
    lane_d_m: float,
    stamps_ns: Int64[Tensor, "t"],
    driven_m: Float64[Tensor, "t"],
) -> Trajectory:
    """Along the lane with a slow weave, and the small pitch and roll of a sprung body."""
    seconds = (stamps_ns - START_NS).double() / 1e9
    weave_m, weave_per_m = uniform(generator, 0.0, 0.25), 2 * math.pi / uniform(generator, 40.0, 90.0)
    phase = uniform(generator, 0.0, 2 * math.pi)
    d = lane_d_m + weave_m * torch.sin(weave_per_m * driven_m + phase)
    yaw = torch.atan(weave_m * weave_per_m * torch.cos(weave_per_m * driven_m + phase))
    world_from_level = poses_on_road(line, driven_m, d, yaw)
    pitch = math.radians(uniform(generator, 0.0, 0.35)) * torch.sin(seconds * uniform(generator, 6.0, 9.0))
    roll = math.radians(uniform(generator, 0.0, 0.35)) * torch.sin(seconds * uniform(generator, 3.0, 6.0) + phase)
    level_from_rig = torch.eye(4, dtype=torch.float64).repeat(len(seconds), 1, 1)
    level_from_rig[:, :3, :3] = rotation_from_angles(torch.zeros_like(pitch), pitch, roll)
    return Trajectory(stamps_ns, world_from_level @ level_from_rig)
