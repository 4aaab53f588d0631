"""The vehicle of a bag: its frame, its path, and when that path is known."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import BagError
from gs_sim.geometry.pose import inverse, pose_from
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.bag_index import BagIndex, VehiclePath
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.transforms import TransformTree, is_connected, is_mounted, mount, trajectory_between

BASE_FRAMES = ("base_link", "base_footprint", "ego_vehicle", "vehicle", "rig", "body")
"""Common names of the vehicle's own frame, best first."""

FIXED_FRAMES = ("map", "odom", "world", "local_map", "utm")
"""Common names of the frame a vehicle moves in, best first."""


@dataclass(frozen=True)
class Vehicle:
    """The rig's frame and path, in the names of the bag and in the world of the Recording."""

    base_frame: str
    fixed_frame: str
    """Empty where the bag gives no poses."""
    source: str
    """Where the poses come from, in words."""
    world_from_rig: Trajectory
    map_from_world: Float64[Tensor, "4 4"]
    """A pure translation: the world keeps the axes of the fixed frame."""


def find_vehicle(index: BagIndex, settings: BagSettings) -> Vehicle:
    """Find the path of the vehicle: on its own topic, or else in /tf.

    Raises:
        BagError: there are no poses, and the settings do not do without.
        FrameLinkError: the pose is of a frame that is not connected to the vehicle's.
    """
    tree = index.tree
    if index.path is not None:
        base = base_frame_of(index, settings, index.path)
        child = index.path.child or base
        map_from_rig = moved(index.path.parent_from_child, mount(tree, child, base))
        return in_own_world(base, index.path.parent or "map", index.path.topic, map_from_rig)
    base = settings.base_frame or guess_base_frame(index)
    fixed = settings.fixed_frame or guess_fixed_frame(tree, base)
    if fixed:
        map_from_rig = trajectory_between(tree, fixed, base)
        if len(map_from_rig.stamps_ns) == 1:
            map_from_rig = held(map_from_rig.poses[0], index)
        return in_own_world(base, fixed, f"/tf from {fixed} to {base}", map_from_rig)
    if settings.needs_poses:
        raise BagError(
            "the bag has no pose of the vehicle; expected nav_msgs/Odometry, geometry_msgs/PoseStamped, or a /tf from "
            f"map or odom to {base}: record one of them, or let LiDAR odometry find the path with --poses lidar"
        )
    return in_own_world(base, "", "none", held(torch.eye(4, dtype=torch.float64), index))


def base_frame_of(index: BagIndex, settings: BagSettings, path: VehiclePath) -> str:
    """The named frame, else base_link if the pose's own frame is mounted on it, else the pose's own frame."""
    if settings.base_frame:
        return settings.base_frame
    if path.child and is_mounted(index.tree, path.child, BASE_FRAMES[0]):
        return BASE_FRAMES[0]
    return path.child or guess_base_frame(index)


def guess_base_frame(index: BagIndex) -> str:
    """A frame with a common name, else the root that the first sensor is mounted on."""
    frames = {frame for link in index.tree.links for frame in link}
    for name in BASE_FRAMES:
        if name in frames:
            return name
    sensors = [camera.frame for camera in index.cameras] + [lidar.frame for lidar in index.lidars]
    root = next((frame for frame in sensors if frame), BASE_FRAMES[0])
    parents = {child: parent for parent, child in index.tree.static}
    seen = {root}
    while root in parents and parents[root] not in seen:
        root = parents[root]
        seen.add(root)
    return root


def guess_fixed_frame(tree: TransformTree, base: str) -> str:
    """A frame with a common name that the vehicle moves in, else the top of the moving links above it; or empty."""
    frames = {frame for link in tree.links for frame in link}
    for name in FIXED_FRAMES:
        if name in frames and name != base and is_connected(tree, name, base):
            return name
    parents = {child: parent for parent, child in tree.links}
    top, is_moving, seen = base, False, {base}
    while top in parents and parents[top] not in seen:
        is_moving |= (parents[top], top) in tree.moving
        top = parents[top]
        seen.add(top)
    return top if is_moving else ""


def moved(parent_from_child: Trajectory, child_from_base: Float64[Tensor, "4 4"]) -> Trajectory:
    """The path of another frame that is mounted on the one the path is of."""
    return Trajectory(parent_from_child.stamps_ns, parent_from_child.poses @ child_from_base)


def held(pose: Float64[Tensor, "4 4"], index: BagIndex) -> Trajectory:
    """A vehicle that stands still for as long as anything was recorded."""
    kept = [camera.stamps for camera in index.cameras] + [lidar.stamps for lidar in index.lidars]
    stamps = [own.stamps_ns for own in kept if len(own.stamps_ns)]
    ends = torch.cat([torch.stack([s.min(), s.max()]) for s in stamps]) if stamps else torch.tensor([0, 1])
    stamps_ns = torch.tensor([int(ends.min()) - 1, int(ends.max()) + 1])
    return Trajectory(stamps_ns, pose.expand(2, 4, 4).clone())


def in_own_world(base: str, fixed: str, source: str, map_from_rig: Trajectory) -> Vehicle:
    """Put the world's origin at the first pose: map coordinates of many kilometres would cost float32 centimetres."""
    map_from_world = pose_from(torch.eye(3, dtype=torch.float64), map_from_rig.poses[0, :3, 3])
    world_from_rig = Trajectory(map_from_rig.stamps_ns, inverse(map_from_world) @ map_from_rig.poses)
    return Vehicle(base, fixed, source, world_from_rig, map_from_world)
