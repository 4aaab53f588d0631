"""A drive through the street as a Recording: every image and sweep is cast when it is asked for."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory, pose_at
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track
from gs_sim.sources.street.camera_image import street_image
from gs_sim.sources.street.lidar import street_sweep
from gs_sim.sources.street.rig import DISPLACED
from gs_sim.sources.street.street import START_NS, Street


class StreetRecording:
    """See `Recording`; the same street gives the same pixels and points whenever and in whatever order it is read."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.skipped: dict[str, int] = {}

    @property
    def rig(self) -> Rig:
        """See `Recording.rig`."""
        return self.street.rig

    @property
    def world_from_rig(self) -> Trajectory:
        """See `Recording.world_from_rig`."""
        return self.street.world_from_rig

    @property
    def map_from_world(self) -> Float64[Tensor, "4 4"]:
        """The identity: the street's world starts at the drive's first position on the road."""
        return torch.eye(4, dtype=torch.float64)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """See `Recording.tracks`: all moving vehicles, then all parked ones, over the whole drive."""
        return self.street.tracks

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.frame_stamps_ns`; displaced cameras have every n-th stamp of the others."""
        self.rig.camera(camera_name)
        return camera_stamps_ns(self.street, camera_name)

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """See `Recording.frames`."""
        mounted = self.rig.camera(camera_name)
        chosen = None if indices is None else set(indices)
        for index, stamp_ns in enumerate(self.frame_stamps_ns(camera_name).tolist()):
            if chosen is None or index in chosen:
                world_from_camera = pose_at(self.world_from_rig, stamp_ns) @ mounted.rig_from_camera
                rgb = street_image(self.street, camera_name, (mounted.camera, world_from_camera), stamp_ns)
                yield Frame(camera_name, index, stamp_ns, rgb)

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.sweep_stamps_ns`; a sweep's stamp is its start."""
        self.rig.lidar(lidar_name)
        return lidar_stamps_ns(self.street)

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """See `Recording.sweeps`."""
        chosen = None if indices is None else set(indices)
        for index, stamp_ns in enumerate(self.sweep_stamps_ns(lidar_name).tolist()):
            if chosen is None or index in chosen:
                yield street_sweep(self.street, lidar_name, index, stamp_ns)


def cast_all(recording: StreetRecording) -> MemoryRecording:
    """The whole drive in memory: making a first scene reads every sweep several times."""
    rig = recording.rig
    return MemoryRecording(
        rig=rig,
        world_from_rig=recording.world_from_rig,
        map_from_world=recording.map_from_world,
        tracks=recording.tracks,
        all_frames=tuple(frame for mounted in rig.cameras for frame in recording.frames(mounted.name)),
        all_sweeps=tuple(sweep for mounted in rig.lidars for sweep in recording.sweeps(mounted.name)),
        skipped={},
    )


def camera_stamps_ns(street: Street, camera_name: str) -> Int64[Tensor, "n"]:
    """Images are taken when the LiDAR looks ahead, half a revolution after its sweep starts."""
    settings = street.settings
    num = max(1, round(settings.duration_s * settings.camera_rate_hz))
    seconds = torch.arange(num, dtype=torch.float64) / settings.camera_rate_hz + 0.5 / settings.lidar_rate_hz
    stamps = START_NS + (seconds * 1e9).round().long()
    return stamps[:: settings.displaced_every] if camera_name in DISPLACED else stamps


def lidar_stamps_ns(street: Street) -> Int64[Tensor, "n"]:
    """One sweep after the other from the start."""
    settings = street.settings
    num = max(1, round(settings.duration_s * settings.lidar_rate_hz))
    return START_NS + (torch.arange(num, dtype=torch.float64) * (1e9 / settings.lidar_rate_hz)).round().long()
