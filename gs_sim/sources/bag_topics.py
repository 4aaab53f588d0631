"""Which topics of a bag are cameras, LiDARs, the vehicle's pose and tracked boxes: by type, then by name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gs_sim.errors import BagError
from gs_sim.sources.bag_file import BagTopic
from gs_sim.sources.bag_settings import BagSettings

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POINT_CLOUD = "sensor_msgs/msg/PointCloud2"
TRANSFORMS = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")
ODOMETRY = "nav_msgs/msg/Odometry"
POSES = (ODOMETRY, "geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/PoseWithCovarianceStamped")
DETECTIONS = "vision_msgs/msg/Detection3DArray"

GENERIC_IMAGE_NAMES = {
    *("image", "image_raw", "image_color", "image_mono", "image_rect", "image_rect_color", "image_rect_mono"),
    *("image_rect_raw", "image_rect_compressed", "image_compressed", "image_raw_compressed"),
}
"""Last parts of an image topic that say nothing about which camera it is."""

GENERIC_CLOUD_NAMES = {
    *("points", "points_raw", "point_cloud", "pointcloud", "pointcloud2", "point_cloud2", "pointcloud_raw", "cloud"),
    *("pointcloud_raw_ex", "scan", "packets", "data"),
}

POSE_HINTS = ("ground_truth", "kinematic_state", "localization", "fused", "filtered", "odom")
"""Parts of a topic's name that speak for it where several give the vehicle's pose, best first."""


@dataclass(frozen=True)
class CameraTopic:
    """One camera: where its images and its calibration are."""

    name: str
    image_topic: str
    type_name: str
    info_topic: str | None
    """None if there is no CameraInfo beside the images."""
    is_rectified: bool


@dataclass(frozen=True)
class LidarTopic:
    """One LiDAR."""

    name: str
    topic: str


@dataclass(frozen=True)
class BagTopics:
    """What a bag offers."""

    cameras: tuple[CameraTopic, ...]
    lidars: tuple[LidarTopic, ...]
    pose_topic: str | None
    """None if the pose has to come from /tf."""
    transform_topics: tuple[str, ...]
    detection_topic: str | None
    warnings: tuple[str, ...] = ()
    """Choices that a user may want to know."""


def discover(topics: Sequence[BagTopic], settings: BagSettings) -> BagTopics:
    """Sort the topics of a bag by what they are for.

    Raises:
        BagError: a topic, camera or LiDAR that the settings name is not there or of a wrong type.
    """
    pose_topic, warnings = find_pose_topic(topics, settings)
    detection_topic = named_topic(topics, settings.detection_topic, (DETECTIONS,), "tracked boxes")
    if not settings.detection_topic:
        boxes = [topic for topic in topics if topic.type_name == DETECTIONS and topic.num_messages]
        detection_topic = max(boxes, key=lambda topic: topic.num_messages).name if boxes else None
    return BagTopics(
        cameras=find_cameras(topics, settings),
        lidars=find_lidars(topics, settings),
        pose_topic=pose_topic,
        transform_topics=tuple(topic.name for topic in topics if topic.type_name in TRANSFORMS),
        detection_topic=detection_topic,
        warnings=tuple(warnings),
    )


def find_cameras(topics: Sequence[BagTopic], settings: BagSettings) -> tuple[CameraTopic, ...]:
    """All image topics, one per camera: of a camera's raw, rectified and compressed images the best are taken."""
    images = [topic for topic in topics if topic.type_name in {IMAGE, COMPRESSED_IMAGE} and topic.num_messages]
    if settings.image_topics:
        named = [named_topic(topics, name, (IMAGE, COMPRESSED_IMAGE), "images") for name in settings.image_topics]
        images = [topic for topic in images if topic.name in named]
    else:
        images = best_of_each_camera(images)
    names = sensor_names([topic.name for topic in images], camera_parts)
    infos = {topic.name for topic in topics if topic.type_name == CAMERA_INFO and topic.num_messages}
    given = dict(zip(settings.image_topics, settings.camera_info_topics, strict=False))
    cameras = tuple(
        CameraTopic(
            name=name,
            image_topic=topic.name,
            type_name=topic.type_name,
            info_topic=info_topic_of(topic.name, infos, given),
            is_rectified=settings.rectified == "always"
            or (settings.rectified == "auto" and "image_rect" in topic.name),
        )
        for name, topic in zip(names, images, strict=True)
    )
    return chosen(cameras, settings.cameras, "camera", lambda camera: camera.name)


def find_lidars(topics: Sequence[BagTopic], settings: BagSettings) -> tuple[LidarTopic, ...]:
    """All PointCloud2 topics with messages, or those that are named."""
    clouds = [topic.name for topic in topics if topic.type_name == POINT_CLOUD and topic.num_messages]
    if settings.lidar_topics:
        named = [named_topic(topics, name, (POINT_CLOUD,), "points") for name in settings.lidar_topics]
        clouds = [cloud for cloud in clouds if cloud in named]
    names = sensor_names(clouds, cloud_parts)
    lidars = tuple(LidarTopic(name, cloud) for name, cloud in zip(names, clouds, strict=True))
    return chosen(lidars, settings.lidars, "LiDAR", lambda lidar: lidar.name)


