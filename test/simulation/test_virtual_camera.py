"""Rig files: what they say, and what is refused in them."""

from pathlib import Path

import pytest
import torch
from tiny_world import CAMERA, TinyWorld

from gs_sim.errors import ConfigError
from gs_sim.simulation.scene_clock import SceneClock
from gs_sim.simulation.virtual_camera import load_rig, recorded_cameras


def read(tmp_path: Path, text: str, world: TinyWorld) -> tuple:  # type: ignore[type-arg]  # of virtual cameras
    path = tmp_path / "rig.yaml"
    path.write_text(text, encoding="utf-8")
    return load_rig(path, world.scene.rig)


def test_a_pinhole_by_its_field_of_view(tmp_path: Path, tiny_world: TinyWorld) -> None:
    (camera,) = read(
        tmp_path,
        "cameras: {front: {width_px: 640, height_px: 360, horizontal_fov_deg: 90, x_m: 1.5, z_m: 1.6, rate_hz: 20}}",
        tiny_world,
    )
    assert (camera.name, camera.rate_hz, camera.has_depth) == ("front", 20.0, False)
    assert camera.camera.fx == pytest.approx(320.0)
    assert (camera.camera.cx, camera.camera.cy) == (320.0, 180.0)
    # looks ahead: optical z is the rig's x, optical x its right
    assert torch.allclose(camera.rig_from_camera[:3, 2], torch.tensor([1.0, 0, 0], dtype=torch.float64), atol=1e-12)
    assert torch.allclose(camera.rig_from_camera[:3, 0], torch.tensor([0, -1.0, 0], dtype=torch.float64), atol=1e-12)
    assert camera.rig_from_camera[:3, 3].tolist() == [1.5, 0.0, 1.6]


def test_intrinsics_are_those_of_camera_info_and_move_by_half_a_pixel(tmp_path: Path, tiny_world: TinyWorld) -> None:
    (camera,) = read(
        tmp_path,
        "cameras: {c: {width_px: 64, height_px: 48, intrinsics: [50, 51, 31.5, 23.5], lens: plumb_bob, "
        "coefficients: [-0.3, 0.1, 0, 0, 0]}}",
        tiny_world,
    )
    assert (camera.camera.fx, camera.camera.fy, camera.camera.cx, camera.camera.cy) == (50.0, 51.0, 32.0, 24.0)
    assert camera.camera.lens == "plumb_bob"


def test_angles_turn_left_down_and_to_the_right(tmp_path: Path, tiny_world: TinyWorld) -> None:
    text = "cameras: {{c: {{width_px: 8, height_px: 8, horizontal_fov_deg: 60, {}: 30}}}}"
    sight = {
        name: read(tmp_path, text.format(name), tiny_world)[0].rig_from_camera[:3, 2].tolist()
        for name in ("yaw_deg", "pitch_deg")
    }
    assert sight["yaw_deg"] == pytest.approx([3**0.5 / 2, 0.5, 0.0])
    assert sight["pitch_deg"] == pytest.approx([3**0.5 / 2, 0.0, -0.5])
    rolled = read(tmp_path, text.format("roll_deg"), tiny_world)[0].rig_from_camera[:3, 0].tolist()
    assert rolled == pytest.approx([0.0, -(3**0.5) / 2, -0.5])


