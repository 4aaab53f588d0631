"""Point clouds, calibrations, poses and boxes mean the same whatever their driver wrote."""

from array import array
from types import SimpleNamespace as Fields
from typing import Any

import numpy as np
import pytest
import torch

from gs_sim.errors import MessageError
from gs_sim.sources.messages.camera_info import camera_from_info, stereo_offset_m, stereo_rectification
from gs_sim.sources.messages.detections import detections_from_message
from gs_sim.sources.messages.point_cloud import decode_cloud
from gs_sim.sources.messages.point_time import find_point_time, point_stamps_ns
from gs_sim.sources.messages.pose import PoseColumns, pose_from_fields

STAMP_NS = 1_700_000_000_500_000_000
POINTS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def cloud(columns: dict[str, tuple[str, Any]], *, big: bool = False, gap: int = 0, rows: int = 1, tail: int = 0) -> Any:
    """A cloud with `gap` unused bytes before every field and `tail` bytes after every row, in an `array.array`."""
    num_points = len(next(iter(columns.values()))[1])
    offsets, offset = {}, 0
    for name, (kind, _) in columns.items():
        offsets[name] = offset + gap
        offset = offsets[name] + np.dtype(kind).itemsize
    layout = np.dtype(
        {
            "names": list(columns),
            "formats": [(">" if big else "<") + kind for kind, _ in columns.values()],
            "offsets": list(offsets.values()),
            "itemsize": offset + gap,
        }
    )
    table = np.zeros(num_points, layout)
    for name, (_, values) in columns.items():
        table[name] = values
    lines = np.pad(table.view(np.uint8).reshape(rows, -1), ((0, 0), (0, tail)))
    return Fields(
        height=rows,
        width=num_points // rows,
        fields=[
            Fields(name=name, offset=offsets[name], datatype=CODES[kind], count=1)
            for name, (kind, _) in columns.items()
        ],
        is_bigendian=big,
        point_step=layout.itemsize,
        row_step=lines.shape[1],
        data=array("B", lines.tobytes()),
    )


def xyz(kind: str = "f4", points: Any = POINTS) -> dict[str, tuple[str, Any]]:
    return {name: (kind, points[:, i]) for i, name in enumerate("xyz")}


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", ["f4", "f8", "i2"])
@pytest.mark.parametrize(("gap", "rows", "tail"), [(0, 1, 0), (3, 1, 0), (1, 3, 5)])
def test_any_layout_gives_the_same_points(kind: str, big: bool, gap: int, rows: int, tail: int) -> None:
    columns = {"ring": ("u2", [1, 2, 3]), **xyz(kind), "reflectivity": ("u1", [10, 20, 30]), "t": ("u4", [0, 5, 9])}
    read = decode_cloud(cloud(columns, big=big, gap=gap, rows=rows, tail=tail))
    assert torch.equal(read.points_lidar, torch.from_numpy(POINTS).float())
    assert read.intensities.tolist() == [10, 20, 30]
    assert read.raw_times is not None
    assert read.raw_times.tolist() == [0, 5, 9]


def test_points_that_are_not_finite_or_at_the_origin_are_left_out_and_counted() -> None:
    points = np.array([[np.nan, 0, 0], [1, 2, 3], [0, 0, 0], [np.inf, 1, 1], [1e300, 0, 0]])
    read = decode_cloud(cloud({**xyz("f8", points), "i": ("f4", [1, np.nan, 3, 4, 5])}))
    assert read.points_lidar.tolist() == [[1, 2, 3]]
    assert read.intensities.tolist() == [0]
    assert read.num_unusable == 4


def test_a_cloud_without_points_is_read() -> None:
    empty = cloud(xyz(points=np.zeros((0, 3))))
    assert decode_cloud(empty).points_lidar.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 2**31}, "needs .* bytes, but has"),
        ({"data": b"123"}, "but has 3"),
        ({"point_step": 9}, "does not fit"),
        ({"row_step": 4}, "rows of 4"),
        ({"fields": []}, "lacks the field x; it has: none"),
        ({"fields": [Fields(name=n, offset=0, datatype=99, count=1) for n in "xyz"]}, "type 99"),
    ],
)
def test_a_contradictory_cloud_is_refused(change: dict[str, Any], sentence: str) -> None:
    broken = cloud(xyz())
    vars(broken).update(change)
    with pytest.raises(MessageError, match=sentence):
        decode_cloud(broken)


