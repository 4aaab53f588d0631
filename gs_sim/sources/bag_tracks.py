"""Detected boxes of a bag joined to tracks in the world."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import FrameLinkError, OutsideTrajectoryError
from gs_sim.geometry.coverage import is_known, reach_of
from gs_sim.geometry.pose import inverse
from gs_sim.geometry.trajectory import Trajectory, pose_at
from gs_sim.sensing.track import Track
from gs_sim.sources.bag_collect import Skipped
from gs_sim.sources.bag_index import BagIndex
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_vehicle import Vehicle
from gs_sim.sources.detection import Detection
from gs_sim.sources.transforms import TransformTree, is_mounted, mount, poses_between


@dataclass(frozen=True)
class WorldBox:
    """One box of one object at one moment."""

    stamp_ns: int
    detection: Detection
    world_from_box: Float64[Tensor, "4 4"]


def tracks_of(index: BagIndex, vehicle: Vehicle, settings: BagSettings, skipped: Skipped) -> tuple[Track, ...]:
    """Boxes of equal id become one track with the median size; boxes that cannot be placed are counted."""
    by_id: dict[str, dict[int, WorldBox]] = {}
    path, max_gap_ns = vehicle.world_from_rig, round(settings.max_pose_gap_s * 1e9)
    reach_ns = reach_of(path, settings.max_extrapolation_s)
    for message in index.detections:
        frames: dict[str, Float64[Tensor, "4 4"] | None] = {}
        for frame, detection in message.boxes:
            if not detection.actor_id:
                skipped.note("boxes without a track id")
                continue
            if frame not in frames:
                is_covered = bool(is_known(path, torch.tensor([message.stamp_ns]), reach_ns, max_gap_ns))
                pose = frame_in_world(index.tree, vehicle, frame, message.stamp_ns, reach_ns) if is_covered else None
                frames[frame] = pose
            world_from_frame = frames[frame]
            if world_from_frame is None:
                skipped.note(f"boxes in frame '{frame}' whose place in the world is not known")
                continue
            box = WorldBox(message.stamp_ns, detection, world_from_frame @ detection.frame_from_box)
            by_id.setdefault(detection.actor_id, {}).setdefault(message.stamp_ns, box)
    return tuple(track_of(actor_id, sorted(own.values(), key=lambda b: b.stamp_ns)) for actor_id, own in by_id.items())


def frame_in_world(
    tree: TransformTree, vehicle: Vehicle, frame: str, stamp_ns: int, reach_ns: int
) -> Float64[Tensor, "4 4"] | None:
    """Where a frame is in the world: the fixed frame, one on the vehicle, or one that /tf moves; else None."""
    world_from_map = inverse(vehicle.map_from_world)
    if frame == vehicle.fixed_frame:
        return world_from_map
    if is_mounted(tree, vehicle.base_frame, frame):
        world_from_rig = pose_at(vehicle.world_from_rig, stamp_ns, reach_ns)
        rig_from_frame = mount(tree, vehicle.base_frame, frame)
        return world_from_rig @ rig_from_frame
    try:
        stamps_ns = torch.tensor([stamp_ns])
        map_from_frame = poses_between(tree, vehicle.fixed_frame, frame, stamps_ns, reach_ns)[0]
    except (FrameLinkError, OutsideTrajectoryError):
        return None
    return world_from_map @ map_from_frame


def track_of(actor_id: str, boxes: list[WorldBox]) -> Track:
    """One object; its class is the one most boxes give."""
    labels = [box.detection.label for box in boxes]
    sizes = torch.tensor([box.detection.size_m for box in boxes], dtype=torch.float64)
    length, width, height = sizes.quantile(0.5, dim=0).tolist()
    path = Trajectory(
        torch.tensor([box.stamp_ns for box in boxes], dtype=torch.int64),
        torch.stack([box.world_from_box for box in boxes]),
    )
    return Track(actor_id, max(labels, key=labels.count), (length, width, height), path)
