"""Reading a bag takes the memory of a few messages, however long the bag is."""

import tracemalloc
from pathlib import Path

import pytest
import torch

from gs_sim.geometry.camera import Camera
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_writer import BagWriter

START_NS = 1_700_000_000_000_000_000
IMAGE_BYTES = 480 * 640 * 3


def write_long(path: Path, num_frames: int, storage: str) -> None:
    camera, eye = Camera(640, 480, 500.0, 500.0, 320.0, 240.0), torch.eye(4, dtype=torch.float64)
    rgb = torch.zeros(480, 640, 3, dtype=torch.uint8)
    with BagWriter(path, storage) as bag:  # type: ignore[arg-type]  # the tests name real storages
        bag.write_static_transforms([("base_link", "front", eye), ("base_link", "lidar", eye)])
        for index in range(num_frames):
            stamp_ns = START_NS + index * 100_000_000
            pose = eye.clone()
            pose[0, 3] = index
            bag.write_odometry("/odom", "odom", "base_link", stamp_ns, pose)
            bag.write_image("/front/image_rect", "front", stamp_ns, rgb)
            bag.write_camera_info("/front/camera_info", "front", stamp_ns, camera)
            stamps = torch.full((20_000,), stamp_ns)
            sweep = Sweep("lidar", index, stamp_ns, torch.rand(20_000, 3) + 1, stamps, torch.rand(20_000))
            bag.write_sweep("/lidar/points", "lidar", sweep)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_memory_does_not_grow_with_the_bag(tmp_path: Path, storage: str) -> None:
    num_frames = 60
    write_long(tmp_path / "bag", num_frames, storage)
    tracemalloc.start()
    try:
        with open_bag(tmp_path / "bag") as recording:
            assert sum(1 for _ in recording.frames("front")) == num_frames
            assert sum(1 for _ in recording.sweeps("lidar")) == num_frames
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15 * IMAGE_BYTES
