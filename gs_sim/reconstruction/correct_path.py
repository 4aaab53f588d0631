"""The logged path of the rig, corrected by LiDAR where that makes the map sharper.

GNSS and wheel odometry are right over kilometres and wrong by decimetres from frame to frame;
registered sweeps are the other way round. Their combination keeps the best of both, and is
judged by the sweeps themselves before it is used.
"""

import logging
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from gs_sim.errors import ConfigError, InputError
from gs_sim.geometry.pose import inverse, pose_from, quaternion_from_rotation, rotation_from_quaternion
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.reconstruction.cloud import sweep_in_world, voxel_groups
from gs_sim.sensing.lidar_odometry import LidarOdometrySettings, estimate_trajectory
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.reposed import with_trajectory

logger = logging.getLogger(__name__)

MAX_CONTINUATION_NS = 1_000_000_000
"""Sweeps may begin and end this much before and after the logged poses."""
MAX_PAUSE_NS = 300_000_000
"""Where no sweep came for longer, logged poses fill the pause."""
JUDGING_SWEEPS = 40
MIN_GAIN = 0.02
"""A map sharper by less than this share may be chance, as along a plain wall."""


@dataclass(frozen=True)
class PathSettings:
    """How registered sweeps are combined with the logged path."""

    correct_with_lidar: bool = True
    """Whether the logged path is corrected where LiDAR fits better; off takes it as it is."""
    window_s: float = 10.0
    """LiDAR is followed over less than this time, the logged path over more."""
    judge_voxel_m: float = 0.2
    """Two paths are compared by how many voxels of this size all sweeps together fill: fewer is sharper."""
    judge_range_m: float = 40.0
    """Points further away are not compared."""
    odometry: LidarOdometrySettings = field(default_factory=LidarOdometrySettings)

    def __post_init__(self) -> None:
        if min(self.window_s, self.judge_voxel_m, self.judge_range_m) <= 0:
            raise ConfigError("path.window_s, path.judge_voxel_m and path.judge_range_m must be positive")


def correct_path(recording: Recording, settings: PathSettings) -> tuple[Recording, str]:
    """The recording on the better of two paths, as logged or corrected by LiDAR; and the name of that path."""
    as_logged = recording, "logged"
    if not settings.correct_with_lidar or not recording.rig.lidars:
        return as_logged
    try:
        registered = estimate_trajectory(recording, recording.rig.lidars[0].name, settings.odometry)
        path = combine(recording.world_from_rig, registered, settings.window_s)
        corrected = replace(with_trajectory(recording, path), map_from_world=recording.map_from_world)
    except InputError as error:
        logger.info("the logged path stays as it is: %s", error)
        return as_logged
    if any(len(corrected.kept[c.name]) < len(recording.frame_stamps_ns(c.name)) for c in recording.rig.cameras):
        logger.info("the logged path stays as it is: LiDAR pauses for longer than images can do without")
        return as_logged  # frames must keep their numbers, on which the held-out protocol counts
    logged_voxels, corrected_voxels = filled_voxels(recording, settings), filled_voxels(corrected, settings)
    logger.info("all sweeps together fill %d voxels as logged, %d corrected", logged_voxels, corrected_voxels)
    is_sharper = corrected_voxels < (1 - MIN_GAIN) * logged_voxels
    return (corrected, "corrected by LiDAR") if is_sharper else as_logged


def combine(logged: Trajectory, registered: Trajectory, window_s: float) -> Trajectory:
    """Put a registered path where the logged one says it is.

    Around each moment the registered path is aligned to the logged one by a rigid motion, each neighbour
    weighing by a Gaussian of `window_s`. Before the first and after the last sweep, and where none came for
    a while, the logged path goes on.

    Raises:
        OutsideTrajectoryError: sweeps begin long before the logged path, or end long after it.
    """
    stamps_ns = registered.stamps_ns
    target = poses_at(logged, stamps_ns, MAX_CONTINUATION_NS)
    turn = quaternion_from_rotation(target[:, :3, :3] @ registered.poses[:, :3, :3].transpose(1, 2))
    turn = torch.where((turn @ turn[0])[:, None] < 0, -turn, turn)
    seconds = (stamps_ns - stamps_ns[0]).double() / 1e9
    weights = torch.exp(-0.5 * ((seconds[:, None] - seconds[None]) / window_s) ** 2)
    weights = weights / weights.sum(dim=1, keepdim=True)
    rotation = rotation_from_quaternion(weights @ turn)
    centre_logged, centre_registered = weights @ target[:, :3, 3], weights @ registered.poses[:, :3, 3]
    shift = centre_logged - (rotation @ centre_registered[:, :, None])[:, :, 0]
    aligned = pose_from(rotation, shift) @ registered.poses
    # what was done to the path at each sweep, held beyond the ends, is done to the logged poses far from any
    done = Trajectory(stamps_ns, aligned @ inverse(target))
    is_alone = ~_is_near(logged.stamps_ns, stamps_ns)
    alone_ns = logged.stamps_ns[is_alone]
    carried_on = poses_at(done, alone_ns.clamp(done.start_ns, done.end_ns)) @ logged.poses[is_alone]
    every_ns, order = torch.cat([stamps_ns, alone_ns]).sort()
    return Trajectory(every_ns, torch.cat([aligned, carried_on])[order])


def _is_near(asked_ns: Int64[Tensor, "n"], stamps_ns: Int64[Tensor, "m"]) -> Bool[Tensor, "n"]:
    """Which stamps lie on others or between two that are not far apart."""
    after = torch.searchsorted(stamps_ns, asked_ns).clamp(max=len(stamps_ns) - 1)
    gap_ns = stamps_ns[after] - stamps_ns[(after - 1).clamp(min=0)]
    is_between = (asked_ns > stamps_ns[0]) & (asked_ns < stamps_ns[-1]) & (gap_ns <= MAX_PAUSE_NS)
    return is_between | (asked_ns == stamps_ns[after])


def filled_voxels(recording: Recording, settings: PathSettings) -> int:
    """Voxels filled by some forty sweeps together: fewer means a sharper map (Droeschel et al. 2014 use its entropy)."""
    lidar = recording.rig.lidars[0].name
    count = len(recording.sweep_stamps_ns(lidar))
    points_world = []
    for sweep in recording.sweeps(lidar, range(0, count, max(1, count // JUDGING_SWEEPS))):
        near = (sweep.points_lidar.norm(dim=-1) < settings.judge_range_m).nonzero()[::3, 0]
        thinned = replace(
            sweep,
            points_lidar=sweep.points_lidar[near],
            point_stamps_ns=sweep.point_stamps_ns[near],
            intensities=sweep.intensities[near],
        )
        points_world.append(sweep_in_world(recording, thinned))
    return len(voxel_groups(torch.cat(points_world), settings.judge_voxel_m).unique())
