"""The same drive is read from every kind of bag: ROS 1 and 2, all compressions, without definitions, in parts."""

import sqlite3
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from rosbags.convert.converter import convert
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from small_drive import CAR_SIZE_M, NUM_FRAMES, START_NS, SmallDrive, map_from_car, picture, points, write_drive

from gs_sim.geometry.trajectory import pose_at
from gs_sim.sensing.checks import check_recording
from gs_sim.sources import bag_messages
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_writer import BagWriter


def is_the_small_drive(path: Path) -> bool:
    with open_bag(path) as recording:
        frames, sweeps = list(recording.frames("left")), list(recording.sweeps("lidar"))
        return (
            check_recording(recording) == []
            and len(frames) == len(sweeps) == NUM_FRAMES
            and all(torch.equal(frame.rgb, picture("left", frame.index)) for frame in frames)
            and all(torch.equal(sweep.points_lidar, points(sweep.index)) for sweep in sweeps)
        )


def converted(source: Path, target: Path, **changes: Any) -> Path:
    options: dict[str, Any] = {
        "dst_storage": "mcap",
        "dst_version": 9,
        "compress": None,
        "compress_mode": "file",
        "default_typestore": None,
        "typestore": None,
        "exclude_topics": (),
        "include_topics": (),
        "exclude_msgtypes": (),
        "include_msgtypes": (),
    }
    convert([source], target, **(options | changes))
    return target


@pytest.mark.parametrize("compress", [None, "bz2", "lz4"])
def test_a_ros1_bag(tmp_path: Path, compress: str | None) -> None:
    source = write_drive(tmp_path / "bag", SmallDrive(has_detections=False))
    ros1 = get_typestore(Stores.ROS1_NOETIC)
    assert is_the_small_drive(converted(source, tmp_path / "drive.bag", typestore=ros1, compress=compress))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("mode", ["file", "message"])
def test_a_bag_compressed_with_zstd(tmp_path: Path, storage: str, mode: str) -> None:
    source = write_drive(tmp_path / "bag")
    path = converted(source, tmp_path / "zstd", dst_storage=storage, compress="zstd", compress_mode=mode)
    assert is_the_small_drive(path)


def test_an_mcap_with_compressed_chunks(tmp_path: Path) -> None:
    source = write_drive(tmp_path / "bag")
    with AnyReader([source]) as reader:
        writer = Writer(tmp_path / "chunks", version=9, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            connections = {
                c.id: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore) for c in reader.connections
            }
            for connection, log_ns, data in reader.messages():
                writer.write(connections[connection.id], log_ns, data)
    assert is_the_small_drive(tmp_path / "chunks")


def test_an_old_sqlite_bag_without_type_definitions(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(storage="sqlite3"))
    (path / "metadata.yaml").unlink()
    with sqlite3.connect(path / "bag.db3") as database:
        database.execute("DROP TABLE schema")
        database.execute("DROP TABLE message_definitions")
    database.close()
    with open_bag(path) as recording:
        assert len(list(recording.frames("left"))) == NUM_FRAMES
        assert recording.tracks[0].size_m == CAR_SIZE_M


def test_parts_of_one_drive_without_metadata(tmp_path: Path) -> None:
    whole = write_drive(tmp_path / "bag")
    (tmp_path / "parts").mkdir()
    middle_ns = START_NS + NUM_FRAMES // 2 * 100_000_000
    for name, start, stop in (("part_0", 0, middle_ns), ("part_1", middle_ns, None)):
        with (
            AnyReader([whole]) as reader,
            Writer(tmp_path / name, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
        ):
            connections = {
                c.id: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore) for c in reader.connections
            }
            for connection, log_ns, data in reader.messages(start=start, stop=stop):
                writer.write(connections[connection.id], log_ns, data)
        (tmp_path / name / f"{name}.mcap").rename(tmp_path / "parts" / f"{name}.mcap")
    assert is_the_small_drive(tmp_path / "parts")


OLDER_BOXES: dict[str, dict[str, str]] = {
    "release 3": {
        "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score\n",
        "vision_msgs/msg/ObjectHypothesisWithPose": (
            "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n"
        ),
        "vision_msgs/msg/Detection3D": (
            "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
            "vision_msgs/BoundingBox3D bbox\nstring tracking_id\n"
        ),
    },
    "release 2": {
        "vision_msgs/msg/ObjectHypothesisWithPose": (
            "string id\nfloat64 score\ngeometry_msgs/PoseWithCovariance pose\n"
        ),
        "vision_msgs/msg/Detection3D": (
            "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
            "vision_msgs/BoundingBox3D bbox\nbool is_tracking\nstring tracking_id\n"
        ),
    },
}


