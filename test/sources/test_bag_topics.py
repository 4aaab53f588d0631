"""Sensors are found and named as people name them, whatever driver recorded the bag."""

import pytest

from gs_sim.errors import BagError, ConfigError
from gs_sim.sources.bag_file import BagTopic
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_topics import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    DETECTIONS,
    IMAGE,
    ODOMETRY,
    POINT_CLOUD,
    discover,
)


def topics(**by_type: list[str]) -> list[BagTopic]:
    types = {
        "image": IMAGE,
        "compressed": COMPRESSED_IMAGE,
        "info": CAMERA_INFO,
        "cloud": POINT_CLOUD,
        "odometry": ODOMETRY,
        "pose": "geometry_msgs/msg/PoseStamped",
        "boxes": DETECTIONS,
        "tf": "tf2_msgs/msg/TFMessage",
    }
    return [BagTopic(name, types[kind], 10) for kind, names in by_type.items() for name in names]


@pytest.mark.parametrize(
    ("image", "info", "name", "is_rectified"),
    [
        ("/front/image_raw", "/front/camera_info", "front", False),
        ("/kitti/image_02/image_rect", "/kitti/image_02/camera_info", "image_02", True),
        ("/camera/color/image_raw", "/camera/color/camera_info", "color", False),
        ("/sensing/camera/camera0/image_rect_color", "/sensing/camera/camera0/camera_info", "camera0", True),
        ("/cam_front/image_rect_compressed", "/cam_front/camera_info", "cam_front", True),
        ("/panda/ego_vehicle/left_camera/image", "/panda/ego_vehicle/left_camera/camera_info", "left_camera", False),
        ("/image_raw", "/camera_info", "image_raw", False),
        ("/usb_cam", "/usb_cam/camera_info", "usb_cam", False),
    ],
)
def test_a_camera_has_the_name_of_its_namespace(image: str, info: str, name: str, is_rectified: bool) -> None:
    (camera,) = discover(topics(image=[image], info=[info, "/other/camera_info"]), BagSettings()).cameras
    assert (camera.name, camera.info_topic, camera.is_rectified) == (name, info, is_rectified)


def test_cameras_of_equal_name_are_told_apart_by_their_namespaces() -> None:
    found = discover(topics(image=["/left/color/image_raw", "/right/color/image_raw", "/top/image_raw"]), BagSettings())
    assert [camera.name for camera in found.cameras] == ["left_color", "right_color", "top"]


def test_all_images_of_one_camera_are_one_camera() -> None:
    found = discover(
        topics(
            image=["/front/image_mono", "/front/image_raw", "/front/image_rect"],
            compressed=["/front/image_raw/compressed", "/back/image_raw/compressed"],
            info=["/front/camera_info", "/back/camera_info"],
        ),
        BagSettings(),
    )
    assert [camera.image_topic for camera in found.cameras] == ["/front/image_raw", "/back/image_raw/compressed"]
    assert found.cameras[1].info_topic == "/back/camera_info"


def test_a_camera_without_calibration_is_found_without_one() -> None:
    (camera,) = discover(topics(image=["/front/image_raw"], info=["/back/camera_info"]), BagSettings()).cameras
    assert camera.info_topic is None


def test_lidars_have_the_names_of_their_topics() -> None:
    found = discover(topics(cloud=["/velodyne_points", "/lidar/points", "/sensing/top/pointcloud_raw"]), BagSettings())
    assert [lidar.name for lidar in found.lidars] == ["velodyne_points", "lidar", "top"]


def test_of_several_poses_the_best_is_taken_and_the_choice_is_told() -> None:
    bag = topics(odometry=["/wheel/odom", "/localization/kinematic_state"], pose=["/ground_truth/pose"])
    found = discover(bag, BagSettings())
    assert found.pose_topic == "/localization/kinematic_state"
    assert "/wheel/odom" in found.warnings[0]
    assert discover(bag, BagSettings(pose_topic="/ground_truth/pose")).pose_topic == "/ground_truth/pose"
    assert discover(bag, BagSettings(pose_topic="/tf")).pose_topic is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (BagSettings(cameras=("back",)), "no camera 'back' in the bag; it has: front"),
        (BagSettings(lidars=("top",)), "no LiDAR 'top'"),
        (BagSettings(image_topics=("/top/image",)), r"no messages on /top/image.*could: /front/image_raw"),
        (BagSettings(pose_topic="/front/image_raw"), "is of type sensor_msgs/msg/Image"),
        (BagSettings(detection_topic="/boxes"), "no messages on /boxes"),
    ],
)
def test_what_is_named_must_be_there(settings: BagSettings, sentence: str) -> None:
    with pytest.raises(BagError, match=sentence):
        discover(topics(image=["/front/image_raw"], cloud=["/lidar/points"]), settings)


def test_named_topics_need_no_discovery() -> None:
    settings = BagSettings(image_topics=("/a/picture",), camera_info_topics=("/calibration/a",))
    (camera,) = discover(topics(image=["/a/picture", "/b/image_raw"], info=["/calibration/a"]), settings).cameras
    assert (camera.name, camera.info_topic) == ("picture", "/calibration/a")


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ConfigError, match="one topic for each"):
        BagSettings(image_topics=("/a", "/b"), camera_info_topics=("/c",))
    with pytest.raises(ConfigError, match="auto, always or never"):
        BagSettings(rectified="perhaps")
    with pytest.raises(ConfigError, match="must not be negative"):
        BagSettings(max_pose_gap_s=-1.0)
