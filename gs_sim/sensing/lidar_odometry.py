"""The vehicle's path from its LiDAR alone, for bags without poses: KISS-ICP (Vizzo et al. 2023) as a library."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError, MissingFeatureError
from gs_sim.geometry.pose import inverse
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.sweep import Sweep

FEWEST_POINTS = 100
"""A sweep with fewer points in range holds a pose by chance only."""

TICK_NS = 1_000_000
"""Points measured within a millisecond share a pose while motion is taken out of a sweep."""

FARTHEST_NS = 2 * 10**9
"""No point is further from its sweep's stamp: what `sources` reads is within a second."""

SWEEPS_TRIED = 4
"""Enough to know how fast the vehicle drives when the recording starts."""


@dataclass(frozen=True)
class LidarOdometrySettings:
    """How sweeps are registered."""

    voxel_size_m: float = 0.5
    """Spacing of the local map; smaller is finer and slower."""
    max_range_m: float = 100.0
    """Points further away are not used."""
    min_range_m: float = 1.5
    """Points nearer are taken for the vehicle itself."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_range_m < self.max_range_m:
            raise InputError(
                f"min_range_m ({self.min_range_m}) must lie between 0 and max_range_m ({self.max_range_m})"
            )
        if not self.voxel_size_m > 0:
            raise InputError(f"voxel_size_m must be positive, got {self.voxel_size_m}")


class SweepRegistration:
    """KISS-ICP and the path it has found so far."""

    def __init__(self, settings: LidarOdometrySettings, first_motion: Trajectory | None = None) -> None:
        """Start with an empty map.

        Args:
            settings: how sweeps are registered.
            first_motion: two poses of the LiDAR that tell how it moves in its first sweeps, if that is known.

        Raises:
            MissingFeatureError: kiss-icp is not installed.
        """
        try:
            from kiss_icp.config import KISSConfig
            from kiss_icp.kiss_icp import KissICP
        except ImportError as error:
            raise MissingFeatureError("LiDAR odometry needs the package kiss-icp; `pip install kiss-icp`") from error
        config = KISSConfig()
        config.mapping.voxel_size = settings.voxel_size_m
        config.data.max_range, config.data.min_range = settings.max_range_m, settings.min_range_m
        # KISS-ICP would take motion out to the end of a sweep; ours leaves the pose at the sweep's own stamp
        config.data.deskew = False
        self.settings = settings
        self.first_motion = first_motion
        self.stamps_ns: list[int] = []
        self.poses: list[Float64[Tensor, "4 4"]] = []
        self._odometry = KissICP(config)

    @property
    def last_motion(self) -> Trajectory | None:
        """The last two poses, or what was given for the first sweeps."""
        if len(self.poses) < 2:
            return self.first_motion
        return Trajectory(torch.tensor(self.stamps_ns[-2:], dtype=torch.int64), torch.stack(self.poses[-2:]))

    def add(self, sweep: Sweep) -> None:
        """Register a sweep; one with too few points in range is passed over."""
        if num_in_range(sweep, self.settings) >= FEWEST_POINTS:
            points_lidar = without_motion(sweep, self.last_motion)
            self._odometry.register_frame(points_lidar.numpy(), np.empty(0))
            self.stamps_ns.append(sweep.stamp_ns)
            self.poses.append(torch.from_numpy(np.array(self._odometry.last_pose, dtype=np.float64)))


def estimate_trajectory(
    recording: Recording, lidar_name: str, settings: LidarOdometrySettings | None = None
) -> Trajectory:
    """Find the path of the rig by registering each sweep to those before it.

    The world is the rig at the first sweep, so its z axis is up as far as the rig stood upright. Motion within a sweep
    is taken out with the velocity of the one before, where points have times of their own; the first sweeps are
    registered twice, since at first no velocity is known. One sweep is in memory at a time, and the map around the
    vehicle.

    Args:
        recording: its poses are not used, only the mount of the LiDAR.
        lidar_name: which LiDAR of the rig.
        settings: how sweeps are registered.

    Raises:
        InputError: there are fewer than two sweeps with enough points.
        MissingFeatureError: kiss-icp is not installed.
    """
    chosen = settings or LidarOdometrySettings()
    first_motion: Trajectory | None = None
    for _ in range(2):
        trial = SweepRegistration(chosen, first_motion)
        for sweep in recording.sweeps(lidar_name, range(SWEEPS_TRIED)):
            trial.add(sweep)
        first_motion = trial.last_motion
    registration = SweepRegistration(chosen, first_motion)
    for sweep in recording.sweeps(lidar_name):
        registration.add(sweep)
    if len(registration.poses) < 2:
        raise InputError(
            f"LiDAR odometry needs at least two sweeps of '{lidar_name}' with {FEWEST_POINTS} points between "
            f"{chosen.min_range_m} and {chosen.max_range_m} m, found {len(registration.poses)}"
        )
    # the world is the rig at the first sweep: into the LiDAR's frame there, and out of it again
    mount = recording.rig.lidar(lidar_name).rig_from_lidar
    poses = mount @ torch.stack(registration.poses) @ inverse(mount)
    return Trajectory(torch.tensor(registration.stamps_ns, dtype=torch.int64), poses)


def num_in_range(sweep: Sweep, settings: LidarOdometrySettings) -> int:
    """How many points of a sweep can be registered."""
    ranges_m = sweep.points_lidar.norm(dim=-1)
    return int(((ranges_m > settings.min_range_m) & (ranges_m < settings.max_range_m)).sum())


def without_motion(sweep: Sweep, motion: Trajectory | None) -> Float64[Tensor, "n 3"]:
    """The points of a sweep as they would be seen from where the LiDAR was at the sweep's stamp.

    Args:
        sweep: with a time for each point.
        motion: two poses of the LiDAR; it is taken to move on like that. None leaves the points as they are.
    """
    points = sweep.points_lidar.double()
    if motion is None or not len(points) or bool((sweep.point_stamps_ns == sweep.stamp_ns).all()):
        return points
    ticks, tick_of_point = torch.unique(sweep.point_stamps_ns // TICK_NS, return_inverse=True)
    # only differences count: the motion is moved to the sweep's time
    asked_ns = torch.cat([torch.zeros(1, dtype=torch.int64), ticks * TICK_NS - sweep.stamp_ns]) + motion.end_ns
    first_from_lidar = poses_at(motion, asked_ns, max_extrapolation_ns=FARTHEST_NS)
    now_from_then = (inverse(first_from_lidar[0]) @ first_from_lidar[1:])[tick_of_point]
    return (now_from_then[:, :3, :3] @ points[:, :, None])[:, :, 0] + now_from_then[:, :3, 3]
