"""From what a bag holds to a rig with a path: mounts, calibrations, and the frames whose pose is known.

All that is wrong is collected, not only the first fault, so that `gs-sim inspect` can list it and
`open_bag` can refuse with the first; the rules are written once.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from gs_sim.errors import BagError, GsSimError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.coverage import covering, is_known, reach_of
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.warp import rectified_camera
from gs_sim.sensing.track import Track
from gs_sim.sources.bag_collect import Skipped
from gs_sim.sources.bag_index import BagIndex, CameraIndex, LidarIndex
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_tracks import tracks_of
from gs_sim.sources.bag_vehicle import Vehicle, find_vehicle
from gs_sim.sources.messages.camera_info import camera_from_info, stereo_offset_m, stereo_rectification
from gs_sim.sources.stamps import KeptStamps
from gs_sim.sources.transforms import TransformTree, mount

LOOKS_UP = 0.8
"""A camera whose axis points up or down by more than this sine (53 degrees) is probably in a body frame."""


@dataclass(frozen=True)
class CameraStream:
    """A usable camera and where to find its frames."""

    mounted: MountedCamera
    index: CameraIndex
    stamps: KeptStamps
    """Those of the index at which the vehicle's pose is known."""


@dataclass(frozen=True)
class LidarStream:
    """A usable LiDAR and where to find its sweeps."""

    mounted: MountedLidar
    index: LidarIndex
    stamps: KeptStamps


@dataclass(frozen=True)
class Assembly:
    """A bag made into a rig, as far as that went."""

    vehicle: Vehicle | None
    cameras: tuple[CameraStream, ...]
    lidars: tuple[LidarStream, ...]
    tracks: tuple[Track, ...]
    skipped: Skipped
    problems: tuple[GsSimError, ...]
    """What has to be fixed before the bag can be used; empty means ready."""
    warnings: tuple[str, ...]

    @property
    def rig(self) -> Rig:
        """The usable sensors."""
        return Rig(tuple(stream.mounted for stream in self.cameras), tuple(stream.mounted for stream in self.lidars))


class Findings:
    """Faults and remarks, while an assembly is made."""

    def __init__(self, skipped: Skipped) -> None:
        self.problems: list[GsSimError] = []
        self.warnings: list[str] = []
        self.skipped = skipped


def assemble(index: BagIndex, settings: BagSettings) -> Assembly:
    """Make a rig of a bag; what cannot be used becomes a problem or a warning, never an exception."""
    findings = Findings(Skipped(index.skipped))
    vehicle = None
    try:
        vehicle = find_vehicle(index, settings)
    except GsSimError as error:
        findings.problems.append(error)
    if vehicle is None:
        return Assembly(None, (), (), (), findings.skipped, tuple(findings.problems), tuple(findings.warnings))
    cameras = usable_cameras(index, vehicle, settings, findings)
    lidars = usable_lidars(index, vehicle, settings, findings)
    if vehicle.fixed_frame == "":
        findings.warnings.append("the bag has no poses; the vehicle is taken to stand still")
    stamps_ns = [stream.stamps.stamps_ns for stream in cameras] + [stream.stamps.stamps_ns for stream in lidars]
    path = vehicle.world_from_rig
    reach_ns = reach_of(path, settings.max_extrapolation_s)
    path = covering(path, torch.cat([torch.zeros(0, dtype=torch.int64), *stamps_ns]), reach_ns)
    vehicle = replace(vehicle, world_from_rig=path)
    return Assembly(
        vehicle,
        cameras,
        lidars,
        tracks_of(index, vehicle, settings, findings.skipped),
        findings.skipped,
        tuple(findings.problems),
        tuple(findings.warnings),
    )