@pytest.mark.parametrize("release", OLDER_BOXES)
def test_boxes_are_read_by_the_definitions_of_the_bag(tmp_path: Path, release: str) -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    common = {
        "vision_msgs/msg/BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size\n",
        "vision_msgs/msg/Detection3DArray": "std_msgs/Header header\nvision_msgs/Detection3D[] detections\n",
    }
    for name, text in (common | OLDER_BOXES[release]).items():
        store.register(get_types_from_msg(text, name))
    types = store.types
    source = write_drive(tmp_path / "bag", SmallDrive(has_detections=False))
    pose = bag_messages.pose_with_covariance(map_from_car(START_NS))
    result = {"pose": pose}
    if release == "release 3":
        hypothesis = types["vision_msgs/msg/ObjectHypothesis"](class_id="Car", score=1.0)
        results = [types["vision_msgs/msg/ObjectHypothesisWithPose"](hypothesis=hypothesis, **result)]
        identity: dict[str, Any] = {"tracking_id": "9"}
    else:
        results = [types["vision_msgs/msg/ObjectHypothesisWithPose"](id="Car", score=1.0, **result)]
        identity = {"tracking_id": "9", "is_tracking": True}
    box = types["vision_msgs/msg/BoundingBox3D"](center=pose.pose, size=bag_messages.vector(CAR_SIZE_M))
    header = bag_messages.header("map", START_NS)
    detection = types["vision_msgs/msg/Detection3D"](header=header, results=results, bbox=box, **identity)
    message = types["vision_msgs/msg/Detection3DArray"](header=header, detections=[detection])
    with AnyReader([source]) as reader, Writer(tmp_path / "old", version=9) as writer:
        connections = {
            c.id: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore) for c in reader.connections
        }
        for connection, log_ns, data in reader.messages():
            writer.write(connections[connection.id], log_ns, data)
        boxes = writer.add_connection("/boxes", "vision_msgs/msg/Detection3DArray", typestore=store)
        writer.write(boxes, START_NS, store.serialize_cdr(message, "vision_msgs/msg/Detection3DArray"))
    with open_bag(tmp_path / "old") as recording:
        (track,) = recording.tracks
        assert (track.actor_id, track.label, track.size_m) == ("9", "car", CAR_SIZE_M)
        found = recording.map_from_world @ pose_at(track.world_from_box, START_NS)
        assert torch.allclose(found, map_from_car(START_NS), atol=1e-6, rtol=0)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_topic_of_an_unreadable_type_does_not_spoil_the_bag(
    tmp_path: Path, storage: Literal["mcap", "sqlite3"]
) -> None:
    source = write_drive(tmp_path / "bag")
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    with AnyReader([source]) as reader, Writer(tmp_path / "odd", version=9, storage_plugin=plugin) as writer:
        odd = writer.add_connection("/odd", "odd_msgs/msg/Odd", msgdef="no definition {", rihs01="RIHS01_0")
        writer.write(odd, START_NS, b"\0\1\0\0")
        connections = {
            c.id: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore) for c in reader.connections
        }
        for connection, log_ns, data in reader.messages():
            writer.write(connections[connection.id], log_ns, data)
    assert is_the_small_drive(tmp_path / "odd")


def test_messages_without_stamps_take_the_time_of_recording(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        eye = torch.eye(4, dtype=torch.float64)
        bag.write_static_transforms([("base_link", "front", eye)])
        for index in range(5):
            stamp_ns = START_NS + index * 100_000_000
            bag.write_odometry("/odom", "odom", "base_link", stamp_ns, eye)
            image = bag_messages.image("front", 0, picture("front", index))
            bag._write("/front/image_rect", stamp_ns, image)
            bag.write_camera_info("/front/camera_info", "front", stamp_ns, SmallDrive().camera)
    with open_bag(tmp_path / "bag") as recording:
        assert recording.frame_stamps_ns("front").tolist() == [START_NS + i * 100_000_000 for i in range(5)]
        assert [frame.index for frame in recording.frames("front", [1, 3])] == [1, 3]
        assert any("carry no stamps" in warning for warning in recording.warnings)