TENTHS = np.linspace(0, 0.1, 11)


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        (TENTHS.astype("f4"), "seconds since the stamp"),
        ((TENTHS - 0.1).astype("f4"), "seconds since the stamp"),
        ((TENTHS * 1e9).astype("u4"), "nanoseconds since the stamp"),
        ((TENTHS * 1e6).astype("u4"), "microseconds since the stamp"),
        (TENTHS * 1e3, "milliseconds since the stamp"),
        (TENTHS + STAMP_NS / 1e9, "seconds since 1970"),
        (TENTHS * 1e9 + float(STAMP_NS), "nanoseconds since 1970"),
        (TENTHS + 4711.0, "seconds since the first point"),
    ],
)
def test_the_times_of_all_drivers_end_up_equal(raw: Any, meaning: str) -> None:
    found = find_point_time(raw, STAMP_NS)
    assert found is not None
    assert str(found).startswith(meaning)
    stamps_ns, num_unusable = point_stamps_ns(raw, STAMP_NS, found)
    start_ns = STAMP_NS + round(float(raw[0]) * 1e9) if raw[0] < 0 else STAMP_NS
    expected = start_ns + np.rint(TENTHS * 1e9).astype(np.int64)
    assert np.abs(stamps_ns.numpy() - expected).max() < 500
    assert num_unusable == 0


@pytest.mark.parametrize("raw", [np.zeros(5), np.array([0.0, 4e3]), np.array([np.nan, np.nan]), np.array([1.0])])
def test_times_that_fit_no_sweep_have_no_meaning(raw: Any) -> None:
    assert find_point_time(raw, STAMP_NS) is None


def test_a_point_with_an_impossible_time_gets_the_stamp_of_its_sweep() -> None:
    meaning = find_point_time(TENTHS, STAMP_NS)
    assert meaning is not None
    stamps_ns, num_unusable = point_stamps_ns(np.array([0.05, np.nan, 1e6]), STAMP_NS, meaning)
    assert stamps_ns.tolist() == [STAMP_NS + 50_000_000, STAMP_NS, STAMP_NS]
    assert num_unusable == 2


def camera_info(model: str, d: Any, *, capitals: bool = False, **changes: Any) -> Any:
    letters = "KDRP" if capitals else "kdrp"
    info = Fields(
        width=640,
        height=480,
        distortion_model=model,
        binning_x=0,
        binning_y=0,
        roi=Fields(x_offset=0, y_offset=0, width=0, height=0),
        **dict(
            zip(
                letters,
                (
                    np.array([500, 0, 320, 0, 501, 240, 0, 0, 1.0]),
                    np.array(d),
                    np.eye(3).reshape(-1),
                    np.array([450, 0, 310, -45, 0, 451, 230, 0, 0, 0, 1.0, 0]),
                ),
                strict=True,
            )
        ),
    )
    vars(info).update(changes)
    return info


@pytest.mark.parametrize("capitals", [False, True])
def test_raw_images_have_k_and_the_lens_and_pixel_centres_at_a_half(capitals: bool) -> None:
    camera = camera_from_info(
        camera_info("plumb_bob", [0.1, 0.2, 0.3, 0.4, 0.5], capitals=capitals), is_rectified=False
    )
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500, 501, 320.5, 240.5)
    assert (camera.lens, camera.coefficients) == ("plumb_bob", (0.1, 0.2, 0.3, 0.4, 0.5))


def test_rectified_images_have_p_and_no_lens() -> None:
    info = camera_info("plumb_bob", [0.1, 0.2, 0.3, 0.4, 0.5])
    camera = camera_from_info(info, is_rectified=True)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.lens) == (450, 451, 310.5, 230.5, "none")
    assert stereo_offset_m(info) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("model", "d", "lens", "coefficients"),
    [
        ("", [], "none", ()),
        ("plumb_bob", [0.0] * 5, "none", ()),
        ("plumb_bob", [0.1, 0, 0, 0], "plumb_bob", (0.1, 0, 0, 0, 0)),
        ("plumb_bob", [0.1, 0, 0, 0, 0, 0, 0, 0.3], "rational_polynomial", (0.1, 0, 0, 0, 0, 0, 0, 0.3)),
        ("rational_polynomial", [0.1] * 8 + [0.0] * 6, "rational_polynomial", (0.1,) * 8),
        ("rational_polynomial", [0.1] * 5 + [0.0] * 3, "plumb_bob", (0.1,) * 5),
        ("equidistant", [0.0] * 4, "equidistant", (0.0,) * 4),
        ("fisheye", [0.1, 0.2, 0.3, 0.4], "equidistant", (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_lens_models_are_told_by_name_and_coefficients(model: str, d: Any, lens: str, coefficients: Any) -> None:
    camera = camera_from_info(camera_info(model, d), is_rectified=False)
    assert (camera.lens, camera.coefficients) == (lens, coefficients)


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        (camera_info("double_sphere", [0.1]), "'double_sphere' is not known"),
        (camera_info("equidistant", [0.1]), "takes 4 coefficients"),
        (camera_info("plumb_bob", [0.1] * 14), "takes 8 coefficients"),
        (camera_info("plumb_bob", [], k=np.zeros(9)), "not calibrated"),
        (camera_info("plumb_bob", [], width=0), "not calibrated"),
    ],
)
def test_a_camera_info_that_cannot_be_used_says_why(info: Any, sentence: str) -> None:
    with pytest.raises(MessageError, match=sentence):
        camera_from_info(info, is_rectified=False)


def test_binning_and_a_region_of_interest_keep_the_rays() -> None:
    region = Fields(x_offset=100, y_offset=60, width=400, height=300)
    camera = camera_from_info(camera_info("", [], binning_x=2, binning_y=2, roi=region), is_rectified=False)
    assert (camera.width_px, camera.height_px) == (200, 150)
    # pixel (30, 20) of the image is the block of 2 x 2 around (160, 100) of the sensor, counted from edges
    assert (30 - camera.cx) / camera.fx == pytest.approx((160 - 320.5) / 500)
    assert (20 - camera.cy) / camera.fy == pytest.approx((100 - 240.5) / 501)


def test_a_stereo_rectification_turns_the_raw_camera() -> None:
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    info = camera_info("", [], r=turn.reshape(-1))
    assert torch.equal(stereo_rectification(info, is_rectified=False)[:3, :3], torch.from_numpy(turn))
    assert torch.equal(stereo_rectification(info, is_rectified=True), torch.eye(4, dtype=torch.float64))
    unset = camera_info("", [], r=np.zeros(9))
    assert torch.equal(stereo_rectification(unset, is_rectified=False), torch.eye(4, dtype=torch.float64))


def pose(w: float, x: float, y: float, z: float, at: float = 1.0) -> Any:
    return Fields(
        position=Fields(x=at, y=2.0, z=3.0), orientation=Fields(w=float(w), x=float(x), y=float(y), z=float(z))
    )


def test_quaternions_are_xyzw_and_normalised() -> None:
    turned = pose(2.0, 0.0, 0.0, 2.0)
    a_from_b = pose_from_fields(turned.position, turned.orientation)
    expected = torch.tensor([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]], dtype=torch.float64)
    assert torch.allclose(a_from_b, expected)


