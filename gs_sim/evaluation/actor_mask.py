"""Where moving actors are in an image: the pixels inside their projected boxes.

Judged separately, because a scene that smears or loses its traffic can still score well on
the whole image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from gs_sim.evaluation.rig_path import rig_pose_at
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.geometry.trajectory import pose_at
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.track import Track

MOVING_DISTANCE_M = 2.0
"""An actor that gets this far between the first and the last quarter of its track is moving."""
MOVING_SPEED_MPS = 0.5
"""... unless that is slower than this: the labels of parked cars drift that much."""
NEAR_M = 0.1
"""Boxes are cut at this depth, so that one beside the camera does not wrap around."""


def is_moving(track: Track) -> bool:
    """Whether an actor goes somewhere during its track; ends are averaged against label noise."""
    positions = track.world_from_box.poses[:, :3, 3]
    quarter = max(1, len(positions) // 4)
    travelled_m = float((positions[-quarter:].mean(dim=0) - positions[:quarter].mean(dim=0)).norm())
    seconds = (track.world_from_box.end_ns - track.world_from_box.start_ns) / 1e9
    return travelled_m > MOVING_DISTANCE_M and travelled_m > MOVING_SPEED_MPS * seconds


@dataclass(frozen=True)
class BoxInRig:
    """Where a box is at one moment; relative to the rig, so that it holds in whatever world a scene was built in."""

    rig_from_box: Float64[Tensor, "4 4"]
    size_m: tuple[float, float, float]


def moving_boxes(recording: Recording, moving: Sequence[Track], stamp_ns: int) -> list[BoxInRig]:
    """Boxes of those of the moving tracks that cover a moment."""
    present = [t for t in moving if t.world_from_box.start_ns <= stamp_ns <= t.world_from_box.end_ns]
    if not present:
        return []
    rig_from_world = inverse(rig_pose_at(recording.world_from_rig, stamp_ns))
    return [BoxInRig(rig_from_world @ pose_at(track.world_from_box, stamp_ns), track.size_m) for track in present]


def box_mask(
    camera: Camera, camera_from_box: Float64[Tensor, "4 4"], size_m: tuple[float, float, float]
) -> Bool[Tensor, "h w"]:
    """Pixels inside the outline of a box, without regard to what stands before it."""
    mask = np.zeros((camera.height_px, camera.width_px), dtype=np.uint8)
    visible = _visible_outline_points(camera_from_box, size_m)
    if len(visible):
        u = camera.fx * visible[:, 0] / visible[:, 2] + camera.cx
        v = camera.fy * visible[:, 1] / visible[:, 2] + camera.cy
        # OpenCV draws with pixel centres at integers.
        corners = (torch.stack([u, v], dim=-1) - 0.5).clamp(-1e6, 1e6).round().to(torch.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(corners.numpy()), color=1)
    return torch.from_numpy(mask).bool()


def _visible_outline_points(
    camera_from_box: Float64[Tensor, "4 4"], size_m: tuple[float, float, float]
) -> Float[Tensor, "n 3"]:
    """Ends of the box's twelve edges in the camera frame, each edge cut at the near plane."""
    signs = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5], dtype=torch.float64)] * 3)
    corners = transform_points(camera_from_box, signs * torch.tensor(size_m, dtype=torch.float64))
    edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if int((signs[a] != signs[b]).sum()) == 1]
    points = []
    for a, b in edges:
        start, end = corners[a], corners[b]
        if start[2] < NEAR_M and end[2] < NEAR_M:
            continue
        cut = start + (end - start) * ((NEAR_M - start[2]) / (end[2] - start[2]))
        points.append(cut if start[2] < NEAR_M else start)
        points.append(cut if end[2] < NEAR_M else end)
    return torch.stack(points) if points else torch.zeros(0, 3, dtype=torch.float64)


def moving_actor_mask(
    camera: Camera, camera_from_rig: Float64[Tensor, "4 4"], boxes: Sequence[BoxInRig]
) -> Bool[Tensor, "h w"]:
    """Pixels inside any of these boxes."""
    mask = torch.zeros(camera.height_px, camera.width_px, dtype=torch.bool)
    for box in boxes:
        mask |= box_mask(camera, camera_from_rig @ box.rig_from_box, box.size_m)
    return mask