def test_a_camera_like_one_that_recorded_the_scene(tmp_path: Path, tiny_world: TinyWorld) -> None:
    (camera,) = read(tmp_path, "cameras: {c: {like: off_left_1m, width_px: 48, has_depth: true}}", tiny_world)
    assert (camera.camera.width_px, camera.camera.fx, camera.has_depth) == (48, CAMERA.fx / 2, True)
    assert torch.equal(camera.rig_from_camera, tiny_world.scene.rig.camera("off_left_1m").rig_from_camera)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"expected `cameras:` with one entry for each camera"),
        ("cameras: [front]", r"expected `cameras:` with one entry"),
        ("cameras: {Front: {}}", r"Front: a camera's name is lower snake case"),
        ("cameras: {c: 3}", r"c: expected settings of a camera, got 3"),
        ("cameras: {c: {}}", r"c: a camera needs width_px and height_px, or `like"),
        ("cameras: {c: {width_px: 8, height_px: 8}}", r"either horizontal_fov_deg or intrinsics"),
        ("cameras: {c: {width_px: 8, height_px: 8, intrinsics: [1, 2]}}", r"intrinsics are four numbers .* got 2"),
        ("cameras: {c: {width: 8}}", r"c: there is no setting 'width'; did you mean 'width_px'"),
        ("cameras: {c: {like: front, rate_hz: -1}}", r"rate_hz must be between 0.0 and 1000.0, got -1.0"),
        ("cameras: {c: {like: front, rate_hz: '10'}}", r"rate_hz must be a finite number; got str '10'"),
        ("cameras: [", r"is no valid YAML"),
        (
            "cameras: {c: {like: front, x_m: 3}}",
            r"c: beside `like` only width_px, rate_hz and has_depth count, not x_m",
        ),
        ("cameras: {c: {like: rear}}", r"c: there is no camera 'rear'; this rig has: front, off_left_1m"),
        (
            "cameras: {c: {width_px: 8, height_px: 8, horizontal_fov_deg: 60, lens: equidistant, coefficients: [1, 2]}}",
            r"rig.yaml: c: lens model 'equidistant' takes 4 coefficients, got 2",
        ),
    ],
)
def test_what_is_wrong_with_a_rig_file_is_said(tmp_path: Path, tiny_world: TinyWorld, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read(tmp_path, text, tiny_world)


def test_recorded_cameras_are_taken_at_the_width_of_the_reconstruction(tiny_world: TinyWorld) -> None:
    (front,) = recorded_cameras(tiny_world.scene.rig, ("front",), 48)
    assert (front.name, front.camera.width_px) == ("front", 48)
    assert [c.camera.width_px for c in recorded_cameras(tiny_world.scene.rig, (), 10_000)] == [96, 96]


START_NS, END_NS = 10**18, 10**18 + 1000
HOUR_NS = 3600 * 10**9


def moments(clock: SceneClock, *stamps_ns: int) -> list[int]:
    """Moments of the drive, counted from its start."""
    return [clock.scene_ns(stamp_ns, START_NS, END_NS) - START_NS for stamp_ns in stamps_ns]


def test_the_drive_starts_with_the_first_stamp_where_time_is_elapsed() -> None:
    clock = SceneClock("elapsed")
    assert moments(clock, 50, 60, 40, 45) == [0, 10, 0, 5]
    clock.reset()
    assert moments(clock, 99) == [0]
    assert moments(SceneClock("stamp"), 50) == [50 - START_NS]


def test_auto_takes_stamps_of_the_drive_as_they_are_and_others_as_elapsed() -> None:
    clock = SceneClock("auto")
    assert moments(clock, START_NS + 7, START_NS + 9) == [7, 9]
    clock.reset()
    assert moments(clock, START_NS + HOUR_NS, START_NS + HOUR_NS + 9) == [0, 9]
    assert moments(clock, START_NS - 5, START_NS + 3) == [-5, 3], "a clock that goes back is judged anew"


def test_who_only_asks_for_a_moment_leaves_the_clock_as_it_is() -> None:
    clock = SceneClock("auto")
    assert clock.look_up_ns(START_NS - HOUR_NS, START_NS, END_NS) == START_NS - HOUR_NS
    assert moments(clock, HOUR_NS, HOUR_NS + 9) == [0, 9]
    assert clock.look_up_ns(HOUR_NS - 5, START_NS, END_NS) == START_NS - 5
    assert moments(clock, HOUR_NS + 11) == [11]


def test_an_elapsed_drive_can_start_again_at_its_end() -> None:
    clock = SceneClock("auto", loops=True)
    assert moments(clock, HOUR_NS, HOUR_NS + 999, HOUR_NS + 1000, HOUR_NS + 2500) == [0, 999, 0, 500]