def usable_cameras(
    index: BagIndex, vehicle: Vehicle, settings: BagSettings, findings: Findings
) -> tuple[CameraStream, ...]:
    """Cameras with images, calibration, a mount and poses."""
    is_named = bool(settings.cameras or settings.image_topics)
    usable = []
    uncalibrated = []
    for camera in index.cameras:
        if camera.is_depth and not is_named:
            findings.warnings.append(
                f"{camera.topic.image_topic} holds distances ({camera.encoding}), not colours; it is left out"
            )
        elif camera.info is None:
            uncalibrated.append(camera)
        else:
            stream = try_camera(camera, index.tree, vehicle, findings)
            usable += with_known_poses(stream, vehicle, settings, findings) if stream else []
    for camera in uncalibrated:
        sentence = no_info_sentence(camera)
        if is_named or not usable:
            findings.problems.append(BagError(sentence))
        else:
            findings.warnings.append(f"{sentence}; it is left out")
    if not index.cameras:
        findings.problems.append(
            BagError("the bag has no camera; expected sensor_msgs/Image or CompressedImage with a CameraInfo beside it")
        )
    return tuple(usable)


def no_info_sentence(camera: CameraIndex) -> str:
    """Where a CameraInfo was looked for."""
    beside = camera.topic.image_topic.removesuffix("/compressed").rsplit("/", 1)[0] + "/camera_info"
    return (
        f"camera '{camera.topic.name}' ({camera.topic.image_topic}) has no CameraInfo; expected it on {beside}: record "
        "that topic, or name it with camera_info_topics"
    )


def try_camera(index: CameraIndex, tree: TransformTree, vehicle: Vehicle, findings: Findings) -> CameraStream | None:
    """Mount and rectify one camera, or note why not."""
    name, topic = index.topic.name, index.topic
    if index.problem:
        findings.problems.append(BagError(f"{index.problem}; or leave that camera out by naming the others"))
        return None
    try:
        raw_camera = camera_from_info(index.info, is_rectified=topic.is_rectified)
        raw_camera = fitted_to_images(raw_camera, index, findings)
        optical_from_camera = stereo_rectification(index.info, is_rectified=topic.is_rectified)
        rig_from_camera = mount(tree, vehicle.base_frame, index.frame) @ optical_from_camera
        camera = rectified_camera(raw_camera)
    except GsSimError as error:
        findings.problems.append(type(error)(f"camera '{name}' ({topic.image_topic}): {error}"))
        return None
    if abs(float(rig_from_camera[2, 2])) > LOOKS_UP:
        findings.warnings.append(
            f"camera '{name}' looks {'up' if rig_from_camera[2, 2] > 0 else 'down'}; is {index.frame} its optical frame "
            "(x right, y down, z forward)?"
        )
    if abs(stereo_offset_m(index.info)) > 1e-6 and topic.is_rectified:
        findings.warnings.append(
            f"the CameraInfo of '{name}' says it is {stereo_offset_m(index.info):.3f} m to the right of its frame "
            f"{index.frame}; the mount was taken from tf alone"
        )
    mounted = MountedCamera(name, camera, raw_camera, rig_from_camera)
    return CameraStream(mounted, index, index.stamps)


def fitted_to_images(camera: Camera, index: CameraIndex, findings: Findings) -> Camera:
    """The calibrated camera at the size of the images, which are often published smaller than they were calibrated.

    Raises:
        BagError: the images have another shape than the calibration.
    """
    height, width = index.size_hw
    if (camera.width_px, camera.height_px) == (width, height):
        return camera
    scale_x, scale_y = width / camera.width_px, height / camera.height_px
    if abs(camera.height_px * scale_x - height) > 1.0:
        raise BagError(
            f"its images are {width}x{height} px, but its CameraInfo is for {camera.width_px}x{camera.height_px} px, "
            "which is another shape; record the CameraInfo of these images"
        )
    findings.warnings.append(
        f"the images of camera '{index.topic.name}' are {width}x{height} px, its CameraInfo is for "
        f"{camera.width_px}x{camera.height_px} px; the calibration was scaled"
    )
    return replace(
        camera,
        width_px=width,
        height_px=height,
        fx=camera.fx * scale_x,
        fy=camera.fy * scale_y,
        cx=camera.cx * scale_x,
        cy=camera.cy * scale_y,
    )


