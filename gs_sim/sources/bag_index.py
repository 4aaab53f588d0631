"""What is known of a bag after one pass over it: stamps, calibrations, transforms, boxes; no pixels, no points."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.bag_topics import CameraTopic, LidarTopic
from gs_sim.sources.messages.detections import StampedDetections
from gs_sim.sources.messages.point_time import PointTime
from gs_sim.sources.stamps import KeptStamps
from gs_sim.sources.transforms import TransformTree


@dataclass(frozen=True)
class CameraIndex:
    """One camera of a bag."""

    topic: CameraTopic
    frame: str
    """The tf frame its images are given in."""
    stamps: KeptStamps
    encoding: str
    size_hw: tuple[int, int]
    """The size that most images have; (0, 0) if none could be decoded."""
    info: Any
    """The CameraInfo message, or None."""
    problem: str
    """Why its images cannot be decoded; empty if they can."""
    is_depth: bool


@dataclass(frozen=True)
class LidarIndex:
    """One LiDAR of a bag."""

    topic: LidarTopic
    frame: str
    stamps: KeptStamps
    fields: tuple[str, ...]
    point_time: PointTime | None
    """What the time field means; None if there is none or its values fit no sweep."""
    problem: str
    """Why its clouds cannot be decoded; empty if they can."""
    has_times: bool
    """Whether there is a time field at all."""


@dataclass(frozen=True)
class VehiclePath:
    """Poses of the vehicle as one topic gives them."""

    topic: str
    parent: str
    child: str
    """Empty where the message does not name it."""
    parent_from_child: Trajectory


@dataclass(frozen=True)
class BagIndex:
    """All that the first pass found."""

    cameras: tuple[CameraIndex, ...]
    lidars: tuple[LidarIndex, ...]
    path: VehiclePath | None
    """None if no topic gives the vehicle's pose; it may still be in `tree`."""
    tree: TransformTree
    detections: tuple[StampedDetections, ...]
    skipped: Mapping[str, int]
