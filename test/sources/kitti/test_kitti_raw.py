"""KITTI raw: known answers on a tiny drive, the real one, and every way a drive can be damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.camera import intrinsic_matrix
from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.geometry.trajectory import pose_at
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.kitti import KittiDrive, KittiSettings, read_kitti_raw
from gs_sim.sources.kitti.labels import box_pose

DAY_NS = 86_400_000_000_000
START_NS = 1_709_251_199_000_000_000
"""2024-02-29 23:59:59 UTC."""


def test_a_tiny_drive_keeps_every_promise_of_a_recording(raw_drive: Path, labels: Path) -> None:
    assert check_recording(read_kitti_raw(raw_drive, KittiSettings(labels=labels))) == []


def test_each_sensor_has_its_own_stamps_to_the_nanosecond(raw_drive: Path) -> None:
    drive = read_kitti_raw(raw_drive)
    assert drive.sweep_stamps_ns("velodyne_points").tolist() == [START_NS + k * 100_000_000 for k in range(4)]
    assert drive.frame_stamps_ns("image_02").tolist() == [START_NS + 10_000_000 + k * 100_000_000 for k in range(4)]
    assert drive.frame_stamps_ns("image_03").tolist() == [START_NS + 11_000_000 + k * 100_000_000 for k in range(4)]


def test_images_and_sweeps_are_those_of_the_files(
    raw_drive: Path,
    expected_images: list[np.ndarray],
    expected_points: list[np.ndarray],
) -> None:
    drive = read_kitti_raw(raw_drive)
    for frame, image in zip(drive.frames("image_03"), expected_images, strict=True):
        np.testing.assert_array_equal(frame.rgb.numpy(), image)
    for sweep, points in zip(drive.sweeps("velodyne_points"), expected_points, strict=True):
        np.testing.assert_array_equal(sweep.points_lidar.numpy(), points[:, :3])
        np.testing.assert_array_equal(sweep.intensities.numpy(), points[:, 3])
        assert set(sweep.point_stamps_ns.tolist()) == {sweep.stamp_ns}, "KITTI tells no time per point"


def test_the_path_is_in_metres_east_north_up_from_the_first_record(raw_drive: Path) -> None:
    path = read_kitti_raw(raw_drive).world_from_rig
    for index in range(4):
        pose = pose_at(path, START_NS + 20_000_000 + index * 100_000_000)
        torch.testing.assert_close(
            pose[:3, 3], torch.tensor([float(index), 0.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-6
        )
        torch.testing.assert_close(pose[:3, :3], torch.eye(3, dtype=torch.float64))


def test_the_path_is_continued_to_the_sensors_that_fire_before_the_first_record(raw_drive: Path) -> None:
    path = read_kitti_raw(raw_drive).world_from_rig
    assert path.start_ns == START_NS, "the first sweep, 20 ms before the first record"
    assert float(path.poses[0, 0, 3]) == pytest.approx(-0.2, abs=1e-6), "20 ms at 10 m/s"
    assert len(path.stamps_ns) == 5


def test_heading_and_latitude_follow_the_mercator_formulas(raw_drive: Path) -> None:
    file = raw_drive / "oxts" / "data" / "0000000001.txt"
    values = file.read_text().split()
    values[0] = str(48.0 + np.rad2deg(5.0 / 6378137.0))  # 5 m north
    values[5] = str(np.pi / 2)
    file.write_text(" ".join(values))
    pose = pose_at(read_kitti_raw(raw_drive).world_from_rig, START_NS + 120_000_000)
    assert float(pose[1, 3]) == pytest.approx(5.0, abs=1e-4)
    torch.testing.assert_close(pose[:3, 0], torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))


def test_a_lidar_point_projects_by_the_chain_of_the_development_kit(raw_drive: Path) -> None:
    drive = read_kitti_raw(raw_drive)
    point = np.array([10.0, 1.0, -0.5, 1.0])
    camera0 = np.array([[0, -1, 0, 0], [0, 0, -1, -0.1], [1, 0, 0, -0.3], [0, 0, 0, 1]]) @ point
    for name, shift in (("image_02", 0.06), ("image_03", -0.47)):
        projection = np.array([[40, 0, 15.5, 40 * shift], [0, 40, 7.5, 0], [0, 0, 1, 0]])
        expected = projection @ camera0
        mounted = drive.rig.camera(name)
        camera_from_lidar = inverse(mounted.rig_from_camera) @ drive.rig.lidar("velodyne_points").rig_from_lidar
        in_camera = transform_points(camera_from_lidar, torch.tensor(point[None, :3]))[0]
        pixel = intrinsic_matrix(mounted.camera).double() @ in_camera
        # the core's pixel centres lie at +0.5
        assert (pixel[:2] / pixel[2] - 0.5).tolist() == pytest.approx((expected[:2] / expected[2]).tolist(), abs=1e-6)


def test_the_rig_is_the_gps_imu_unit(raw_drive: Path) -> None:
    lidar = read_kitti_raw(raw_drive).rig.lidar("velodyne_points")
    torch.testing.assert_close(lidar.rig_from_lidar[:3, 3], torch.tensor([0.8, -0.3, 0.9], dtype=torch.float64))


def test_a_label_becomes_a_box_that_stands_still_in_the_world(raw_drive: Path, labels: Path) -> None:
    drive = read_kitti_raw(raw_drive, KittiSettings(labels=labels))
    (track,) = drive.tracks
    assert (track.actor_id, track.label, track.size_m) == ("5", "car", (4.25, 1.75, 1.5))
    assert track.world_from_box.stamps_ns.tolist() == drive.frame_stamps_ns("image_02")[1:3].tolist()
    # bottom centre (-2, 1.6, 12) in camera 0, half of 1.5 m up, then to the velodyne, the rig and 0.9 m east
    expected = torch.tensor([12.0 + 0.3 + 0.8 + 0.9, 2.0 - 0.3, -(1.6 - 0.75) - 0.1 + 0.9], dtype=torch.float64)
    for pose in track.world_from_box.poses:
        torch.testing.assert_close(pose[:3, 3], expected, rtol=0, atol=1e-6)
        # ry = -90 degrees: the car looks where the camera looks, and its z is up
        torch.testing.assert_close(pose[:3, :3], torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-12)
    assert drive.skipped["DontCare labels, which have no box"] == 1


@pytest.mark.parametrize(
    ("ry_rad", "forward"), [(0.0, [1.0, 0.0, 0.0]), (np.pi / 2, [0.0, 0.0, -1.0]), (np.pi, [-1.0, 0.0, 0.0])]
)
def test_ry_turns_a_box_about_the_downward_axis(ry_rad: float, forward: list[float]) -> None:
    pose = box_pose((0.0, 0.0, 0.0), 1.5, ry_rad)
    torch.testing.assert_close(pose[:3, 0], torch.tensor(forward, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(pose[:3, 2], torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64))
    assert float(torch.linalg.det(pose[:3, :3])) == pytest.approx(1.0)


def test_a_range_of_frames_is_a_part_of_the_drive(raw_drive: Path) -> None:
    part = read_kitti_raw(raw_drive, KittiSettings(frames=(1, 3)))
    assert len(part.frame_stamps_ns("image_02")) == len(part.sweep_stamps_ns("velodyne_points")) == 2
    assert next(part.frames("image_02")).index == 0
    assert int(next(part.frames("image_02")).rgb[0, 0, 2]) == 40
    assert check_recording(part) == []


def test_cameras_are_the_colour_ones_present_unless_named(raw_drive: Path) -> None:
    assert [camera.name for camera in read_kitti_raw(raw_drive).rig.cameras] == ["image_02", "image_03"]
    chosen = read_kitti_raw(raw_drive, KittiSettings(cameras=("image_03",)))
    assert [camera.name for camera in chosen.rig.cameras] == ["image_03"]
    shutil.rmtree(raw_drive / "image_03")
    (raw_drive / "image_02").rename(raw_drive / "image_00")
    assert [camera.name for camera in read_kitti_raw(raw_drive).rig.cameras] == ["image_00"]


def test_a_sweep_the_sensor_missed_is_counted(raw_drive: Path) -> None:
    (raw_drive / "velodyne_points" / "data" / "0000000002.bin").unlink()
    stamps = (raw_drive / "velodyne_points" / "timestamps.txt").read_text().splitlines()
    stamps[2] = ""  # as KITTI writes it
    (raw_drive / "velodyne_points" / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    drive = read_kitti_raw(raw_drive)
    assert len(drive.sweep_stamps_ns("velodyne_points")) == 3
    assert sum(drive.skipped.values()) == 2, "once for each camera"
    assert check_recording(drive) == []


def test_unusable_points_are_left_out_and_counted_once(raw_drive: Path) -> None:
    points = np.array([[1, 2, 3, 0.5], [np.nan, 0, 0, 0], [0, 0, 0, 0.5], [1, np.inf, 0, 0]], dtype="<f4")
    (raw_drive / "velodyne_points" / "data" / "0000000000.bin").write_bytes(points.tobytes())
    drive = read_kitti_raw(raw_drive)
    for _ in range(2):
        assert len(next(drive.sweeps("velodyne_points")).points_lidar) == 1
    assert drive.skipped == {"LiDAR points that are not finite or at the origin": 3}


def replace_line(path: Path, number: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[number] = text
    path.write_text("\n".join(lines) + "\n")


def remove(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def remove_cameras(drive: Path) -> None:
    shutil.rmtree(drive / "image_02")
    shutil.rmtree(drive / "image_03")


def cut(path: Path, num_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:num_bytes])


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("no drive", lambda d: shutil.rmtree(d / "oxts"), "has no folder 'oxts'"),
    (
        "no cameras",
        remove_cameras,
        "no camera 'image_02'; cameras there: none",
    ),
    ("no sweeps", lambda d: shutil.rmtree(d / "velodyne_points" / "data"), "does not exist; files named by frame"),
    ("empty folder", lambda d: remove(*(d / "image_02" / "data").iterdir()), "holds no file named"),
    ("no stamps", lambda d: (d / "image_02" / "timestamps.txt").unlink(), "one time stamp per frame is expected"),
    (
        "few stamps",
        lambda d: cut(d / "image_02" / "timestamps.txt", 60),
        "no time stamp; 2 frames have a time stamp and 4 a file",
    ),
    (
        "bad stamp",
        lambda d: replace_line(d / "oxts" / "timestamps.txt", 1, "yesterday"),
        r"line 2: 'YYYY.* found 'yesterday'",
    ),
    ("bad month", lambda d: replace_line(d / "oxts" / "timestamps.txt", 1, "2024-13-01 00:00:00.0"), "line 2"),
    (
        "clock back",
        lambda d: replace_line(d / "oxts" / "timestamps.txt", 2, "2024-02-28 23:59:59.0"),
        "line 3: time must increase",
    ),
    (
        "no calibration",
        lambda d: (d.parent / "calib_velo_to_cam.txt").unlink(),
        "a KITTI calibration is expected there",
    ),
    ("empty calibration", lambda d: (d.parent / "calib_velo_to_cam.txt").write_text(""), "no 'key: values' line"),
    ("no P", lambda d: replace_line(d.parent / "calib_cam_to_cam.txt", 2, "X: 1"), "no entry 'P_rect_02'"),
    (
        "short P",
        lambda d: replace_line(d.parent / "calib_cam_to_cam.txt", 2, "P_rect_02: 1 2 3"),
        "12 finite numbers expected, found 3",
    ),
    (
        "no number",
        lambda d: replace_line(d.parent / "calib_velo_to_cam.txt", 1, "T: a b c"),
        "3 numbers expected, found 'a b c'",
    ),
    (
        "no rotation",
        lambda d: replace_line(d.parent / "calib_velo_to_cam.txt", 0, "R: 1 0 0 0 1 0 0 0 -1"),
        "rotation matrix expected",
    ),
    ("binary", lambda d: (d.parent / "calib_velo_to_cam.txt").write_bytes(b"\xff\xfe"), "is not a text file"),
    ("cut oxts", lambda d: cut(d / "oxts" / "data" / "0000000002.txt", 20), "30 finite numbers expected"),
    ("empty oxts", lambda d: cut(d / "oxts" / "data" / "0000000002.txt", 0), "30 finite numbers expected, found 0"),
    (
        "few oxts",
        lambda d: remove(*(d / "oxts" / "data" / f"000000000{k}.txt" for k in (0, 1, 2))),
        "outside the trajectory",
    ),
]


@pytest.mark.parametrize(("damage", "sentence"), [d[1:] for d in DAMAGES], ids=[d[0] for d in DAMAGES])
def test_a_damaged_drive_is_refused_in_one_sentence(
    raw_drive: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(raw_drive)
    with pytest.raises(InputError, match=sentence) as error:
        read_kitti_raw(raw_drive)
    assert "\n" not in str(error.value)


def test_a_truncated_sweep_or_image_is_refused_by_name(raw_drive: Path) -> None:
    drive = read_kitti_raw(raw_drive)
    cut(raw_drive / "velodyne_points" / "data" / "0000000001.bin", 100)
    with pytest.raises(InputError, match=r"0000000001.bin is truncated: 100 bytes"):
        list(drive.sweeps("velodyne_points"))
    cut(raw_drive / "image_02" / "data" / "0000000001.png", 50)
    with pytest.raises(InputError, match=r"0000000001.png cannot be decoded"):
        list(drive.frames("image_02"))
    cut(raw_drive / "image_02" / "data" / "0000000001.png", 0)
    with pytest.raises(InputError, match=r"0000000001.png cannot be decoded"):
        list(drive.frames("image_02"))


def test_an_image_of_another_size_than_the_calibration_is_refused(raw_drive: Path) -> None:
    replace_line(raw_drive.parent / "calib_cam_to_cam.txt", 1, "S_rect_02: 33 16")
    with pytest.raises(InputError, match="is 32x16 pixels, but the calibration of image_02 is for 33x16"):
        next(read_kitti_raw(raw_drive).frames("image_02"))


@pytest.mark.parametrize("frames", [(0, 5), (4, 6), (7, 9)])
def test_frames_that_are_not_there_are_refused(raw_drive: Path, frames: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"frames {frames[0]}:{frames[1]} were asked for, but .* has 0:4"):
        read_kitti_raw(raw_drive, KittiSettings(frames=frames))


@pytest.mark.parametrize("frames", [(2, 2), (3, 1), (-1, 2)])
def test_a_range_of_frames_must_be_one(frames: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="a frame range A:B needs"):
        KittiSettings(frames=frames)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1 5 Car 0 0", "17 values"),
        ("one 5 Car 0 0 -1.5 1 2 3 4 1.5 1.75 4.25 -2.0 1.6 12.0 0", "17 values starting with a frame number"),
        ("1 5 Car 0 0 -1.5 1 2 3 4 1.5 nan 4.25 -2.0 1.6 12.0 0", "finite numbers"),
        ("1 5 Car 0 0 -1.5 1 2 3 4 1.5 0 4.25 -2.0 1.6 12.0 0", "positive sizes"),
        ("9 5 Car 0 0 -1.5 1 2 3 4 1.5 1.75 4.25 -2.0 1.6 12.0 0", "no label is for the frames 0 to 3"),
    ],
)
def test_damaged_labels_are_refused(raw_drive: Path, labels: Path, line: str, sentence: str) -> None:
    labels.write_text(line + "\n")
    with pytest.raises(InputError, match=sentence):
        read_kitti_raw(raw_drive, KittiSettings(labels=labels))


def test_missing_labels_are_refused(raw_drive: Path) -> None:
    with pytest.raises(InputError, match="tracking labels is expected there"):
        read_kitti_raw(raw_drive, KittiSettings(labels=raw_drive / "none.txt"))


@pytest.fixture
def real_drive(data_dir: Path) -> KittiDrive:
    folder = data_dir / "kitti_raw_0009"
    if not folder.is_dir():
        pytest.skip(f"no KITTI drive at {folder}")
    settings = KittiSettings(labels=folder / "tracking_labels" / "0001.txt")
    return read_kitti_raw(folder / "2011_09_26" / "2011_09_26_drive_0009_sync", settings)


def test_the_real_drive_has_the_known_length_tracks_and_stamps(real_drive: KittiDrive) -> None:
    path = real_drive.world_from_rig
    length_m = float(path.poses[1:, :3, 3].diff(dim=0).norm(dim=1).sum())
    assert length_m == pytest.approx(54.92, abs=0.05)
    assert len(real_drive.tracks) == 20
    assert sum(len(track.world_from_box.stamps_ns) for track in real_drive.tracks) == 411
    assert real_drive.skipped == {"DontCare labels, which have no box": 343}
    delay_ms = (real_drive.frame_stamps_ns("image_02") - real_drive.sweep_stamps_ns("velodyne_points")) / 1e6
    assert 10.2 <= float(delay_ms.min()) <= float(delay_ms.max()) < 10.65


def test_the_only_moving_car_of_the_real_drive_is_found_moving(real_drive: KittiDrive) -> None:
    speeds = {}
    for track in real_drive.tracks:
        path = track.world_from_box
        seconds = (path.end_ns - path.start_ns) / 1e9
        speeds[track.actor_id] = float((path.poses[-1, :3, 3] - path.poses[0, :3, 3]).norm()) / seconds
    assert [actor_id for actor_id, speed in speeds.items() if speed > 1.0] == ["8"]
    assert speeds["8"] == pytest.approx(6.0, abs=0.5)


def project(drive: KittiDrive, points_rig: Tensor) -> Tensor:
    mounted = drive.rig.camera("image_02")
    points = transform_points(inverse(mounted.rig_from_camera), points_rig)
    pixels = points @ intrinsic_matrix(mounted.camera).double().T
    return torch.cat([pixels[:, :2] / pixels[:, 2:], points[:, 2:]], dim=1)


def test_a_sixth_of_a_real_sweep_falls_into_the_image(real_drive: KittiDrive) -> None:
    sweep = next(real_drive.sweeps("velodyne_points", [20]))
    rig_from_lidar = real_drive.rig.lidar("velodyne_points").rig_from_lidar
    u, v, depth_m = project(real_drive, transform_points(rig_from_lidar, sweep.points_lidar.double())).T
    fraction = float(((depth_m > 0) & (u >= 0) & (u < 1242) & (v >= 0) & (v < 375)).double().mean())
    assert fraction == pytest.approx(0.157, abs=0.012)


def test_real_boxes_project_onto_the_labelled_rectangles(real_drive: KittiDrive, data_dir: Path) -> None:
    lines = (data_dir / "kitti_raw_0009" / "tracking_labels" / "0001.txt").read_text().splitlines()
    rows = [line.split() for line in lines]
    stamps_ns = real_drive.frame_stamps_ns("image_02").tolist()
    rectangles = {(stamps_ns[int(row[0])], row[1]): [float(x) for x in row[6:10]] for row in rows if row[1] != "-1"}
    signs = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5], dtype=torch.float64)] * 3)
    differences = []
    for box in real_drive.boxes:
        corners_rig = transform_points(box.rig_from_box, signs * torch.tensor(box.size_m, dtype=torch.float64))
        projected = project(real_drive, corners_rig)
        left, top, right, bottom = rectangles[box.stamp_ns, box.actor_id]
        if float(projected[:, 2].min()) < 3 or left < 5 or right > 1236 or bottom > 369:
            continue  # cut by the image, so the rectangle is not the box
        low, high = projected[:, :2].amin(dim=0) - 0.5, projected[:, :2].amax(dim=0) - 0.5
        differences.append(
            [*(low - torch.tensor([left, top])).tolist(), *(high - torch.tensor([right, bottom])).tolist()]
        )
    assert len(differences) > 300
    assert float(torch.tensor(differences).abs().median()) < 1.5
