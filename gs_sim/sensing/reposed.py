"""A recording whose path was found anew: the same images and sweeps, other poses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.coverage import covering, is_known
from gs_sim.geometry.pose import inverse
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track

MAX_GAP_NS = 10**9
"""Images within a longer gap between poses are left out."""


@dataclass(frozen=True)
class ReposedRecording:
    """Implements `gs_sim.sensing.recording.Recording` on top of another one, which it streams from."""

    source: Recording
    world_from_rig: Trajectory
    map_from_world: Float64[Tensor, "4 4"]
    tracks: tuple[Track, ...]
    kept: dict[str, list[int]]
    """Per sensor, which indices of the source have a pose; their positions are the indices here."""
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def rig(self) -> Rig:
        """See `Recording.rig`."""
        return self.source.rig

    @property
    def skipped(self) -> dict[str, int]:
        """See `Recording.skipped`; the source's own included."""
        return self.source.skipped | self.left_out

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.frame_stamps_ns`."""
        return self.source.frame_stamps_ns(camera_name)[self.kept[camera_name]]

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """See `Recording.frames`."""
        wanted, new_index = self._wanted(self.rig.camera(camera_name).name, indices)
        for frame in self.source.frames(camera_name, wanted):
            yield replace(frame, index=new_index[frame.index])

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.sweep_stamps_ns`."""
        return self.source.sweep_stamps_ns(lidar_name)[self.kept[lidar_name]]

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """See `Recording.sweeps`."""
        wanted, new_index = self._wanted(self.rig.lidar(lidar_name).name, indices)
        for sweep in self.source.sweeps(lidar_name, wanted):
            yield replace(sweep, index=new_index[sweep.index])

    def _wanted(self, name: str, indices: Sequence[int] | None) -> tuple[list[int], dict[int, int]]:
        kept = self.kept[name]
        chosen = range(len(kept)) if indices is None else [index for index in indices if 0 <= index < len(kept)]
        return [kept[index] for index in chosen], {old: new for new, old in enumerate(kept)}


def with_trajectory(recording: Recording, world_from_rig: Trajectory) -> ReposedRecording:
    """Give a recording another path.

    Frames and sweeps outside the path by more than its longest step, or in a gap of more than a second, are left out
    and counted; up to there the path is continued. Tracks keep their place relative to the vehicle, since that is what
    was measured. The recording's own fixed frame is tied to the new world at the first common pose.

    Raises:
        InputError: no image at all lies within the path.
    """
    rig, path, old = recording.rig, world_from_rig, recording.world_from_rig
    steps_ns = path.stamps_ns.diff()
    reach_ns = min(int(steps_ns.max()), MAX_GAP_NS) if len(steps_ns) else 0
    stamps_of = {camera.name: recording.frame_stamps_ns(camera.name) for camera in rig.cameras}
    stamps_of |= {lidar.name: recording.sweep_stamps_ns(lidar.name) for lidar in rig.lidars}
    kept, left_out, covered = {}, {}, [torch.zeros(0, dtype=torch.int64)]
    for name, stamps_ns in stamps_of.items():
        is_kept = is_known(path, stamps_ns, reach_ns, MAX_GAP_NS)
        kept[name] = is_kept.nonzero()[:, 0].tolist()
        covered.append(stamps_ns[is_kept])
        if num_lost := len(stamps_ns) - len(kept[name]):
            left_out[f"images or sweeps of {name} outside the path that was found"] = num_lost
    if not any(kept[camera.name] for camera in rig.cameras):
        raise InputError(
            f"no image lies within the path that was found ({path.start_ns / 1e9:.3f} to {path.end_ns / 1e9:.3f} s); "
            "do the clocks of the sensors agree?"
        )
    path = covering(path, torch.cat(covered), reach_ns)
    tracks = tuple(track for track in (moved_track(track, old, path) for track in recording.tracks) if track)
    first_ns = max(path.start_ns, old.start_ns)
    at_first = torch.tensor([first_ns])
    map_from_rig = recording.map_from_world @ poses_at(old, at_first, MAX_GAP_NS)[0]
    map_from_world = map_from_rig @ inverse(poses_at(path, at_first, MAX_GAP_NS)[0])
    return ReposedRecording(recording, path, map_from_world, tracks, kept, left_out)


def moved_track(track: Track, old: Trajectory, new: Trajectory) -> Track | None:
    """A track with the same poses relative to the vehicle; None if it lies outside the new path altogether."""
    stamps_ns = track.world_from_box.stamps_ns
    is_covered = (stamps_ns >= max(old.start_ns, new.start_ns)) & (stamps_ns <= min(old.end_ns, new.end_ns))
    if not is_covered.any():
        return None
    stamps_ns = stamps_ns[is_covered]
    rig_from_box = inverse(poses_at(old, stamps_ns)) @ track.world_from_box.poses[is_covered]
    world_from_rig = poses_at(new, stamps_ns)
    return replace(track, world_from_box=Trajectory(stamps_ns, world_from_rig @ rig_from_box))
