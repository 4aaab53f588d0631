"""The logged path takes from registered sweeps what they know better, and keeps what it knows better itself."""

from dataclasses import dataclass, replace

import pytest
import torch
from jaxtyping import Float64
from textured_world import PERIOD_NS, START_NS, driven_path, jittered, make_rig, relative_error_m, scan
from torch import Tensor

from gs_sim.errors import ConfigError, InputError
from gs_sim.geometry.pose import inverse, pose_from_twist
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.reconstruction import correct_path as module
from gs_sim.reconstruction.correct_path import PathSettings, combine, correct_path
from gs_sim.sensing.lidar_odometry import LidarOdometrySettings
from gs_sim.sensing.recording import MemoryRecording, Recording
from gs_sim.sensing.track import Track

SETTINGS = PathSettings(odometry=LidarOdometrySettings(voxel_size_m=0.25))
ELSEWHERE = pose_from_twist(torch.tensor([40.0, -20.0, 3.0, 0.1, 0.2, 2.5], dtype=torch.float64))

RIG_FROM_BOX = pose_from_twist(torch.tensor([10.0, 2.0, 0.7, 0.0, 0.0, 0.0], dtype=torch.float64))


def errors_m(found: Trajectory, true: Trajectory) -> Float64[Tensor, "n"]:
    distance_m: Tensor = torch.linalg.norm(poses_at(found, true.stamps_ns)[:, :3, 3] - true.poses[:, :3, 3], dim=-1)
    return distance_m


def registered_as(monkeypatch: pytest.MonkeyPatch, path: Trajectory) -> None:
    """Let the registration of sweeps find this path."""
    monkeypatch.setattr(module, "estimate_trajectory", lambda recording, lidar_name, settings: path)


@dataclass(frozen=True)
class Corrected:
    """A recording whose path jitters, and what became of it."""

    recording: MemoryRecording
    corrected: Recording
    name: str


@pytest.fixture(scope="module")
def jittering(textured: MemoryRecording) -> Corrected:
    logged = jittered(textured.world_from_rig, 0.15)
    track = Track("1", "car", (4.0, 2.0, 1.5), Trajectory(logged.stamps_ns, logged.poses @ RIG_FROM_BOX))
    recording = replace(textured, world_from_rig=logged, tracks=(track,))
    return Corrected(recording, *correct_path(recording, SETTINGS))


def test_a_registered_path_with_another_origin_is_put_back() -> None:
    logged = driven_path(30)
    combined = combine(logged, Trajectory(logged.stamps_ns, ELSEWHERE @ logged.poses), window_s=10.0)
    assert torch.equal(combined.stamps_ns, logged.stamps_ns)
    assert torch.allclose(combined.poses, logged.poses, atol=1e-9)


def test_jitter_from_frame_to_frame_is_smoothed_to_the_registered_path() -> None:
    true = driven_path(60)
    logged = jittered(true, 0.1, 0.01)
    combined = combine(logged, Trajectory(true.stamps_ns, ELSEWHERE @ true.poses), window_s=10.0)
    assert relative_error_m(logged, true) > 0.15
    assert relative_error_m(combined, true) < 0.01
    assert float(errors_m(combined, true).max()) < 0.1


def test_a_drifting_registered_path_is_held_by_the_logged_one() -> None:
    true = driven_path(300)
    turn = torch.zeros(300, 6, dtype=torch.float64)
    turn[:, 5], turn[:, 0] = torch.linspace(0, 0.05, 300), torch.linspace(0, 3.0, 300)
    drifting = Trajectory(true.stamps_ns, pose_from_twist(turn) @ true.poses)
    combined = combine(true, drifting, window_s=1.0)
    assert float(errors_m(drifting, true).max()) > 3
    assert float(errors_m(combined, true).max()) < 0.25


def test_logged_poses_between_the_sweeps_and_around_them_go_on() -> None:
    """A path logged at 10 Hz, sweeps from its second to its last but one second, and none for two seconds between."""
    true = driven_path(80)
    index = torch.cat([torch.arange(10, 30), torch.arange(50, 70)])
    combined = combine(true, Trajectory(true.stamps_ns[index], ELSEWHERE @ true.poses[index]), window_s=10.0)
    assert torch.equal(combined.stamps_ns, true.stamps_ns)
    assert torch.allclose(combined.poses, true.poses, atol=1e-6)