@pytest.mark.parametrize("bad", [pose(0, 0, 0, 0), pose(1, 0, 0, float("nan")), pose(1, 0, 0, 0, at=float("inf"))])
def test_a_pose_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(MessageError, match=r"finite|no rotation"):
        pose_from_fields(bad.position, bad.orientation)


def test_poses_in_columns_are_sorted_and_the_last_of_equal_stamps_counts() -> None:
    columns = PoseColumns()
    for second, at in ((2, 0.0), (0, 1.0), (1, 2.0), (1, 3.0), (0, 4.0)):
        header = Fields(frame_id="map", stamp=Fields(sec=second, nanosec=5))
        columns.add_vehicle_pose(Fields(header=header, pose=Fields(pose=pose(0.5, 0.1, 0.2, 0.3, at=at))))
    path = columns.trajectory()
    assert path.stamps_ns.tolist() == [5, 10**9 + 5, 2 * 10**9 + 5]
    assert path.poses[:, 0, 3].tolist() == [4.0, 3.0, 0.0]
    single = pose(0.5, 0.1, 0.2, 0.3, at=4.0)
    assert torch.allclose(path.poses[0], pose_from_fields(single.position, single.orientation))
    with pytest.raises(MessageError):
        columns.add_vehicle_pose(Fields(header=header, pose=pose(0, 0, 0, 0)))
    assert len(columns) == 5


def boxes(results: list[Any], **identity: Any) -> Any:
    header = Fields(frame_id="/map", stamp=Fields(sec=1, nanosec=2))
    size = Fields(x=4.0, y=2.0, z=1.5)
    unnamed = Fields(frame_id="", stamp=Fields(sec=1, nanosec=2))
    good = Fields(header=unnamed, results=results, bbox=Fields(center=pose(1, 0, 0, 0), size=size), **identity)
    flat = Fields(header=unnamed, results=[], bbox=Fields(center=pose(1, 0, 0, 0), size=Fields(x=4.0, y=0.0, z=1.0)))
    unset = Fields(header=unnamed, results=[], bbox=Fields(center=pose(0, 0, 0, 0), size=size))
    return Fields(header=header, detections=[good, flat, unset])


@pytest.mark.parametrize(
    "message",
    [
        boxes([Fields(hypothesis=Fields(class_id="Car", score=0.9))], id="7"),
        boxes([Fields(hypothesis=Fields(id="Car", score=0.9))], tracking_id="7", is_tracking=True),
        boxes([Fields(id="Van", score=0.1), Fields(id="Car", score=0.9)], tracking_id="7"),
    ],
)
def test_boxes_of_every_release_are_read_alike(message: Any) -> None:
    read = detections_from_message(message)
    ((frame, box),) = read.boxes
    assert (frame, box.actor_id, box.label, box.size_m) == ("map", "7", "car", (4.0, 2.0, 1.5))
    assert read.stamp_ns == 1_000_000_002
    assert read.num_unusable == 2