def with_known_poses(
    stream: CameraStream, vehicle: Vehicle, settings: BagSettings, findings: Findings
) -> list[CameraStream]:
    """The camera with the images that have a pose; none if no image has."""
    topic = stream.index.topic
    is_usable = has_pose(stream.stamps, vehicle, settings)
    if not is_usable.any():
        findings.problems.append(BagError(outside_sentence(topic.image_topic, stream.stamps.stamps_ns, vehicle)))
        return []
    remark_on_stamps(topic.image_topic, stream.stamps, findings)
    findings.skipped.note(f"images on {topic.image_topic} without a pose of the vehicle", int((~is_usable).sum()))
    return [replace(stream, stamps=selected(stream.stamps, is_usable))]


def usable_lidars(
    index: BagIndex, vehicle: Vehicle, settings: BagSettings, findings: Findings
) -> tuple[LidarStream, ...]:
    """LiDARs with points, a mount and poses."""
    is_named = bool(settings.lidars or settings.lidar_topics)
    usable = []
    for lidar in index.lidars:
        name, topic = lidar.topic.name, lidar.topic.topic
        if lidar.frame == vehicle.fixed_frame and not is_named:
            findings.warnings.append(f"{topic} is given in {lidar.frame}: a map, not a LiDAR; it is left out")
            continue
        if lidar.problem:
            findings.problems.append(BagError(f"{lidar.problem}; or leave that LiDAR out by naming the others"))
            continue
        try:
            mounted = MountedLidar(name, mount(index.tree, vehicle.base_frame, lidar.frame))
        except GsSimError as error:
            findings.problems.append(type(error)(f"LiDAR '{name}' ({topic}): {error}"))
            continue
        is_usable = has_pose(lidar.stamps, vehicle, settings)
        if not is_usable.any():
            findings.problems.append(BagError(outside_sentence(topic, lidar.stamps.stamps_ns, vehicle)))
            continue
        remark_on_stamps(topic, lidar.stamps, findings)
        findings.skipped.note(f"sweeps on {topic} without a pose of the vehicle", int((~is_usable).sum()))
        if lidar.has_times and lidar.point_time is None:
            findings.warnings.append(
                f"the point times of LiDAR '{name}' fit no unit; all points of a sweep get its stamp"
            )
        usable.append(LidarStream(mounted, lidar, selected(lidar.stamps, is_usable)))
    if not index.lidars:
        findings.warnings.append("the bag has no LiDAR (sensor_msgs/PointCloud2)")
    return tuple(usable)


def has_pose(stamps: KeptStamps, vehicle: Vehicle, settings: BagSettings) -> Bool[Tensor, "n"]:
    """At which stamps the vehicle's pose is known."""
    path = vehicle.world_from_rig
    reach_ns = reach_of(path, settings.max_extrapolation_s)
    return is_known(path, stamps.stamps_ns, reach_ns, round(settings.max_pose_gap_s * 1e9))


def outside_sentence(topic: str, stamps_ns: Int64[Tensor, "n"], vehicle: Vehicle) -> str:
    """That the clocks of a sensor and of the poses do not meet."""
    path = vehicle.world_from_rig
    if not len(stamps_ns):
        return f"{topic} has no message with a usable stamp"
    return (
        f"nothing on {topic} ({stamps_ns[0] / 1e9:.3f} to {stamps_ns[-1] / 1e9:.3f} s) lies within the poses from "
        f"{vehicle.source} ({path.start_ns / 1e9:.3f} to {path.end_ns / 1e9:.3f} s); do their clocks agree?"
    )


def remark_on_stamps(topic: str, stamps: KeptStamps, findings: Findings) -> None:
    """Say where the time of recording had to stand in."""
    if stamps.uses_log_time:
        findings.warnings.append(f"messages on {topic} carry no stamps; the time of recording was taken")


def selected(stamps: KeptStamps, chosen: Bool[Tensor, "n"]) -> KeptStamps:
    """The stamps under a mask."""
    return replace(stamps, stamps_ns=stamps.stamps_ns[chosen], log_ns=stamps.log_ns[chosen])