def test_sweeps_correct_a_path_that_jitters(textured: MemoryRecording, jittering: Corrected) -> None:
    assert jittering.name == "corrected by LiDAR"
    error_m = relative_error_m(jittering.corrected.world_from_rig, textured.world_from_rig)
    assert error_m < 0.5 * relative_error_m(jittering.recording.world_from_rig, textured.world_from_rig)
    assert torch.equal(jittering.corrected.map_from_world, jittering.recording.map_from_world)


def test_the_logged_path_stays_where_the_sweeps_agree_better_with_it(
    textured: MemoryRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered_as(monkeypatch, jittered(textured.world_from_rig, 0.15))
    kept, name = correct_path(textured, SETTINGS)
    assert name == "logged"
    assert kept is textured


def test_a_recording_without_lidar_or_with_the_correction_off_is_untouched(
    textured: MemoryRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Trajectory:
        raise AssertionError

    monkeypatch.setattr(module, "estimate_trajectory", refuse)
    blind = replace(textured, rig=make_rig(has_lidar=False), all_sweeps=())
    assert correct_path(blind, SETTINGS) == (blind, "logged")
    assert correct_path(textured, PathSettings(correct_with_lidar=False)) == (textured, "logged")


def test_sweeps_that_cannot_be_registered_leave_the_path_as_logged(textured: MemoryRecording) -> None:
    sparse = tuple(
        replace(
            sweep,
            points_lidar=sweep.points_lidar[:20],
            point_stamps_ns=sweep.point_stamps_ns[:20],
            intensities=sweep.intensities[:20],
        )
        for sweep in textured.all_sweeps
    )
    for sweeps in (sparse, ()):
        recording = replace(textured, all_sweeps=sweeps)
        assert correct_path(recording, SETTINGS) == (recording, "logged")


def test_sweeps_too_far_away_to_be_compared_leave_the_path_as_logged(
    textured: MemoryRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered_as(monkeypatch, jittered(textured.world_from_rig, 0.15))
    recording, name = correct_path(textured, replace(SETTINGS, judge_range_m=0.5))
    assert (recording, name) == (textured, "logged")


def test_sweeps_that_begin_long_before_the_logged_path_leave_it_as_logged(
    textured: MemoryRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = driven_path(40)
    registered_as(monkeypatch, Trajectory(early.stamps_ns - 20 * PERIOD_NS, early.poses))
    assert correct_path(textured, SETTINGS) == (textured, "logged")


def frame_ids(recording: Recording) -> list[tuple[int, int, int]]:
    return [(f.index, f.stamp_ns, int(f.rgb.sum())) for f in recording.frames("front")]


def test_the_correction_changes_no_frame_and_no_index(jittering: Corrected) -> None:
    assert frame_ids(jittering.corrected) == frame_ids(jittering.recording)
    assert torch.equal(jittering.corrected.sweep_stamps_ns("top"), jittering.recording.sweep_stamps_ns("top"))


def test_frames_taken_while_no_sweeps_arrived_are_kept(
    textured: MemoryRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise indices would shift, and other frames would be held out than those that are judged."""
    stretched = 5  # the same drive, five times slower, with sweeps at its ends only
    true = textured.world_from_rig
    slow = Trajectory(START_NS + (true.stamps_ns - START_NS) * stretched, true.poses)
    frames = tuple(replace(f, stamp_ns=int(slow.stamps_ns[f.index])) for f in textured.all_frames)
    ends = [0, 1, 2, 9, 10, 11]
    sweeps = [scan(place, int(slow.stamps_ns[index]), slow) for place, index in enumerate(ends)]
    logged = jittered(slow, 0.15)
    recording = replace(textured, world_from_rig=logged, all_frames=frames, all_sweeps=tuple(sweeps))
    registered_as(monkeypatch, Trajectory(slow.stamps_ns[ends], slow.poses[ends]))
    corrected, name = correct_path(recording, SETTINGS)
    assert name == "corrected by LiDAR"
    assert frame_ids(corrected) == frame_ids(recording)


def test_tracks_keep_their_place_relative_to_the_vehicle(jittering: Corrected) -> None:
    moved = jittering.corrected.tracks[0].world_from_box
    rig_from_box = inverse(poses_at(jittering.corrected.world_from_rig, moved.stamps_ns)) @ moved.poses
    assert torch.allclose(rig_from_box, RIG_FROM_BOX.expand_as(rig_from_box), atol=1e-6)


def test_path_settings_out_of_bounds_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"path.window_s, .* must be positive"):
        PathSettings(window_s=0.0)
    with pytest.raises(InputError, match=r"voxel_size_m must be positive"):
        LidarOdometrySettings(voxel_size_m=0.0)
