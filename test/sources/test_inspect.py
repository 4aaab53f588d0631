"""`inspect` says ready, or what to fix, and never fails itself."""

import json
from pathlib import Path

from small_drive import NUM_FRAMES, SmallDrive, write_drive

from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.inspect import inspect_bag, summary_as_dict


def test_a_whole_drive_is_ready_and_described(tmp_path: Path) -> None:
    summary = inspect_bag(write_drive(tmp_path / "bag"))
    assert summary.verdict == "ready"
    camera, lidar = summary.cameras[0], summary.lidars[0]
    assert (camera.name, camera.topic, camera.encoding) == ("left", "/left/image_rect", "rgb8")
    assert (camera.width_px, camera.height_px, camera.lens) == (32, 24, "rectified")
    assert (camera.stream.count, camera.stream.num_used) == (NUM_FRAMES, NUM_FRAMES)
    assert abs(camera.stream.rate_hz - 10.0) < 1e-6
    assert lidar.fields == ("x", "y", "z", "intensity", "time")
    assert lidar.point_time == "seconds since the stamp"
    assert summary.pose is not None
    assert (summary.pose.source, summary.pose.base_frame, summary.pose.fixed_frame) == ("/odometry", "base_link", "map")
    assert abs(summary.pose.path_length_m - 14.5) < 1e-6
    assert summary.num_tracks == 1
    assert summary.size_bytes > 1000


def test_every_problem_is_listed_and_json_can_hold_it(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(has_camera_mounts=False))
    summary = inspect_bag(path)
    assert not summary.is_ready
    assert [problem.split("(")[0] for problem in summary.problems] == ["camera 'left' ", "camera 'right' "]
    read = json.loads(json.dumps(summary_as_dict(summary)))
    assert read["is_ready"] is False
    assert read["verdict"] == summary.problems[0]
    assert read["cameras"][0]["is_usable"] is False


def test_a_bag_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    summary = inspect_bag(tmp_path / "nothing", BagSettings())
    assert summary.verdict.startswith("there is no bag at")


def test_settings_decide_what_counts(tmp_path: Path) -> None:
    path = write_drive(tmp_path / "bag", SmallDrive(poses="none"))
    assert "no pose of the vehicle" in inspect_bag(path).verdict
    assert inspect_bag(path, BagSettings(needs_poses=False)).is_ready
