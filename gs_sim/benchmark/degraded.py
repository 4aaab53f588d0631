"""Recordings made worse on purpose: what a method loses by thin or noisy LiDAR and by wrong camera poses."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.geometry.pose import pose_from_twist
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.reposed import with_trajectory
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track


@dataclass(frozen=True)
class ChangedSweeps:
    """A recording whose sweeps were changed. See `Recording`."""

    original: Recording
    change_sweep: Callable[[Sweep], Sweep]

    @property
    def rig(self) -> Rig:
        """See `Recording.rig`."""
        return self.original.rig

    @property
    def world_from_rig(self) -> Trajectory:
        """See `Recording.world_from_rig`."""
        return self.original.world_from_rig

    @property
    def map_from_world(self) -> Float64[Tensor, "4 4"]:
        """See `Recording.map_from_world`."""
        return self.original.map_from_world

    @property
    def tracks(self) -> tuple[Track, ...]:
        """See `Recording.tracks`."""
        return self.original.tracks

    @property
    def skipped(self) -> dict[str, int]:
        """See `Recording.skipped`."""
        return self.original.skipped

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.frame_stamps_ns`."""
        return self.original.frame_stamps_ns(camera_name)

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """See `Recording.frames`."""
        return self.original.frames(camera_name, indices)

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.sweep_stamps_ns`."""
        return self.original.sweep_stamps_ns(lidar_name)

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """See `Recording.sweeps`."""
        return (self.change_sweep(sweep) for sweep in self.original.sweeps(lidar_name, indices))


def with_thin_lidar(recording: Recording, keep_one_of: int) -> ChangedSweeps:
    """Only every so manieth point of each sweep, at random; the same ones whenever a sweep is read."""

    def thin(sweep: Sweep) -> Sweep:
        generator = torch.Generator().manual_seed(sweep.index)
        kept = (torch.rand(len(sweep.points_lidar), generator=generator) < 1 / keep_one_of).nonzero()[:, 0]
        return replace(
            sweep,
            points_lidar=sweep.points_lidar[kept],
            point_stamps_ns=sweep.point_stamps_ns[kept],
            intensities=sweep.intensities[kept],
        )

    return ChangedSweeps(recording, thin)


def with_noisy_lidar(recording: Recording, deviation_m: float) -> ChangedSweeps:
    """Normal noise on the range of every point."""

    def shake(sweep: Sweep) -> Sweep:
        generator = torch.Generator().manual_seed(sweep.index)
        range_m = sweep.points_lidar.norm(dim=1, keepdim=True).clamp(min=1e-3)
        noise_m = deviation_m * torch.randn(range_m.shape, generator=generator)
        return replace(sweep, points_lidar=sweep.points_lidar * (1 + noise_m / range_m))

    return ChangedSweeps(recording, shake)


def with_wrong_poses(recording: Recording, shift_m: float, turn_deg: float, every_s: float = 0.5) -> Recording:
    """A path that is off by this much (root mean square), changing smoothly: a new error each `every_s` seconds.

    Sweeps and tracks stay where they were relative to the vehicle, so they are off as well.
    """
    path = recording.world_from_rig
    seconds = (path.stamps_ns - path.stamps_ns[0]).double() / 1e9
    generator = torch.Generator().manual_seed(0)
    knots = torch.randn(int(seconds[-1] / every_s) + 2, 6, generator=generator, dtype=torch.float64)
    knots = knots / knots.square().mean(dim=0).sqrt() / math.sqrt(3)  # per axis
    place = seconds / every_s
    before = place.floor().long()
    share = (place - before)[:, None]
    size = torch.tensor([shift_m] * 3 + [math.radians(turn_deg)] * 3, dtype=torch.float64)
    errors = pose_from_twist(size * torch.lerp(knots[before], knots[before + 1], share))
    return with_trajectory(recording, Trajectory(path.stamps_ns, path.poses @ errors))


VARIANTS: dict[str, Callable[[Recording], Recording]] = {
    "clean": lambda recording: recording,
    "LiDAR 1/4": lambda recording: with_thin_lidar(recording, 4),
    "LiDAR 1/16": lambda recording: with_thin_lidar(recording, 16),
    "LiDAR noise 5 cm": lambda recording: with_noisy_lidar(recording, 0.05),
    "poses 10 cm, 0.5 deg": lambda recording: with_wrong_poses(recording, 0.10, 0.5),
}
"""What robustness is measured against."""
