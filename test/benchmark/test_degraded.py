"""Recordings made worse: by as much as they say, and the same whenever they are read."""

import math

import pytest
import torch
from tiny_world import make_tiny_world

from gs_sim.benchmark.degraded import VARIANTS, with_noisy_lidar, with_thin_lidar, with_wrong_poses
from gs_sim.geometry.pose import inverse
from gs_sim.sensing.recording import Recording


def points(recording: Recording) -> torch.Tensor:
    return next(iter(recording.sweeps("top", [2]))).points_lidar


@pytest.mark.parametrize("keep_one_of", [4, 16])
def test_thin_lidar_keeps_its_share_of_points(keep_one_of: int) -> None:
    recording = make_tiny_world().recording
    thin = with_thin_lidar(recording, keep_one_of)
    assert len(points(thin)) == pytest.approx(len(points(recording)) / keep_one_of, rel=0.2)
    assert torch.equal(points(thin), points(thin))
    sweep = next(iter(thin.sweeps("top", [2])))
    assert len(sweep.points_lidar) == len(sweep.intensities) == len(sweep.point_stamps_ns)


def test_noise_lies_along_the_beam() -> None:
    recording = make_tiny_world().recording
    clean, noisy = points(recording), points(with_noisy_lidar(recording, 0.05))
    moved = (noisy - clean).norm(dim=1)
    assert float(moved.square().mean().sqrt()) == pytest.approx(0.05, rel=0.1)
    sideways = torch.linalg.cross(torch.nn.functional.normalize(clean, dim=1), noisy - clean)
    assert float(sideways.norm(dim=1).max()) < 1e-4


def test_wrong_poses_are_off_by_what_they_say_and_smooth() -> None:
    recording = make_tiny_world().recording
    wrong = with_wrong_poses(recording, 0.10, 0.5, every_s=0.2)
    errors = inverse(recording.world_from_rig.poses) @ wrong.world_from_rig.poses
    shift_m = errors[:, :3, 3].norm(dim=1)
    angle = torch.acos(((errors[:, :3, :3].diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    assert 0.05 < float(shift_m.square().mean().sqrt()) < 0.13
    assert math.radians(0.2) < float(angle.square().mean().sqrt()) < math.radians(0.7)
    assert torch.equal(wrong.world_from_rig.stamps_ns, recording.world_from_rig.stamps_ns)


def test_every_variant_is_a_recording_with_the_same_frames() -> None:
    recording = make_tiny_world().recording
    for change in VARIANTS.values():
        degraded = change(recording)
        assert isinstance(degraded, Recording)
        assert len(list(degraded.frames("front"))) == len(list(recording.frames("front")))
        assert [track.actor_id for track in degraded.tracks] == [track.actor_id for track in recording.tracks]
