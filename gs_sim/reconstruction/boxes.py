"""Tracks as reconstruction uses them: which stand still, and which LiDAR points are theirs."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from gs_sim.geometry.pose import (
    inverse,
    pose_from,
    quaternion_from_rotation,
    rotation_from_quaternion,
    transform_points,
)
from gs_sim.geometry.trajectory import Trajectory, pose_at, poses_at
from gs_sim.sensing.track import Track

PARKED_SPREAD_M = 1.5
"""A track whose positions stay this close to their median is parked; labels and poses drift that much."""
PARKED_SPEED_MPS = 0.7
"""... and whose ends are joined by less than this speed."""
GROUND_CLEARANCE_M = 0.1
"""Points this close to the bottom of a box are the road's."""
BOX_MARGIN_M = 0.1
"""Boxes are drawn tight; mirrors and label noise reach further."""


@dataclass(frozen=True)
class ActorTrack:
    """A track with its role settled: parked ones hold one pose during the whole drive."""

    track: Track
    is_parked: bool


def settle_tracks(tracks: tuple[Track, ...], world_from_rig: Trajectory) -> tuple[ActorTrack, ...]:
    """Tell parked from moving tracks; give parked ones one robust pose, lasting as long as the drive."""
    settled = []
    for track in tracks:
        if is_parked(track.world_from_box):
            ends = torch.tensor([world_from_rig.start_ns, world_from_rig.end_ns], dtype=torch.int64).unique()
            pose = _median_pose(track.world_from_box, world_from_rig)
            held = Trajectory(ends, pose.expand(len(ends), 4, 4).clone())
            settled.append(ActorTrack(replace(track, world_from_box=held), is_parked=True))
        else:
            settled.append(ActorTrack(continued(track, world_from_rig), is_parked=False))
    return tuple(settled)


def continued(track: Track, world_from_rig: Trajectory) -> Track:
    """The track one of its steps longer at both ends, within the drive.

    Boxes come at the rate of a detector, and images between the last box and the end of the drive show the
    object still.
    """
    path = track.world_from_box
    if len(path.stamps_ns) < 2:
        return track
    step_ns = int(path.stamps_ns.diff().median())
    first_ns = min(path.start_ns, max(path.start_ns - step_ns, world_from_rig.start_ns))
    last_ns = max(path.end_ns, min(path.end_ns + step_ns, world_from_rig.end_ns))
    stamps_ns = torch.cat([torch.tensor([first_ns]), path.stamps_ns, torch.tensor([last_ns])]).unique()
    return replace(track, world_from_box=Trajectory(stamps_ns, poses_at(path, stamps_ns, step_ns)))


def is_parked(world_from_box: Trajectory) -> bool:
    """Whether a box stands still, up to the noise of labels and poses."""
    positions = world_from_box.poses[:, :3, 3]
    spread_m = float((positions - positions.median(dim=0).values).norm(dim=-1).max())
    seconds = (world_from_box.end_ns - world_from_box.start_ns) / 1e9
    quarter = max(1, len(positions) // 4)
    travelled_m = float((positions[-quarter:].mean(0) - positions[:quarter].mean(0)).norm())
    return spread_m < PARKED_SPREAD_M and travelled_m <= max(PARKED_SPEED_MPS * seconds, 0.3)


def _median_pose(world_from_box: Trajectory, world_from_rig: Trajectory) -> Float64[Tensor, "4 4"]:
    """A robust mean pose, weighted towards the moments when the rig was near and saw the box well."""
    inside = (world_from_box.stamps_ns >= world_from_rig.start_ns) & (world_from_box.stamps_ns <= world_from_rig.end_ns)
    poses = world_from_box.poses[inside] if bool(inside.any()) else world_from_box.poses
    stamps_ns = world_from_box.stamps_ns[inside] if bool(inside.any()) else world_from_box.stamps_ns[:1]
    if bool(inside.any()):
        rig = torch.stack([pose_at(world_from_rig, int(stamp))[:3, 3] for stamp in stamps_ns])
        ranges_m = (poses[:, :3, 3] - rig).norm(dim=-1)
        poses = poses[ranges_m.argsort()[: max(3, len(poses) // 3)]]
    translation = poses[:, :3, 3].median(dim=0).values
    quaternions = quaternion_from_rotation(poses[:, :3, :3])
    aligned = torch.where((quaternions @ quaternions[0])[:, None] < 0, -quaternions, quaternions)
    return pose_from(rotation_from_quaternion(aligned.mean(dim=0)), translation)


def exists_at(track: Track, stamp_ns: int) -> bool:
    """Whether the track's trajectory covers a moment."""
    return track.world_from_box.start_ns <= stamp_ns <= track.world_from_box.end_ns


def points_in_box(
    points_world: Float64[Tensor, "n 3"], track: Track, stamps_ns: Int64[Tensor, "n"]
) -> Float64[Tensor, "n 3"]:
    """Points as seen from the track's box at each point's own time: a fast car moves by metres within a sweep.

    The track goes on at constant velocity for points up to a second outside it.
    """
    ticks, which = torch.unique(stamps_ns // 1_000_000, return_inverse=True)
    box_from_world = inverse(poses_at(track.world_from_box, ticks * 1_000_000, max_extrapolation_ns=10**9))
    if bool((box_from_world == box_from_world[:1]).all()):  # parked, or a sensor that tells no time per point
        return transform_points(box_from_world[0], points_world) if len(ticks) else points_world
    turned = torch.einsum("nij,nj->ni", box_from_world[which, :3, :3], points_world)
    return turned + box_from_world[which, :3, 3]


def is_inside_box(
    points_box: Float[Tensor, "n 3"], size_m: tuple[float, float, float], margin_m: float = BOX_MARGIN_M
) -> Bool[Tensor, "n"]:
    """Which points lie in a box of this size, the road under it left out."""
    half = torch.tensor(size_m, dtype=points_box.dtype, device=points_box.device) / 2
    is_within = (points_box.abs() < half + margin_m).all(dim=-1)
    return is_within & (points_box[:, 2] > -half[2] + GROUND_CLEARANCE_M)
