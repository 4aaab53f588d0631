"""KITTI's odometry benchmark: known answers on a tiny sequence, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.pose import inverse
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.kitti import KittiSettings, read_kitti_odometry


@pytest.fixture
def poses(odometry_sequence: Path) -> Path:
    return odometry_sequence.parent.parent / "00.txt"


def test_a_tiny_sequence_keeps_every_promise_of_a_recording(odometry_sequence: Path, poses: Path, labels: Path) -> None:
    drive = read_kitti_odometry(odometry_sequence, poses, KittiSettings(labels=labels))
    assert check_recording(drive) == []
    assert [camera.name for camera in drive.rig.cameras] == ["image_2"]
    assert [track.actor_id for track in drive.tracks] == ["5"]


def test_the_path_is_that_of_the_velodyne_with_z_up(odometry_sequence: Path, poses: Path) -> None:
    path = read_kitti_odometry(odometry_sequence, poses).world_from_rig
    assert path.stamps_ns.tolist() == [0, 100_000_000, 200_000_000, 300_000_000]
    expected = torch.zeros(4, 3, dtype=torch.float64)
    expected[:, 0] = torch.arange(4)  # camera 0 drove along its z, which is the velodyne's x
    torch.testing.assert_close(path.poses[:, :3, 3], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(path.poses[:, :3, :3], torch.eye(3, dtype=torch.float64).expand(4, 3, 3))


def test_the_camera_stands_where_the_projection_says(odometry_sequence: Path, poses: Path) -> None:
    mounted = read_kitti_odometry(odometry_sequence, poses).rig.camera("image_2")
    assert (mounted.camera.width_px, mounted.camera.height_px) == (32, 16)
    assert mounted.camera.cx == 16.0
    camera_from_rig = inverse(mounted.rig_from_camera)
    expected = torch.tensor([0.06, -0.1, -0.3], dtype=torch.float64)
    torch.testing.assert_close(camera_from_rig[:3, 3], expected, rtol=0, atol=1e-12)


def test_a_range_of_frames_starts_its_world_at_its_first_pose(odometry_sequence: Path, poses: Path) -> None:
    drive = read_kitti_odometry(odometry_sequence, poses, KittiSettings(frames=(2, 4)))
    assert (
        drive.frame_stamps_ns("image_2").tolist()
        == drive.world_from_rig.stamps_ns.tolist()
        == [200_000_000, 300_000_000]
    )
    torch.testing.assert_close(drive.world_from_rig.poses[0], torch.eye(4, dtype=torch.float64))


def test_poses_written_with_few_digits_become_rigid(odometry_sequence: Path, poses: Path) -> None:
    angle = 0.1
    row = [np.cos(angle), 0, np.sin(angle), 0, 0, 1, 0, 0, -np.sin(angle), 0, np.cos(angle), 1]
    text = " ".join(f"{value:.5e}" for value in row)
    poses.write_text("\n".join([text] * 4) + "\n")
    rotation = read_kitti_odometry(odometry_sequence, poses).world_from_rig.poses[:, :3, :3]
    identity = torch.eye(3, dtype=torch.float64).expand(4, 3, 3)
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), identity, rtol=0, atol=1e-12)


DAMAGES: list[tuple[str, Callable[[Path, Path], object], str]] = [
    ("no calibration", lambda s, _: (s / "calib.txt").unlink(), "has no calib.txt; give a 'sequences/NN' folder"),
    ("no cameras", lambda s, _: shutil.rmtree(s / "image_2"), "no camera 'image_2'; cameras there: none"),
    ("no sweeps", lambda s, _: shutil.rmtree(s / "velodyne"), "velodyne does not exist"),
    ("no times", lambda s, _: (s / "times.txt").unlink(), "one time in seconds per frame is expected"),
    (
        "few times",
        lambda s, _: (s / "times.txt").write_text("0\n0.1\n0.2\n"),
        "a file for frame 3, which has no time stamp",
    ),
    ("clock back", lambda s, _: (s / "times.txt").write_text("0\n0.1\n0.05\n0.3\n"), "line 3: time must increase"),
    ("no number", lambda s, _: (s / "times.txt").write_text("0\nx\n"), "line 2: 1 numbers expected, found 'x'"),
    ("no poses", lambda _, p: p.unlink(), "one pose of 12 values per frame is expected"),
    ("few poses", lambda _, p: p.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n"), "has 1 poses, but times.txt has 4 times"),
    ("bad pose", lambda _, p: p.write_text("2 0 0 0 0 1 0 0 0 0 1 0\n" * 4), "line 1: a rotation matrix expected"),
    ("short pose", lambda _, p: p.write_text("1 0 0\n" * 4), "line 1: 12 finite numbers expected, found 3"),
    ("bad image", lambda s, _: (s / "image_2" / "0000000000.png").write_bytes(b"png"), "cannot be decoded"),
]


@pytest.mark.parametrize(("damage", "sentence"), [d[1:] for d in DAMAGES], ids=[d[0] for d in DAMAGES])
def test_a_damaged_sequence_is_refused_in_one_sentence(
    odometry_sequence: Path, poses: Path, damage: Callable[[Path, Path], object], sentence: str
) -> None:
    damage(odometry_sequence, poses)
    with pytest.raises(InputError, match=sentence):
        read_kitti_odometry(odometry_sequence, poses)
