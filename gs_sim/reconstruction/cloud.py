"""LiDAR of a whole drive as coloured points: the static world, and each actor in its box."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import open3d as o3d
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.geometry.trajectory import pose_at
from gs_sim.reconstruction.boxes import ActorTrack, exists_at, is_inside_box, points_in_box
from gs_sim.reconstruction.views import TrainingView, rig_poses_at
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.sweep import Sweep

FINEST_VOXEL_M = 0.04
COMPACT_ABOVE = 2_000_000
"""Gathered points are thinned to the finest voxels whenever there are more than this."""
MAX_DEPTH_LAG_NS = 100_000_000
"""A sweep further from a view in time says nothing about its depth."""
MIN_RANGE_M = 2.0
"""Nearer returns are mostly the vehicle itself."""


@dataclass(frozen=True)
class Cloud:
    """Points of one frame with colour; `depth_m` is the smallest depth any view sees each at."""

    points: Float32[Tensor, "n 3"]
    rgb: Float32[Tensor, "n 3"]
    depth_m: Float32[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class GatheredPoints:
    """LiDAR points before colour: the static world, and per actor those in its box frame."""

    points_world: Float32[Tensor, "n 3"]
    points_box: tuple[Float32[Tensor, "_ 3"], ...]


def gather_points(recording: Recording, actors: Sequence[ActorTrack]) -> GatheredPoints:
    """Stream every sweep, undo the rig's motion, and sort the points into world and boxes."""
    static: list[Tensor] = []
    boxed: list[list[Tensor]] = [[] for _ in actors]
    for lidar in recording.rig.lidars:
        for sweep in recording.sweeps(lidar.name):
            points_world, stamps_ns = timed_points_in_world(recording, sweep)
            is_static = torch.ones(len(points_world), dtype=torch.bool)
            for actor, of_actor in zip(actors, boxed, strict=True):
                if not exists_at(actor.track, sweep.stamp_ns):
                    continue
                points_box = points_in_box(points_world, actor.track, stamps_ns)
                is_inside = is_inside_box(points_box, actor.track.size_m)
                of_actor.append(points_box[is_inside].float())
                is_static &= ~is_inside
            static.append(points_world[is_static].float())
            if sum(len(part) for part in static) > COMPACT_ABOVE:
                static = [thin(torch.cat(static), FINEST_VOXEL_M)]
    return GatheredPoints(
        points_world=thin(torch.cat(static), FINEST_VOXEL_M) if static else torch.zeros(0, 3),
        points_box=tuple(thin(torch.cat(parts), FINEST_VOXEL_M) if parts else torch.zeros(0, 3) for parts in boxed),
    )


def sweep_in_world(recording: Recording, sweep: Sweep) -> Float64[Tensor, "n 3"]:
    """Points of a sweep in the world, each moved by the rig's pose at its own time."""
    return timed_points_in_world(recording, sweep)[0]


