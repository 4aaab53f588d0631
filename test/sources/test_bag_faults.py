"""What is wrong with a bag is said in one sentence, or left out and counted; it never ends in a traceback."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_drive import NUM_FRAMES, PERIOD_NS, START_NS, SmallDrive, picture, points, write_drive
from torch import Tensor

from gs_sim.errors import BagError, FrameLinkError, GsSimError
from gs_sim.geometry.camera import Camera
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.inspect import inspect_bag


def sentence_of(path: Path, settings: BagSettings | None = None) -> str:
    """The one sentence that opening this bag ends with; `inspect` gives the same."""
    with pytest.raises(GsSimError) as caught:
        open_bag(path, settings)
    sentence = str(caught.value)
    assert inspect_bag(path, settings).verdict in sentence
    assert "\n" not in sentence
    return sentence


def test_a_path_without_a_bag_says_what_was_expected(tmp_path: Path) -> None:
    assert "there is no bag at" in sentence_of(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "expected metadata.yaml and .mcap or .db3 files, found nothing" in sentence_of(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("hello")
    assert "notes.txt is no bag; expected a rosbag2 folder" in sentence_of(tmp_path / "notes.txt")


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.bag"])
def test_an_empty_file_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert "is empty (0 bytes)" in sentence_of(tmp_path / name)


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.bag"])
def test_a_file_of_something_else_says_how_a_bag_is_repaired(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"GIF89a" + bytes(range(256)) * 100)
    assert "damaged or was not closed properly" in sentence_of(tmp_path / name)


@pytest.mark.parametrize("storage", ["mcap", "db3"])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_read_as_far_as_it_goes_or_says_how_to_repair_it(
    tmp_path: Path, storage: str, share: float
) -> None:
    write_drive(tmp_path / "bag", SmallDrive(storage={"db3": "sqlite3"}.get(storage, storage)))
    (file,) = (tmp_path / "bag").glob(f"*.{storage}")
    cut = tmp_path / f"cut.{storage}"
    cut.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    problem = inspect_bag(cut).problems
    if problem:
        assert "repair" in sentence_of(cut)
    else:
        with open_bag(cut) as recording:
            assert recording.warnings
            assert sum(1 for _ in recording.frames("left")) > 0


def test_bare_files_and_folders_without_metadata_are_read(tmp_path: Path) -> None:
    for storage, suffix in (("mcap", "mcap"), ("sqlite3", "db3")):
        folder = write_drive(tmp_path / storage, SmallDrive(storage=storage))
        with open_bag(folder / f"{storage}.{suffix}") as recording:
            assert check_recording(recording) == []
        (folder / "metadata.yaml").unlink()
        with open_bag(folder) as recording:
            assert check_recording(recording) == []
            assert "ros2 bag reindex" in recording.warnings[0]


def test_a_missing_part_of_a_bag_is_named(tmp_path: Path) -> None:
    folder = write_drive(tmp_path / "bag")
    (folder / "bag.mcap").rename(folder / "bag.mcap.old")
    assert "bag.mcap" in sentence_of(folder)


def test_a_bag_with_a_broken_metadata_file_is_read_without_it(tmp_path: Path) -> None:
    for storage in ("mcap", "sqlite3"):
        folder = write_drive(tmp_path / storage, SmallDrive(storage=storage))
        (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
        with open_bag(folder) as recording:
            assert len(recording.frame_stamps_ns("left")) == NUM_FRAMES
            assert "metadata.yaml" in recording.warnings[0]
            assert len(recording.warnings) == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"uint32 offset", b"uint32 ofsxet"),
        (b"vision_msgs/Detection3D[] detections", b"vision_msgs/Detection3D[] detectsons"),
    ],
)
def test_a_type_definition_that_lost_a_field_is_replaced_by_the_common_one(
    tmp_path: Path, right: bytes, wrong: bytes
) -> None:
    file = write_drive(tmp_path / "bag") / "bag.mcap"
    assert right in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(right, wrong))
    with open_bag(file) as recording:
        assert check_recording(recording) == []
        assert len(recording.tracks) == 1
        assert "lacks fields; the common one is used" in recording.warnings[0]


def test_without_camera_info_the_expected_topic_is_named(tmp_path: Path) -> None:
    sentence = sentence_of(write_drive(tmp_path / "bag", SmallDrive(has_info=False)))
    assert "camera 'left' (/left/image_rect) has no CameraInfo; expected it on /left/camera_info" in sentence


def test_a_camera_that_is_not_mounted_names_both_frames(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(has_camera_mounts=False))
    with pytest.raises(FrameLinkError):
        open_bag(path)
    assert "frames 'base_link' and 'left_optical_frame' are not connected" in sentence_of(path)


def test_without_poses_the_ways_out_are_named(tmp_path: Path) -> None:
    sentence = sentence_of(write_drive(tmp_path / "bag", SmallDrive(poses="none")))
    assert "no pose of the vehicle; expected nav_msgs/Odometry" in sentence
    assert "--poses lidar" in sentence
    with open_bag(tmp_path / "bag", BagSettings(needs_poses=False)) as recording:
        assert check_recording(recording) == []


def test_poses_of_another_time_are_told_from_missing_ones(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(pose_start_ns=START_NS - 3600 * 10**9))
    assert "do their clocks agree?" in sentence_of(path)


def test_frames_without_a_pose_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(pose_start_ns=START_NS + 3 * PERIOD_NS))
    with open_bag(path) as recording:
        assert check_recording(recording) == []
        assert recording.frame_stamps_ns("left").tolist() == [START_NS + i * PERIOD_NS for i in range(3, NUM_FRAMES)]
        assert recording.skipped["images on /left/image_rect without a pose of the vehicle"] == 3
        assert recording.skipped["sweeps on /lidar/points without a pose of the vehicle"] == 3
        (frame,) = recording.frames("left", [0])
        assert torch.equal(frame.rgb, picture("left", 3))


def test_frames_in_a_long_gap_of_the_poses_are_left_out(tmp_path: Path) -> None:
    sparse = SmallDrive(stamp_of=lambda index: START_NS + index * 2 * 10**9, num_poses=2)
    path = write_drive(tmp_path / "bag", replace(sparse, pose_start_ns=START_NS, num_poses=10))
    with open_bag(path, BagSettings(max_pose_gap_s=1e-3)) as recording:
        assert recording.frame_stamps_ns("left").tolist() == [START_NS]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_clock_that_repeats_leaps_or_goes_back_costs_only_those_messages(tmp_path: Path, storage: str) -> None:
    order = [0, 1, 2, 2, 1, 3, 40, 5, 6, 7]
    drive = SmallDrive(stamp_of=lambda index: START_NS + order[index] * PERIOD_NS, storage=storage, num_poses=100)
    with open_bag(write_drive(tmp_path / "bag", drive)) as recording:
        assert check_recording(recording) == []
        kept = ((recording.frame_stamps_ns("left") - START_NS) // PERIOD_NS).tolist()
        assert kept in ([0, 1, 2, 3, 5, 6, 7], [0, 1, 2, 3, 5, 6, 7, 40])
        counted = recording.skipped["messages on /left/image_rect whose stamp repeats, leaps or goes back"]
        assert counted == NUM_FRAMES - len(kept)


def test_images_of_another_size_are_left_out_and_counted(tmp_path: Path) -> None:
    def changing(name: str, index: int) -> Tensor:
        return picture(name, index, (12, 16) if index in {3, 4} else (24, 32))

    for encoding, topic in (("rgb8", "/left/image_rect"), ("png", "/left/image_rect/compressed")):
        with open_bag(write_drive(tmp_path / encoding, SmallDrive(picture=changing, encoding=encoding))) as recording:
            frames = list(recording.frames("left"))
            assert len(frames) == NUM_FRAMES - 2
            assert {tuple(frame.rgb.shape) for frame in frames} == {(24, 32, 3)}
            assert recording.skipped[f"images on {topic} that are not 32x24 px as most are"] == 2
            list(recording.frames("left"))
            assert recording.skipped[f"images on {topic} that are not 32x24 px as most are"] == 2


def test_a_calibration_of_another_shape_is_refused_and_of_another_size_scaled(tmp_path: Path) -> None:
    square = SmallDrive(camera=Camera(64, 64, 60.0, 60.0, 32.0, 32.0))
    assert "32x24 px, but its CameraInfo is for 64x64 px" in sentence_of(write_drive(tmp_path / "square", square))
    double = SmallDrive(camera=Camera(64, 48, 60.0, 60.0, 32.0, 24.0))
    with open_bag(write_drive(tmp_path / "double", double)) as recording:
        assert recording.rig.camera("left").camera == Camera(32, 24, 30.0, 30.0, 16.0, 12.0)
        assert any("the calibration was scaled" in warning for warning in recording.warnings)


def bad_points(index: int) -> Tensor:
    cloud = points(index)
    cloud[0], cloud[1, 0], cloud[2] = float("nan"), float("inf"), 0.0
    return cloud


def test_points_that_are_none_are_left_out_and_counted_once(tmp_path: Path) -> None:
    with open_bag(write_drive(tmp_path / "bag", SmallDrive(points=bad_points))) as recording:
        assert check_recording(recording) == []
        (sweep,) = recording.sweeps("lidar", [2])
        assert torch.equal(sweep.points_lidar, points(2)[3:])
        assert sweep.intensities[0] == 3
        expected = "points on /lidar/points that are not finite or at the sensor's origin"
        assert recording.skipped[expected] == 3 * NUM_FRAMES


@pytest.mark.parametrize(
    ("cloud", "is_empty"), [(lambda _: torch.zeros(0, 3), True), (lambda _: torch.full((5, 3), float("nan")), False)]
)
def test_sweeps_without_points(tmp_path: Path, cloud: Callable[[int], Tensor], is_empty: bool) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(points=cloud))
    if is_empty:
        assert "has no points in any of 10 sweeps" in sentence_of(path)
    else:
        with open_bag(path) as recording:
            assert all(len(sweep.points_lidar) == 0 for sweep in recording.sweeps("lidar"))


def test_a_full_disk_while_unpacking_or_a_folder_moved_away_ends_in_a_sentence(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag")
    with open_bag(path) as recording:
        shutil.rmtree(path)
        # an open file stays readable after its folder was removed
        assert sum(1 for _ in recording.frames("left")) == NUM_FRAMES


def test_a_stream_of_a_closed_bag_says_so(tmp_path: Path) -> None:
    recording = open_bag(write_drive(tmp_path / "bag"))
    stream = recording.frames("left")
    next(stream)
    recording.close()
    with pytest.raises(BagError):
        list(stream)
