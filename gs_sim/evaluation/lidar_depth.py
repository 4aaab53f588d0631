"""What LiDAR says about the depth of each pixel, as ground truth for rendered depth.

Protocol: the sweep nearest in time within half a sweep period, each point moved to the
world by the rig's pose at its own time, and of these only what the camera can see: the
nearest point per pixel, unless a clearly nearer one lies within the LiDAR's line spacing
(the LiDAR sits elsewhere and sees around edges). Points in the boxes of moving actors hide
what is behind them, and are not compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from gs_sim.evaluation.actor_mask import BoxInRig
from gs_sim.evaluation.rig_path import continuation_ns, rig_pose_at
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.sweep import Sweep

TICK_NS = 1_000_000
"""Poses are interpolated on a grid of 1 ms: 2 cm at 20 m/s, below the LiDAR's own noise."""
LINE_SPACING_RAD = 0.008
"""Angle between neighbouring lines of a coarse spinning LiDAR (64 lines over 27 degrees)."""
BOX_MARGIN_M = 0.3
"""Labels are drawn tight, and a moving box drifts within a sweep."""
SWEEP_OVERHANG_NS = 200_000_000
"""Points of the first and last sweep may lie this much further beyond the path than the sweep itself."""


class SweepCursor:
    """Walks one LiDAR's sweeps along with ascending frame stamps, holding one sweep at a time."""

    def __init__(self, recording: Recording, lidar_name: str, frame_stamps_ns: Int64[Tensor, "n"]) -> None:
        self._stamps_ns = recording.sweep_stamps_ns(lidar_name)
        gaps = self._stamps_ns[1:] - self._stamps_ns[:-1]
        # A lone sweep has no period: take the 10 Hz of a common spinning LiDAR.
        self._reach_ns = (int(gaps.median()) if len(gaps) else 100_000_000) // 2
        nearest = {self._index_near(int(stamp)) for stamp in frame_stamps_ns}
        indices = sorted(index for index in nearest if index is not None)
        self._stream: Iterator[Sweep] = recording.sweeps(lidar_name, indices) if indices else iter(())
        self._current: Sweep | None = None

    def nearest(self, stamp_ns: int) -> Sweep | None:
        """The sweep nearest to this stamp, not earlier than those asked for before; None if all are too far."""
        index = self._index_near(stamp_ns)
        if index is None:
            return None
        while self._current is None or self._current.index < index:
            following = next(self._stream, None)
            if following is None:
                return None
            self._current = following
        return self._current if self._current.index == index else None

    def _index_near(self, stamp_ns: int) -> int | None:
        if len(self._stamps_ns) == 0:
            return None
        distances = (self._stamps_ns - stamp_ns).abs()
        index = int(distances.argmin())
        return index if int(distances[index]) <= self._reach_ns else None


@dataclass(frozen=True)
class MeasuredPoints:
    """LiDAR points around one moment."""

    points_world: Float64[Tensor, "n 3"]
    is_static: Bool[Tensor, "n"]
    """False for points on moving actors."""


def join_points(parts: Sequence[MeasuredPoints]) -> MeasuredPoints:
    """Points of several LiDARs as one set."""
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    return MeasuredPoints(
        torch.cat([nothing, *(part.points_world for part in parts)]),
        torch.cat([torch.zeros(0, dtype=torch.bool), *(part.is_static for part in parts)]),
    )


def points_of_sweep(
    sweep: Sweep, rig_from_lidar: Float64[Tensor, "4 4"], world_from_rig: Trajectory, moving: Sequence[BoxInRig]
) -> MeasuredPoints:
    """The sweep's points in the world, motion undone; `moving` are boxes at the sweep's stamp."""
    points_rig = transform_points(rig_from_lidar, sweep.points_lidar.double())
    ticks, which = torch.unique(sweep.point_stamps_ns // TICK_NS, return_inverse=True)
    reach_ns = continuation_ns(world_from_rig) + SWEEP_OVERHANG_NS
    poses = poses_at(world_from_rig, ticks * TICK_NS, reach_ns)[which]
    points_world = torch.einsum("nij,nj->ni", poses[:, :3, :3], points_rig) + poses[:, :3, 3]
    is_static = torch.ones(len(points_rig), dtype=torch.bool)
    if moving:
        rig_from_world = inverse(rig_pose_at(world_from_rig, sweep.stamp_ns))
        for box in moving:
            points_box = transform_points(inverse(box.rig_from_box) @ rig_from_world, points_world)
            half = torch.tensor(box.size_m, dtype=torch.float64) / 2 + BOX_MARGIN_M
            is_static &= ~(points_box.abs() < half).all(dim=-1)
    return MeasuredPoints(points_world, is_static)


def visible_depth(
    camera: Camera, camera_from_world: Float64[Tensor, "4 4"], measured: MeasuredPoints
) -> tuple[Float[Tensor, "h w"], Bool[Tensor, "h w"]]:
    """Depth (metres along the optical axis) of the nearest visible static point per pixel, and where there is one."""
    points = transform_points(camera_from_world, measured.points_world)
    is_before = points[:, 2] > 0.5
    points, is_static = points[is_before], measured.is_static[is_before]
    u = (camera.fx * points[:, 0] / points[:, 2] + camera.cx).floor().long()
    v = (camera.fy * points[:, 1] / points[:, 2] + camera.cy).floor().long()
    inside = (u >= 0) & (u < camera.width_px) & (v >= 0) & (v < camera.height_px)
    pixel = v * camera.width_px + u
    nearest_of_all = _nearest_per_pixel(camera, pixel[inside], points[inside, 2])
    chosen = inside & is_static
    nearest = _nearest_per_pixel(camera, pixel[chosen], points[chosen, 2])
    reach = max(1, round(LINE_SPACING_RAD * camera.fx))
    front = -torch.nn.functional.max_pool2d(-nearest_of_all[None, None], 2 * reach + 1, stride=1, padding=reach)[0, 0]
    is_seen = nearest.isfinite() & (nearest <= front * 1.05 + 0.3)
    return torch.where(is_seen, nearest, torch.zeros(())), is_seen


def _nearest_per_pixel(
    camera: Camera, pixel: Int64[Tensor, "n"], depth_m: Float64[Tensor, "n"]
) -> Float32[Tensor, "h w"]:
    """Smallest depth in each pixel, infinite where there is none."""
    nearest = torch.full((camera.height_px * camera.width_px,), float("inf"))
    nearest.scatter_reduce_(0, pixel, depth_m.float(), reduce="amin")
    return nearest.reshape(camera.height_px, camera.width_px)
