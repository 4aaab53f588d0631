"""A bag is read back as the drive that was written, whatever its storage, encoding and lens."""

from pathlib import Path

import pytest
import torch
from small_drive import (
    CAR_SIZE_M,
    NUM_FRAMES,
    PERIOD_NS,
    RIG_FROM_LIDAR,
    START_NS,
    SmallDrive,
    map_from_car,
    map_from_rig,
    picture,
    points,
    rig_from_camera,
    write_drive,
)

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.trajectory import pose_at
from gs_sim.geometry.warp import rectified_camera, warp_image
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("poses", ["odometry", "tf"])
def test_a_drive_comes_back_as_it_was_written(tmp_path: Path, storage: str, poses: str) -> None:
    with open_bag(write_drive(tmp_path / "bag", SmallDrive(storage=storage, poses=poses))) as recording:
        assert check_recording(recording) == []
        assert recording.skipped == {}
        assert recording.warnings == ()
        assert [camera.name for camera in recording.rig.cameras] == ["left", "right"]
        mounted = recording.rig.camera("left")
        assert mounted.camera == Camera(32, 24, 30.0, 30.0, 16.0, 12.0)
        assert torch.allclose(mounted.rig_from_camera, rig_from_camera("left"))
        assert torch.allclose(recording.rig.lidar("lidar").rig_from_lidar, RIG_FROM_LIDAR)
        frames = list(recording.frames("right"))
        assert [frame.index for frame in frames] == list(range(NUM_FRAMES))
        assert all(torch.equal(frame.rgb, picture("right", frame.index)) for frame in frames)
        sweeps = list(recording.sweeps("lidar"))
        assert all(torch.equal(sweep.points_lidar, points(sweep.index)) for sweep in sweeps)
        assert sweeps[3].intensities.tolist() == list(range(50))
        expected = sweeps[3].stamp_ns + torch.linspace(0, 90_000_000, 50, dtype=torch.float64).round().long()
        assert int((sweeps[3].point_stamps_ns - expected).abs().max()) < 10


def test_the_world_starts_at_the_first_pose_and_keeps_the_axes_of_the_map(tmp_path: Path) -> None:
    with open_bag(write_drive(tmp_path / "bag")) as recording:
        assert torch.equal(recording.map_from_world[:3, :3], torch.eye(3, dtype=torch.float64))
        assert float(recording.world_from_rig.poses[0, :3, 3].norm()) < 1e-6
        stamp_ns = START_NS + 3 * PERIOD_NS
        found = recording.map_from_world @ pose_at(recording.world_from_rig, stamp_ns)
        assert torch.allclose(found, map_from_rig(stamp_ns), atol=1e-9, rtol=0)


def test_boxes_become_tracks_in_the_world(tmp_path: Path) -> None:
    with open_bag(write_drive(tmp_path / "bag")) as recording:
        (track,) = recording.tracks
        assert (track.actor_id, track.label, track.size_m) == ("car 1", "car", CAR_SIZE_M)
        assert len(track.world_from_box.stamps_ns) == NUM_FRAMES
        stamp_ns = START_NS + 250_000_000
        found = recording.map_from_world @ pose_at(track.world_from_box, stamp_ns)
        assert torch.allclose(found, map_from_car(stamp_ns), atol=1e-6, rtol=0)


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_compressed_images_are_read(tmp_path: Path, encoding: str) -> None:
    with open_bag(write_drive(tmp_path / "bag", SmallDrive(encoding=encoding))) as recording:
        assert check_recording(recording) == []
        (frame,) = recording.frames("left", [4])
        assert (frame.rgb.int() - picture("left", 4).int()).abs().float().mean() < 3


def test_only_the_frames_asked_for_are_given_in_time_order(tmp_path: Path) -> None:
    sparse = SmallDrive(stamp_of=lambda index: START_NS + index * 7 * PERIOD_NS, num_poses=200)
    with open_bag(write_drive(tmp_path / "bag", sparse), BagSettings(cameras=("left",))) as recording:
        assert [camera.name for camera in recording.rig.cameras] == ["left"]
        frames = list(recording.frames("left", [7, 2, 3, 99, 2]))
        assert [frame.index for frame in frames] == [2, 3, 7]
        assert all(torch.equal(frame.rgb, picture("left", frame.index)) for frame in frames)
        assert [sweep.index for sweep in recording.sweeps("lidar", [9, 0])] == [0, 9]


def test_two_streams_of_one_bag_do_not_disturb_each_other(tmp_path: Path) -> None:
    with open_bag(write_drive(tmp_path / "bag")) as recording:
        for left, right in zip(recording.frames("left"), recording.frames("right"), strict=True):
            assert torch.equal(left.rgb, picture("left", left.index))
            assert torch.equal(right.rgb, picture("right", right.index))


@pytest.mark.parametrize(
    ("lens", "coefficients"),
    [
        ("plumb_bob", (-0.3, 0.1, 0.001, -0.001, 0.0)),
        ("rational_polynomial", (-0.2, 0.1, 0.0, 0.0, 0.01, 0.1, 0.0, 0.001)),
        ("equidistant", (0.05, -0.01, 0.0, 0.0)),
    ],
)
def test_raw_images_are_rectified_at_the_door(tmp_path: Path, lens: str, coefficients: tuple[float, ...]) -> None:
    camera = Camera(32, 24, 30.0, 30.0, 16.0, 12.0, lens, coefficients)  # type: ignore[arg-type]
    with open_bag(write_drive(tmp_path / "bag", SmallDrive(camera=camera, image_name="image_raw"))) as recording:
        mounted = recording.rig.camera("left")
        assert mounted.raw_camera == camera
        assert mounted.camera == rectified_camera(camera)
        (frame,) = recording.frames("left", [5])
        assert torch.equal(frame.rgb, warp_image(picture("left", 5), camera, mounted.camera))
        assert check_recording(recording) == []


def test_rectified_images_need_no_lens_even_if_their_camera_has_one(tmp_path: Path) -> None:
    camera = Camera(32, 24, 30.0, 30.0, 16.0, 12.0, "plumb_bob", (-0.3, 0.1, 0.0, 0.0, 0.0))
    with open_bag(write_drive(tmp_path / "bag", SmallDrive(camera=camera))) as recording:
        assert recording.rig.camera("left").raw_camera.is_pinhole
        (frame,) = recording.frames("left", [5])
        assert torch.equal(frame.rgb, picture("left", 5))


def test_a_parked_vehicle_has_a_path_too(tmp_path: Path) -> None:
    still = SmallDrive(poses="tf", pose_start_ns=START_NS, num_poses=1, has_detections=False)
    with open_bag(write_drive(tmp_path / "bag", still)) as recording:
        assert check_recording(recording) == []
        assert len(list(recording.frames("left"))) == NUM_FRAMES