def chosen(sensors: tuple, names: tuple[str, ...], kind: str, name_of: Callable) -> tuple:  # type: ignore[type-arg]
    """The sensors with these names, or all; one that is not there is an error."""
    known = [name_of(sensor) for sensor in sensors]
    for name in names:
        if name not in known:
            raise BagError(f"there is no {kind} '{name}' in the bag; it has: {', '.join(known) or 'none'}")
    return tuple(sensor for sensor in sensors if not names or name_of(sensor) in names)


def best_of_each_camera(images: Iterable[BagTopic]) -> list[BagTopic]:
    """One topic per camera folder: colour before grey, raw before rectified, and uncompressed before compressed."""
    by_camera: dict[tuple[str, ...], list[BagTopic]] = {}
    for topic in images:
        by_camera.setdefault(camera_parts(topic.name), []).append(topic)

    def rank(topic: BagTopic) -> tuple[bool, ...]:
        last = [part for part in topic.name.split("/") if part != "compressed"][-1]
        depth = "compressedDepth" in topic.name or "depth" in last
        return (depth, "mono" in last, "rect" in last, topic.type_name == COMPRESSED_IMAGE)

    return [min(group, key=rank) for group in by_camera.values()]


def camera_parts(topic: str) -> tuple[str, ...]:
    """The parts of an image topic that name its camera."""
    parts = [part for part in topic.split("/") if part and part not in {"compressed", "compressedDepth"}]
    return meaningful(parts, GENERIC_IMAGE_NAMES)


def cloud_parts(topic: str) -> tuple[str, ...]:
    """The parts of a cloud topic that name its LiDAR."""
    return meaningful([part for part in topic.split("/") if part], GENERIC_CLOUD_NAMES)


def meaningful(parts: list[str], generic: set[str]) -> tuple[str, ...]:
    """The parts without a generic last one, unless nothing would be left."""
    return tuple(parts[:-1] if len(parts) > 1 and parts[-1].lower() in generic else parts)


def sensor_names(topics: Sequence[str], parts_of: Callable[[str], tuple[str, ...]]) -> list[str]:
    """Short unique names: the last meaningful part, with as many before it as it takes to tell them apart."""
    parts = [parts_of(topic) for topic in topics]
    names = ["_".join(own[-1:]) for own in parts]
    for length in range(2, 2 + max((len(own) for own in parts), default=0)):
        names = [
            "_".join(own[-length:]) if names.count(name) > 1 else name for own, name in zip(parts, names, strict=True)
        ]
    return names


def info_topic_of(image_topic: str, infos: set[str], given: dict[str, str]) -> str | None:
    """The CameraInfo beside an image: in its namespace, or one above for `<image>/compressed` and `<image>/image`."""
    if image_topic in given:
        return given[image_topic] if given[image_topic] in infos else None
    base = image_topic.removesuffix("/compressed")
    above = base.rsplit("/", 1)[0]
    candidates = [f"{above}/camera_info", f"{base}/camera_info", f"{base.replace('/image', '/camera_info', 1)}"]
    return next((topic for topic in candidates if topic in infos), None)


def find_pose_topic(topics: Sequence[BagTopic], settings: BagSettings) -> tuple[str | None, list[str]]:
    """Odometry first, then poses, by the hints in their names and the number of messages; None leaves it to /tf."""
    if settings.pose_topic == "/tf":
        return None, []
    if settings.pose_topic:
        return named_topic(topics, settings.pose_topic, POSES, "the vehicle's pose"), []
    found = [topic for topic in topics if topic.type_name in POSES and topic.num_messages > 1]

    def rank(topic: BagTopic) -> tuple[bool, int, int]:
        hint = next((i for i, hint in enumerate(POSE_HINTS) if hint in topic.name.lower()), len(POSE_HINTS))
        return (topic.type_name != ODOMETRY, hint, -topic.num_messages)

    found.sort(key=rank)
    if len(found) < 2:
        return (found[0].name if found else None), []
    others = ", ".join(topic.name for topic in found[1:])
    return found[0].name, [f"the pose was taken from {found[0].name}; pose_topic can name another: {others}"]


def named_topic(topics: Sequence[BagTopic], name: str, types: tuple[str, ...], purpose: str) -> str | None:
    """A topic that the settings name, checked; None if they name none."""
    if not name:
        return None
    found = [topic for topic in topics if topic.name == name]
    if not found or not found[0].num_messages:
        known = ", ".join(topic.name for topic in topics if topic.type_name in types) or "none"
        raise BagError(f"the bag has no messages on {name}, which should give {purpose}; topics that could: {known}")
    if found[0].type_name not in types:
        raise BagError(f"{name} is of type {found[0].type_name}; {purpose} need {' or '.join(types)}")
    return name
