"""Boxes of moving actors as pixels."""

import torch

from gs_sim.evaluation.actor_mask import box_mask, is_moving
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sensing.track import Track

CAMERA = Camera(width_px=100, height_px=60, fx=50.0, fy=50.0, cx=50.0, cy=30.0)


def at(x: float, y: float, z: float) -> torch.Tensor:
    return pose_from(torch.eye(3, dtype=torch.float64), torch.tensor([x, y, z], dtype=torch.float64))


def track_through(positions: list[tuple[float, float, float]], period_s: float = 0.1) -> Track:
    stamps_ns = (torch.arange(len(positions)) * period_s * 1e9).round().to(torch.int64)
    poses = torch.stack([at(*position) for position in positions])
    return Track("a", "car", (4.0, 2.0, 1.5), Trajectory(stamps_ns, poses))


def test_a_box_covers_the_pixels_of_its_front_face() -> None:
    # 2 m wide, 1 m high, its front face 5 m away: 20 x 10 pixels around the centre.
    mask = box_mask(CAMERA, at(0.0, 0.0, 6.0), (2.0, 1.0, 2.0))
    rows, columns = mask.nonzero().unbind(-1)
    assert abs(int(columns.min()) - 40) <= 1
    assert abs(int(columns.max()) - 59) <= 1
    assert abs(int(rows.min()) - 25) <= 1
    assert abs(int(rows.max()) - 34) <= 1
    assert mask[30, 50]


def test_a_box_behind_the_camera_covers_nothing() -> None:
    assert not box_mask(CAMERA, at(0.0, 0.0, -6.0), (2.0, 1.0, 2.0)).any()


def test_a_box_beside_the_camera_stays_on_its_own_side() -> None:
    # It reaches from 2 m behind the camera to 4 m before it, 1 to 3 m to the right.
    mask = box_mask(CAMERA, at(2.0, 0.0, 1.0), (2.0, 1.0, 6.0))
    assert mask[:, 55:].any()
    assert not mask[:, :50].any()


def test_a_box_around_the_camera_covers_the_whole_image() -> None:
    assert box_mask(CAMERA, at(0.0, 0.0, 0.0), (40.0, 40.0, 40.0)).all()


def test_a_driving_actor_is_moving_and_a_jittering_one_is_not() -> None:
    driving = [(0.5 * i, 0.0, 0.0) for i in range(20)]
    jittering = [(0.4 * (-1) ** i, 0.1 * i % 0.3, 0.0) for i in range(20)]
    assert is_moving(track_through(driving))
    assert not is_moving(track_through(jittering))


def test_a_label_that_drifts_slowly_over_a_long_drive_is_not_moving() -> None:
    drifting = [(0.02 * i, 0.0, 0.0) for i in range(200)]  # 4 m in 200 s
    assert not is_moving(track_through(drifting, period_s=1.0))
