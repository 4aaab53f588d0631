"""Bags are complete under their name or not there at all, and hold what was given."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from rosbags.highlevel import AnyReader
from rosbags.interfaces import ConnectionExtRosbag2, QosDurability

from gs_sim.errors import StorageError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import pose_from_twist
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources.bag_writer import BagWriter
from gs_sim.sources.detection import Detection

STAMP_NS = 1_700_000_000_123_456_789


def read(path: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with AnyReader([path]) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(reader.deserialize(data, connection.msgtype))
    return found


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """As a full disk: writing beyond so many bytes fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_everything_written_is_read_back(tmp_path: Path, storage: Literal["mcap", "sqlite3"]) -> None:
    rgb = torch.arange(4 * 6 * 3, dtype=torch.uint8).reshape(4, 6, 3)
    points = torch.randn(5, 3)
    pose = pose_from_twist(torch.tensor([1.0, 2.0, 3.0, 0.1, 0.2, 0.3], dtype=torch.float64))
    box = Detection("7", "car", (4.0, 2.0, 1.5), pose)
    camera = Camera(6, 4, 5.0, 5.5, 3.0, 2.0, "equidistant", (0.1, 0.2, 0.3, 0.4))
    with BagWriter(tmp_path / "bag", storage) as bag:
        bag.write_static_transforms([("base_link", "lidar", pose)])
        bag.write_image("/front/image_rect", "front_optical", STAMP_NS, rgb)
        bag.write_image("/front/image_rect", "front_optical", STAMP_NS, rgb, "png")
        bag.write_camera_info("/front/camera_info", "front_optical", STAMP_NS, camera)
        stamps = torch.full((5,), STAMP_NS) + torch.arange(5) * 1_000_000
        bag.write_sweep("/lidar", "lidar", Sweep("lidar", 0, STAMP_NS, points, stamps, torch.ones(5)))
        bag.write_transform("map", "base_link", STAMP_NS, pose)
        bag.write_odometry("/odometry", "map", "base_link", STAMP_NS, pose)
        bag.write_detections("/tracks", "base_link", STAMP_NS, [box])
    found = read(tmp_path / "bag")
    assert [p.name for p in tmp_path.iterdir()] == ["bag"]
    assert np.array_equal(found["/front/image_rect"][0].data.reshape(4, 6, 3), rgb.numpy())
    assert found["/front/image_rect/compressed"][0].format == "rgb8; png compressed bgr8"
    info = found["/front/camera_info"][0]
    assert info.k[2] == camera.cx - 0.5
    assert info.p[6] == camera.cy - 0.5
    assert tuple(info.d) == camera.coefficients
    packed = found["/lidar"][0].data.view("<f4").reshape(5, 5)
    assert np.array_equal(packed[:, :3], points.numpy())
    assert np.allclose(packed[:, 4], np.arange(5) * 1e-3)
    static = found["/tf_static"][0].transforms[0]
    assert (static.header.frame_id, static.child_frame_id) == ("base_link", "lidar")
    assert static.header.stamp.nanosec == STAMP_NS % 10**9
    assert found["/odometry"][0].pose.pose.position.y == pose[1, 3].item()
    detection = found["/tracks"][0].detections[0]
    assert (detection.id, detection.results[0].hypothesis.class_id) == ("7", "car")
    assert detection.bbox.size.x == 4.0


def test_static_transforms_are_offered_to_late_subscribers(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.write_static_transforms([("a", "b", torch.eye(4, dtype=torch.float64))])
        bag.write_transform("b", "c", STAMP_NS, torch.eye(4, dtype=torch.float64))
    with AnyReader([tmp_path / "bag"]) as reader:
        durability = {}
        for connection in reader.connections:
            assert isinstance(connection.ext, ConnectionExtRosbag2)
            durability[connection.topic] = connection.ext.offered_qos_profiles[0].durability
    assert durability == {"/tf_static": QosDurability.TRANSIENT_LOCAL, "/tf": QosDurability.VOLATILE}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_bag_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    def write_and_fail() -> None:
        with BagWriter(tmp_path / "bag") as bag:
            bag.write_transform("a", "b", STAMP_NS, torch.eye(4, dtype=torch.float64))
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, storage: Literal["mcap", "sqlite3"]) -> None:
    rgb = torch.zeros(600, 800, 3, dtype=torch.uint8)

    def write_much() -> None:
        with largest_file(4_000_000), BagWriter(tmp_path / "bag", storage) as bag:
            for index in range(10):
                bag.write_image("/front/image_rect", "front", STAMP_NS + index, rgb)

    with pytest.raises(StorageError, match=r"bag .* cannot be written"):
        write_much()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bag_is_replaced_only_when_allowed(tmp_path: Path) -> None:
    for topic, overwrite in (("/old", False), ("/new", True)):
        with BagWriter(tmp_path / "bag", overwrite=overwrite) as bag:
            bag.write_odometry(topic, "map", "base_link", STAMP_NS, torch.eye(4, dtype=torch.float64))
    assert list(read(tmp_path / "bag")) == ["/new"]
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(StorageError, match="exists already"), BagWriter(tmp_path / "bag"):
        pass


def test_a_folder_that_is_no_bag_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("years of work")
    with pytest.raises(StorageError, match="is no bag"), BagWriter(tmp_path / "thesis", overwrite=True):
        pass
    assert (tmp_path / "thesis" / "chapter").exists()
