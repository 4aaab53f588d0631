"""A KITTI drive as a bag: what a ROS user finds in it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rosbags.highlevel import AnyReader

from gs_sim.errors import InputError, StorageError
from gs_sim.sources.kitti import KittiSettings, import_kitti_odometry, import_kitti_raw
from gs_sim.sources.message_types import ros2_types


def messages(bag: Path) -> dict[str, list]:  # type: ignore[type-arg]  # messages have no static types
    found: dict[str, list] = {}  # type: ignore[type-arg]
    with AnyReader([bag], default_typestore=ros2_types()) as reader:
        stamps = []
        for connection, stamp, data in reader.messages():
            stamps.append(stamp)
            found.setdefault(connection.topic, []).append(reader.deserialize(data, connection.msgtype))
    assert stamps == sorted(stamps)
    return found


def test_a_raw_drive_becomes_a_bag_with_ordinary_messages(raw_drive: Path, labels: Path, tmp_path: Path) -> None:
    drive = import_kitti_raw(raw_drive, tmp_path / "bag", KittiSettings(labels=labels))
    found = messages(tmp_path / "bag")
    assert {topic: len(of_topic) for topic, of_topic in found.items()} == {
        "/tf_static": 1,
        "/tf": len(drive.world_from_rig.stamps_ns),
        "/velodyne_points": 4,
        "/image_02/image_rect/compressed": 4,
        "/image_02/camera_info": 4,
        "/image_03/image_rect/compressed": 4,
        "/image_03/camera_info": 4,
        "/detections": 2,
    }
    links = {(t.header.frame_id, t.child_frame_id) for t in found["/tf_static"][0].transforms}
    assert links == {
        ("base_link", "velodyne"),
        ("base_link", "image_02_optical_frame"),
        ("base_link", "image_03_optical_frame"),
    }
    (moving,) = {(t.header.frame_id, t.child_frame_id) for message in found["/tf"] for t in message.transforms}
    assert moving == ("map", "base_link")
    assert found["/detections"][0].header.frame_id == "base_link"
    assert drive.skipped["DontCare labels, which have no box"] == 1


def test_images_in_the_bag_are_lossless_and_have_their_calibration(
    raw_drive: Path, tmp_path: Path, expected_images: list[np.ndarray]
) -> None:
    import_kitti_raw(raw_drive, tmp_path / "bag")
    found = messages(tmp_path / "bag")
    pairs = zip(found["/image_02/image_rect/compressed"], found["/image_02/camera_info"], strict=True)
    for (image, info), expected in zip(pairs, expected_images, strict=True):
        bgr = cv2.imdecode(image.data, cv2.IMREAD_COLOR)
        assert bgr is not None
        np.testing.assert_array_equal(bgr[..., ::-1], expected)
        assert image.header == info.header
        # ROS puts pixel centres at integers, as KITTI's own numbers do
        assert info.k.tolist() == [40.0, 0.0, 15.5, 0.0, 40.0, 7.5, 0.0, 0.0, 1.0]
        assert not info.d.any()


def test_a_clouds_points_are_those_of_the_file(
    raw_drive: Path, tmp_path: Path, expected_points: list[np.ndarray]
) -> None:
    import_kitti_raw(raw_drive, tmp_path / "bag")
    cloud = messages(tmp_path / "bag")["/velodyne_points"][2]
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "intensity"]
    np.testing.assert_array_equal(cloud.data.view("<f4").reshape(-1, 4), expected_points[2])


def test_an_odometry_sequence_becomes_a_bag(odometry_sequence: Path, tmp_path: Path) -> None:
    import_kitti_odometry(odometry_sequence, tmp_path / "00.txt", tmp_path / "bag", KittiSettings(frames=(1, 4)))
    found = messages(tmp_path / "bag")
    assert len(found["/image_2/image_rect/compressed"]) == len(found["/velodyne_points"]) == len(found["/tf"]) == 3
    shift = found["/tf"][2].transforms[0].transform.translation
    assert (shift.x, shift.y, shift.z) == pytest.approx((2.0, 0.0, 0.0))


def test_a_damaged_file_leaves_no_bag(raw_drive: Path, tmp_path: Path) -> None:
    (raw_drive / "velodyne_points" / "data" / "0000000003.bin").write_bytes(b"123")
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="truncated"):
        import_kitti_raw(raw_drive, tmp_path / "out" / "bag")
    assert not list((tmp_path / "out").iterdir())


def test_a_bag_is_replaced_only_when_asked(raw_drive: Path, tmp_path: Path) -> None:
    settings = KittiSettings(cameras=("image_02",), frames=(0, 1))
    import_kitti_raw(raw_drive, tmp_path / "bag", settings)
    with pytest.raises(StorageError, match="exists already"):
        import_kitti_raw(raw_drive, tmp_path / "bag", settings)
    import_kitti_raw(raw_drive, tmp_path / "bag", settings, overwrite=True)
    assert len(messages(tmp_path / "bag")["/velodyne_points"]) == 1


def test_only_one_image_or_sweep_is_read_at_a_time(raw_drive: Path, tmp_path: Path) -> None:
    drive = import_kitti_raw(raw_drive, tmp_path / "bag")
    first = next(drive.frames("image_02"))
    (raw_drive / "image_02" / "data" / "0000000003.png").unlink()
    assert torch.equal(next(drive.frames("image_02")).rgb, first.rgb), "later files were not touched yet"
    with pytest.raises(InputError, match="0000000003.png does not exist"):
        list(drive.frames("image_02"))
