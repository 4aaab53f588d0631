"""A real drive written as a bag is the same Recording as the files it was made of."""

from pathlib import Path

import pytest
import torch

from gs_sim.geometry.trajectory import pose_at
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.inspect import inspect_bag
from gs_sim.sources.kitti.raw import KittiSettings
from gs_sim.sources.kitti.write_bag import import_kitti_raw

FRAMES = (8, 14)


@pytest.fixture(scope="module")
def drive_dir(data_dir: Path) -> Path:
    folder = data_dir / "kitti_raw_0009"
    if not folder.is_dir():
        pytest.skip(f"the real drive is not at {folder}")
    return folder


def test_a_bag_of_the_real_drive_is_the_real_drive(drive_dir: Path, tmp_path: Path) -> None:
    settings = KittiSettings(frames=FRAMES, labels=drive_dir / "tracking_labels" / "0001.txt")
    drive = import_kitti_raw(drive_dir / "2011_09_26" / "2011_09_26_drive_0009_sync", tmp_path / "bag", settings)
    assert inspect_bag(tmp_path / "bag").verdict == "ready"
    with open_bag(tmp_path / "bag") as recording:
        assert check_recording(recording) == []
        assert recording.skipped == {}
        mounted, expected = recording.rig.camera("image_02"), drive.rig.camera("image_02")
        for name in ("width_px", "height_px", "fx", "fy", "cx", "cy"):
            assert getattr(mounted.camera, name) == pytest.approx(getattr(expected.camera, name))
        assert torch.allclose(mounted.rig_from_camera, expected.rig_from_camera, atol=1e-9)
        for found, frame in zip(recording.frames("image_02"), drive.frames("image_02"), strict=True):
            assert found.stamp_ns == frame.stamp_ns
            assert torch.equal(found.rgb, frame.rgb)
            world_from_rig = pose_at(recording.world_from_rig, frame.stamp_ns)
            logged = pose_at(drive.world_from_rig, frame.stamp_ns, 10**8)
            assert torch.allclose(recording.map_from_world @ world_from_rig, drive.map_from_world @ logged, atol=1e-6)
        for sweep, written in zip(recording.sweeps("velodyne_points"), drive.sweeps("velodyne_points"), strict=True):
            assert torch.equal(sweep.points_lidar, written.points_lidar)
            assert torch.equal(sweep.intensities, written.intensities)
        assert {track.actor_id for track in recording.tracks} == {track.actor_id for track in drive.tracks}
        assert {track.size_m for track in recording.tracks} == {track.size_m for track in drive.tracks}
