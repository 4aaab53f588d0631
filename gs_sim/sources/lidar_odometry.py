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


@dataclass(frozen=True)
class LidarOdometrySettings:
    """How sweeps are registered."""

    voxel_size_m: float = 0.8
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


def estimate_trajectory(
    recording: Recording, lidar_name: str, settings: LidarOdometrySettings | None = None
) -> Trajectory:
    """Find the path of the rig by registering each sweep to those before it.

    The world is the rig at the first sweep, so its z axis is up as far as the rig stood upright. Motion within a sweep
    is taken out with the velocity of the one before, where points have times of their own. One sweep is in memory at a
    time, and the map around the vehicle.

    Args:
        recording: its poses are not used, only the mount of the LiDAR.
        lidar_name: which LiDAR of the rig.
        settings: how sweeps are registered.

    Raises:
        InputError: there are fewer than two sweeps with enough points.
        MissingFeatureError: kiss-icp is not installed.
    """
    try:
        from kiss_icp.config import KISSConfig
        from kiss_icp.kiss_icp import KissICP
    except ImportError as error:
        raise MissingFeatureError("LiDAR odometry needs the package kiss-icp; `pip install kiss-icp`") from error
    chosen = settings or LidarOdometrySettings()
    config = KISSConfig()
    config.mapping.voxel_size = chosen.voxel_size_m
    config.data.max_range, config.data.min_range = chosen.max_range_m, chosen.min_range_m
    # KISS-ICP would take motion out to the end of a sweep; ours leaves the pose at the sweep's own stamp
    config.data.deskew = False
    odometry = KissICP(config)
    stamps: list[int] = []
    poses: list[Float64[Tensor, "4 4"]] = []
    for sweep in recording.sweeps(lidar_name):
        if num_in_range(sweep, chosen) < FEWEST_POINTS:
            continue
        points = without_motion(sweep, stamps, poses).numpy().astype(np.float64)
        odometry.register_frame(points, np.empty(0))
        stamps.append(sweep.stamp_ns)
        poses.append(torch.from_numpy(np.array(odometry.last_pose, dtype=np.float64)))
    if len(stamps) < 2:
        raise InputError(
            f"LiDAR odometry needs at least two sweeps of '{lidar_name}' with {FEWEST_POINTS} points between "
            f"{chosen.min_range_m} and {chosen.max_range_m} m, found {len(stamps)}"
        )
    rig_from_lidar = recording.rig.lidar(lidar_name).rig_from_lidar
    first_from_lidar = torch.stack(poses)
    # the world is the rig at the first sweep
    world_from_rig = rig_from_lidar @ first_from_lidar @ inverse(rig_from_lidar)
    return Trajectory(torch.tensor(stamps, dtype=torch.int64), world_from_rig)


def num_in_range(sweep: Sweep, settings: LidarOdometrySettings) -> int:
    """How many points of a sweep can be registered."""
    ranges_m = sweep.points_lidar.norm(dim=-1)
    return int(((ranges_m > settings.min_range_m) & (ranges_m < settings.max_range_m)).sum())


def without_motion(sweep: Sweep, stamps_ns: list[int], poses: list[Float64[Tensor, "4 4"]]) -> Float64[Tensor, "n 3"]:
    """The points of a sweep as they would be seen from where the LiDAR was at the sweep's stamp.

    The velocity is that between the last two sweeps; the first two are left as they are.
    """
    points_lidar = sweep.points_lidar.double()
    if len(stamps_ns) < 2 or not len(points_lidar) or bool((sweep.point_stamps_ns == sweep.stamp_ns).all()):
        return points_lidar
    path = Trajectory(torch.tensor(stamps_ns[-2:], dtype=torch.int64), torch.stack(poses[-2:]))
    ticks, tick_of_point = torch.unique(sweep.point_stamps_ns // TICK_NS, return_inverse=True)
    asked = torch.cat([torch.tensor([sweep.stamp_ns]), ticks * TICK_NS])
    first_from_lidar = poses_at(path, asked, max_extrapolation_ns=2**62)
    now_from_then = inverse(first_from_lidar[0]) @ first_from_lidar[1:]
    turned = now_from_then[tick_of_point]
    return (turned[:, :3, :3] @ points_lidar[:, :, None])[:, :, 0] + turned[:, :3, 3]
