"""A scene as RViz shows it: centres, path, cameras and boxes, latched, in the fixed frame (map coordinates)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from geometry_msgs.msg import Point
from jaxtyping import Float64
from nav_msgs.msg import Path as PathMessage
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import ColorRGBA
from torch import Tensor
from visualization_msgs.msg import Marker, MarkerArray

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import transform_points
from gs_sim.geometry.rig import MountedCamera
from gs_sim.geometry.trajectory import Trajectory, pose_at
from gs_sim.nodes.ros.conversions import (
    cloud_message,
    header_message,
    path_message,
    point_message,
    pose_message,
    time_message,
    vector_message,
)
from gs_sim.nodes.ros.interfaces import SceneInfo
from gs_sim.nodes.ros.qos import latched
from gs_sim.scene.gaussians import SH_C0, concatenate
from gs_sim.scene.scene import Scene, move_gaussians
from gs_sim.sensing.holdout import is_ground_truth_camera

NUM_FRUSTA = 12
"""Poses along the path at which the cameras are shown."""
MAX_PATH_POSES = 2000
"""More cannot be told apart in RViz; each is a Python object."""
FRUSTUM_M = 1.0
LINE_M = 0.02
TEXT_M = 0.6
CAMERA_COLOUR = ColorRGBA(r=0.1, g=0.7, b=1.0, a=1.0)
BOX_COLOUR = ColorRGBA(r=1.0, g=0.5, b=0.1, a=0.4)
TEXT_COLOUR = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)


class SceneTopics:
    """Publishers of one scene; who subscribes later gets it too."""

    def __init__(self, node: Node, fixed_frame: str, max_cloud_points: int) -> None:
        self._frame, self._max_points, self._clock = fixed_frame, max_cloud_points, node.get_clock()
        self._info = node.create_publisher(SceneInfo, "~/scene_info", latched())
        self._centres = node.create_publisher(PointCloud2, "~/centres", latched())
        self._path = node.create_publisher(PathMessage, "~/path", latched())
        self._cameras = node.create_publisher(MarkerArray, "~/cameras", latched())
        self._actors = node.create_publisher(MarkerArray, "~/actors", latched())

    def publish(self, scene: Scene, report: Mapping[str, object], path: Path) -> SceneInfo:
        """Show a scene in place of the one before; returns what `~/scene_info` says."""
        stamp_ns = self._clock.now().nanoseconds
        path_world = thinned(scene.world_from_rig, MAX_PATH_POSES)
        map_from_rig = Trajectory(path_world.stamps_ns, scene.map_from_world @ path_world.poses)
        info = scene_info(scene, report, path, self._frame, stamp_ns)
        self._info.publish(info)
        self._centres.publish(centres_message(scene, self._frame, stamp_ns, self._max_points))
        self._path.publish(path_message(self._frame, map_from_rig))
        self._cameras.publish(cameras_message(scene, self._frame, stamp_ns))
        self._actors.publish(actors_message(scene, self._frame, stamp_ns))
        return info


def scene_info(scene: Scene, report: Mapping[str, object], path: Path, frame: str, stamp_ns: int) -> SceneInfo:
    """A scene in numbers.

    Args:
        scene: the scene.
        report: contents of its report.json; empty where there is none.
        path: its folder.
        frame: the fixed frame that it is placed in.
        stamp_ns: when it was loaded.
    """
    return SceneInfo(
        header=header_message(frame, stamp_ns),
        path=str(path),
        method=str(report.get("method", "")),
        start=time_message(scene.world_from_rig.start_ns),
        end=time_message(scene.world_from_rig.end_ns),
        num_gaussians_background=len(scene.background),
        num_gaussians_distant=len(scene.distant),
        num_gaussians_actors=sum(len(actor.gaussians_box) for actor in scene.actors),
        actor_ids=[actor.actor_id for actor in scene.actors],
        actor_labels=[actor.label for actor in scene.actors],
        actor_sizes=[vector_message(actor.size_m) for actor in scene.actors],
        camera_names=[mounted.name for mounted in scene.rig.cameras],
    )


def centres_message(scene: Scene, frame: str, stamp_ns: int, max_points: int) -> PointCloud2:
    """Centres and base colours of background and actors at the start of the drive, evenly thinned."""
    start_ns = scene.world_from_rig.start_ns
    moved = [
        move_gaussians(pose_at(actor.world_from_box, start_ns), actor.gaussians_box)
        for actor in scene.actors
        if actor.world_from_box.start_ns <= start_ns <= actor.world_from_box.end_ns
    ]
    gaussians = concatenate([scene.background, *moved]).to("cpu")
    count = min(len(gaussians), max_points)
    chosen = torch.arange(count) * len(gaussians) // max(count, 1)
    points_world = gaussians.means[chosen].double()
    points_map = transform_points(scene.map_from_world, points_world)
    rgb = ((0.5 + SH_C0 * gaussians.sh[chosen, 0]).clamp(0, 1) * 255).round().to(torch.uint8)
    return cloud_message(header_message(frame, stamp_ns), points_map.float().numpy(), rgb.numpy())


def thinned(path: Trajectory, max_poses: int) -> Trajectory:
    """At most so many poses of a path, evenly chosen, its ends among them."""
    count = len(path.stamps_ns)
    chosen = torch.linspace(0, count - 1, min(max_poses, count), dtype=torch.float64).round().long()
    return Trajectory(path.stamps_ns[chosen], path.poses[chosen])


def cameras_message(scene: Scene, frame: str, stamp_ns: int) -> MarkerArray:
    """The cameras of the rig at some poses along the path, one marker for each camera."""
    map_from_rigs = scene.map_from_world @ thinned(scene.world_from_rig, NUM_FRUSTA).poses
    markers = [_cleared(frame, stamp_ns)]
    for mounted in scene.rig.cameras:
        if not is_ground_truth_camera(mounted.name):
            marker = _marker(frame, stamp_ns, mounted.name, Marker.LINE_LIST)
            # line ends are small numbers about the first pose, since RViz computes in float32
            marker.pose.position = point_message(map_from_rigs[0, :3, 3].tolist())
            marker.scale.x = LINE_M
            marker.color = CAMERA_COLOUR
            marker.points = _frusta(mounted, map_from_rigs)
            markers.append(marker)
    return MarkerArray(markers=markers)


def _frusta(mounted: MountedCamera, map_from_rigs: Float64[Tensor, "n 4 4"]) -> list[Point]:
    """Ends of lines, less the position of the first pose."""
    apex_and_corners = torch.cat([torch.zeros(1, 3, dtype=torch.float64), _corners(mounted.camera)])
    ends = transform_points(map_from_rigs @ mounted.rig_from_camera, apex_and_corners.expand(len(map_from_rigs), -1, 3))
    ends = ends - map_from_rigs[0, :3, 3]
    order = [0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1]
    return [point_message(xyz) for xyz in ends[:, order].reshape(-1, 3).tolist()]


def _corners(camera: Camera) -> Float64[Tensor, "4 3"]:
    """The corners of the image, in the camera frame at `FRUSTUM_M`."""
    u_px = torch.tensor([0.0, camera.width_px, camera.width_px, 0.0], dtype=torch.float64)
    v_px = torch.tensor([0.0, 0.0, camera.height_px, camera.height_px], dtype=torch.float64)
    rays = torch.stack([(u_px - camera.cx) / camera.fx, (v_px - camera.cy) / camera.fy, torch.ones_like(u_px)], dim=1)
    return rays * FRUSTUM_M


def actors_message(scene: Scene, frame: str, stamp_ns: int) -> MarkerArray:
    """The boxes of all actors where they were when the drive began or, later, when they appeared; with labels."""
    markers = [_cleared(frame, stamp_ns)]
    for index, actor in enumerate(scene.actors):
        path = actor.world_from_box
        shown_ns = min(max(scene.world_from_rig.start_ns, path.start_ns), path.end_ns)
        map_from_box = scene.map_from_world @ pose_at(path, shown_ns)
        box = _marker(frame, stamp_ns, "boxes", Marker.CUBE)
        box.id, box.pose, box.scale, box.color = (
            index,
            pose_message(map_from_box),
            vector_message(actor.size_m),
            BOX_COLOUR,
        )
        text = _marker(frame, stamp_ns, "labels", Marker.TEXT_VIEW_FACING)
        text.id, text.pose, text.color = index, pose_message(map_from_box), TEXT_COLOUR
        text.pose.position.z += actor.size_m[2] / 2 + TEXT_M
        text.scale.z = TEXT_M
        text.text = f"{actor.label} {actor.actor_id}"
        markers += [box, text]
    return MarkerArray(markers=markers)


def _marker(frame: str, stamp_ns: int, namespace: str, kind: int) -> Marker:
    marker = Marker(header=header_message(frame, stamp_ns), ns=namespace, type=kind, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    return marker


def _cleared(frame: str, stamp_ns: int) -> Marker:
    """Removes what an earlier scene left in RViz."""
    return Marker(header=header_message(frame, stamp_ns), action=Marker.DELETEALL)
