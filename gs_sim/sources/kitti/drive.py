"""A KITTI drive as a Recording: the rig, its path, and files that are read when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track
from gs_sim.sources.kitti.files import StampedFiles, read_points, require_file

LIDAR_NAME = "velodyne_points"


@dataclass(frozen=True)
class RigBox:
    """One labelled object at one moment, in the rig frame (`base_link`)."""

    stamp_ns: int
    actor_id: str
    label: str
    size_m: tuple[float, float, float]
    rig_from_box: Float64[Tensor, "4 4"]


@dataclass(frozen=True)
class KittiDrive:
    """Implements `gs_sim.sensing.recording.Recording`; holds no image or sweep in memory."""

    rig: Rig
    world_from_rig: Trajectory
    map_from_world: Float64[Tensor, "4 4"]
    images: dict[str, StampedFiles]
    """By camera name."""
    sweep_files: StampedFiles
    boxes: tuple[RigBox, ...]
    skipped: dict[str, int]
    _counted: set[Path] = field(default_factory=set, repr=False, compare=False)
    """Sweeps whose unusable points are in `skipped` already, so that reading twice does not count twice."""

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The labelled objects, each with one size and a path in the world."""
        return tracks_from_boxes(self.boxes, self.world_from_rig)

    def frame_stamps_ns(self, camera_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.frame_stamps_ns`."""
        self.rig.camera(camera_name)
        return self.images[camera_name].stamps_ns

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        """See `Recording.frames`.

        Raises:
            InputError: an image is damaged or of another size than the calibration says.
        """
        camera = self.rig.camera(camera_name).camera
        files = self.images[camera_name]
        chosen = None if indices is None else set(indices)
        for index, path in enumerate(files.paths):
            if chosen is None or index in chosen:
                rgb = read_image(path)
                if rgb.shape[:2] != (camera.height_px, camera.width_px):
                    raise InputError(
                        f"{path} is {rgb.shape[1]}x{rgb.shape[0]} pixels, but the calibration of {camera_name} is for "
                        f"{camera.width_px}x{camera.height_px}"
                    )
                yield Frame(camera_name, index, int(files.stamps_ns[index]), rgb)

    def sweep_stamps_ns(self, lidar_name: str) -> Int64[Tensor, "n"]:
        """See `Recording.sweep_stamps_ns`."""
        self.rig.lidar(lidar_name)
        return self.sweep_files.stamps_ns

    def sweeps(self, lidar_name: str, indices: Sequence[int] | None = None) -> Iterator[Sweep]:
        """See `Recording.sweeps`; KITTI gives no time per point, all have the sweep's stamp.

        Raises:
            InputError: a sweep file is missing or truncated.
        """
        self.rig.lidar(lidar_name)
        chosen = None if indices is None else set(indices)
        for index, path in enumerate(self.sweep_files.paths):
            if chosen is None or index in chosen:
                yield self._sweep(index, path)

    def _sweep(self, index: int, path: Path) -> Sweep:
        points_lidar, intensities = read_points(path)
        is_usable = points_lidar.isfinite().all(dim=1) & (points_lidar != 0).any(dim=1)
        num_unusable = int((~is_usable).sum())
        if num_unusable and path not in self._counted:
            self._counted.add(path)
            sentence = "LiDAR points that are not finite or at the origin"
            self.skipped[sentence] = self.skipped.get(sentence, 0) + num_unusable
        stamp_ns = int(self.sweep_files.stamps_ns[index])
        num_points = int(is_usable.sum())
        return Sweep(
            LIDAR_NAME,
            index,
            stamp_ns,
            points_lidar[is_usable],
            torch.full((num_points,), stamp_ns, dtype=torch.int64),
            intensities[is_usable].nan_to_num(0.0),
        )


def read_image(path: Path) -> UInt8[Tensor, "h w 3"]:
    """Decode an image file to RGB; grey images get three equal channels.

    Raises:
        InputError: the file is missing or is no readable image.
    """
    data = np.frombuffer(require_file(path, "a camera image").read_bytes(), dtype=np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if decoded is None:
        raise InputError(f"{path} cannot be decoded as an image; it may be truncated, copy it again")
    return torch.from_numpy(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def tracks_from_boxes(boxes: Sequence[RigBox], world_from_rig: Trajectory) -> tuple[Track, ...]:
    """Join boxes of equal id to tracks in the world; the size is the median of its boxes."""
    by_id: dict[str, list[RigBox]] = {}
    for box in boxes:
        by_id.setdefault(box.actor_id, []).append(box)
    tracks = []
    for actor_id, own in by_id.items():
        own.sort(key=lambda box: box.stamp_ns)
        stamps_ns = torch.tensor([box.stamp_ns for box in own], dtype=torch.int64)
        rig_from_box = torch.stack([box.rig_from_box for box in own])
        world_from_box = poses_at(world_from_rig, stamps_ns) @ rig_from_box
        length, width, height = (
            torch.tensor([box.size_m for box in own], dtype=torch.float64).median(dim=0).values.tolist()
        )
        tracks.append(Track(actor_id, own[0].label, (length, width, height), Trajectory(stamps_ns, world_from_box)))
    return tuple(tracks)
