"""The contract between sources and everything behind them.

`reconstruct` receives a Recording and never learns whether a bag, live topics or a
synthetic street is behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track


@runtime_checkable
class Recording(Protocol):
    """A drive: a rig, its path, and streams of what its sensors saw.

    Images and sweeps are streamed: an implementation holds at most one of each in memory
    beyond what the caller keeps. The world frame is ENU, metres, with its origin near the
    first pose of the rig.
    """

    @property
    def rig(self) -> Rig:
        """The sensors and their mounts; its cameras are rectified."""
        ...

    @property
    def world_from_rig(self) -> Trajectory:
        """The path of `base_link`."""
        ...

    @property
    def map_from_world(self) -> Float64[Tensor, "4 4"]:
        """Where the recording's own fixed frame (`map`, `odom`) has the world's origin."""
        ...

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Tracked objects, parked ones included."""
        ...

    @property
    def skipped(self) -> dict[str, int]:
        """How many messages were left out so far, by the sentence that says why."""
        ...

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """Stamps of the camera's frames, strictly increasing; position = `Frame.index`."""
        ...

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """Stream the camera's frames in time order, all or those with these indices."""
        ...

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """Stamps of the LiDAR's sweeps, strictly increasing; position = `Sweep.index`."""
        ...

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """Stream the LiDAR's sweeps in time order, all or those with these indices."""
        ...


@dataclass(frozen=True)
class MemoryRecording:
    """A Recording whose frames and sweeps are all in memory."""

    rig: Rig
    world_from_rig: Trajectory
    map_from_world: Float64[Tensor, "4 4"]
    tracks: tuple[Track, ...]
    all_frames: tuple[Frame, ...]
    all_sweeps: tuple[Sweep, ...]
    skipped: dict[str, int]

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.frame_stamps_ns`."""
        self.rig.camera(camera_name)
        return torch.tensor([f.stamp_ns for f in self.frames(camera_name)], dtype=torch.int64)

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """See `Recording.frames`."""
        self.rig.camera(camera_name)
        chosen = None if indices is None else set(indices)
        for frame in self.all_frames:
            if frame.camera_name == camera_name and (chosen is None or frame.index in chosen):
                yield frame

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.sweep_stamps_ns`."""
        self.rig.lidar(lidar_name)
        return torch.tensor([s.stamp_ns for s in self.sweeps(lidar_name)], dtype=torch.int64)

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """See `Recording.sweeps`."""
        self.rig.lidar(lidar_name)
        chosen = None if indices is None else set(indices)
        for sweep in self.all_sweeps:
            if sweep.lidar_name == lidar_name and (chosen is None or sweep.index in chosen):
                yield sweep