def timed_points_in_world(recording: Recording, sweep: Sweep) -> tuple[Float64[Tensor, "n 3"], Int64[Tensor, "n"]]:
    """Points of a sweep in the world, without those on the vehicle itself, and when each was measured."""
    rig_from_lidar = recording.rig.lidar(sweep.lidar_name).rig_from_lidar
    points_rig = transform_points(rig_from_lidar, sweep.points_lidar.double())
    is_far_enough = sweep.points_lidar.norm(dim=-1) > MIN_RANGE_M
    points_rig, stamps_ns = points_rig[is_far_enough], sweep.point_stamps_ns[is_far_enough]
    # Poses are interpolated on a 1 ms grid: at 20 m/s that is 2 cm, below LiDAR noise.
    ticks, which = torch.unique(stamps_ns // 1_000_000, return_inverse=True)
    world_from_rig = rig_poses_at(recording, ticks * 1_000_000)
    rotated = torch.einsum("nij,nj->ni", world_from_rig[which, :3, :3], points_rig)
    return rotated + world_from_rig[which, :3, 3], stamps_ns


def voxel_groups(points: Float[Tensor, "n 3"], voxel_m: Float[Tensor, "n"] | float) -> Int64[Tensor, "n"]:
    """Number the occupied voxels; `voxel_m` may differ per point (points of unlike size never share one)."""
    size = torch.as_tensor(voxel_m, dtype=torch.float64).expand(len(points))
    cell = torch.floor(points.double() / size[:, None]).long()
    cell -= cell.min(dim=0, keepdim=True).values if len(cell) else 0
    extent = (cell.max(dim=0).values + 1).tolist() if len(cell) else [1, 1, 1]
    level = (size * 1e6).round().long()
    level = torch.unique(level, return_inverse=True)[1]
    key = ((level * extent[0] + cell[:, 0]) * extent[1] + cell[:, 1]) * extent[2] + cell[:, 2]
    groups: Tensor = torch.unique(key, return_inverse=True)[1]
    return groups


def nearest(
    points: Float32[Tensor, "n 3"], queries: Float32[Tensor, "m 3"], most: int
) -> tuple[Int64[Tensor, "m k"], Float32[Tensor, "m k"]]:
    """Indices of the points nearest to each query, nearest first, at most so many, and their squared distances."""
    known, asked = (o3d.core.Tensor(np.ascontiguousarray(each.numpy(), dtype=np.float32)) for each in (points, queries))
    search = o3d.core.nns.NearestNeighborSearch(known)
    search.knn_index()
    index, squared = search.knn_search(asked, min(most, len(points)))
    return torch.from_numpy(index.numpy()).long(), torch.from_numpy(squared.numpy()).clamp(min=0).float()


def average_by(groups: Int64[Tensor, "n"], values: Float32[Tensor, "n k"]) -> Float32[Tensor, "m k"]:
    """Mean of the rows of each group."""
    count = int(groups.max()) + 1 if len(groups) else 0
    sums = torch.zeros(count, values.shape[1]).index_add_(0, groups, values)
    return sums / torch.bincount(groups, minlength=count).float()[:, None]


def thin(points: Float32[Tensor, "n 3"], voxel_m: float) -> Float32[Tensor, "m 3"]:
    """One mean point per occupied voxel."""
    return average_by(voxel_groups(points, voxel_m), points)


def thin_cloud(cloud: Cloud, voxel_m: Float[Tensor, "n"]) -> Cloud:
    """One mean coloured point per occupied voxel."""
    groups = voxel_groups(cloud.points, voxel_m)
    merged = average_by(groups, torch.cat([cloud.points, cloud.rgb, cloud.depth_m[:, None]], dim=1))
    return Cloud(merged[:, :3], merged[:, 3:6], merged[:, 6])


def project(
    points_world: Float32[Tensor, "n 3"], view: TrainingView
) -> tuple[Float32[Tensor, "n 2"], Float32[Tensor, "n"]]:
    """Pixel coordinates (centres at +0.5) and depth of points in a view; depth <= 0 is behind."""
    points_camera = transform_points(inverse(view.world_from_camera), points_world)
    depth_m = points_camera[:, 2]
    safe = depth_m.clamp(min=1e-3)
    u = view.camera.fx * points_camera[:, 0] / safe + view.camera.cx
    v = view.camera.fy * points_camera[:, 1] / safe + view.camera.cy
    return torch.stack([u, v], dim=-1), depth_m


def colour_points(
    points: Float32[Tensor, "n 3"], views: Sequence[TrainingView], actor: ActorTrack | None = None
) -> Cloud:
    """Colour points by the views that see them; points that no view sees are left out.

    Points are of the world, or of the actor's box. A view sees a point when no other point lies
    clearly in front of it; nearer views weigh more.
    """
    colour = torch.zeros(len(points), 3)
    weight = torch.zeros(len(points))
    nearest_m = torch.full((len(points),), float("inf"))
    for view in views:
        if actor is not None and not exists_at(actor.track, view.stamp_ns):
            continue
        points_world = points
        if actor is not None:
            points_world = transform_points(pose_at(actor.track.world_from_box, view.stamp_ns), points)
        pixels, depth_m = project(points_world, view)
        seen = visible_indices(pixels, depth_m, view)
        column, row = pixels[seen, 0].long(), pixels[seen, 1].long()
        closeness = 1 / depth_m[seen] ** 2
        colour[seen] += view.rgb[row, column].float() / 255 * closeness[:, None]
        weight[seen] += closeness
        nearest_m[seen] = torch.minimum(nearest_m[seen], depth_m[seen])
    has_colour = weight > 0
    return Cloud(points[has_colour], colour[has_colour] / weight[has_colour, None], nearest_m[has_colour])


def visible_indices(
    pixels: Float32[Tensor, "n 2"], depth_m: Float32[Tensor, "n"], view: TrainingView, cell_px: int = 3
) -> Int64[Tensor, "m"]:
    """Indices of points inside the image and not clearly behind a point of the same small cell."""
    width, height = view.camera.width_px, view.camera.height_px
    u, v = pixels.unbind(-1)
    inside = ((depth_m > 0.5) & (u >= 0) & (v >= 0) & (u < width) & (v < height)).nonzero()[:, 0]
    columns = -(-width // cell_px)
    cell = (v[inside] / cell_px).long() * columns + (u[inside] / cell_px).long()
    front = torch.full((columns * -(-height // cell_px),), float("inf"))
    front.scatter_reduce_(0, cell, depth_m[inside], reduce="amin")
    return inside[depth_m[inside] <= front[cell] * 1.05 + 0.2]


def with_lidar_depth(recording: Recording, views: Sequence[TrainingView]) -> tuple[TrainingView, ...]:
    """Give each view the depths that the nearest sweep of each LiDAR measured, at most 0.1 s away."""
    measured: list[list[tuple[Tensor, Tensor]]] = [[] for _ in views]
    for lidar in recording.rig.lidars:
        stamps_ns = recording.sweep_stamps_ns(lidar.name)
        if not len(stamps_ns):
            continue
        nearest = [int((stamps_ns - view.stamp_ns).abs().argmin()) for view in views]
        for sweep in recording.sweeps(lidar.name, sorted(set(nearest))):
            points_world = sweep_in_world(recording, sweep).float()
            for view, of_view, index in zip(views, measured, nearest, strict=True):
                if index == sweep.index and abs(sweep.stamp_ns - view.stamp_ns) <= MAX_DEPTH_LAG_NS:
                    pixels, depth_m = project(points_world, view)
                    seen = visible_indices(pixels, depth_m, view, cell_px=4)
                    flat = pixels[seen, 1].long() * view.camera.width_px + pixels[seen, 0].long()
                    of_view.append((flat, depth_m[seen]))
    return tuple(
        replace(view, lidar_pixels=torch.cat([f for f, _ in parts]), lidar_depth_m=torch.cat([d for _, d in parts]))
        if parts
        else view
        for view, parts in zip(views, measured, strict=True)
    )
