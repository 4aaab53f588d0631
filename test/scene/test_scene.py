"""What exists at one moment, and how Gaussians move."""

from dataclasses import replace

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.pose import (
    inverse,
    pose_from_twist,
    rotation_from_quaternion,
    transform_points,
)
from gs_sim.geometry.trajectory import pose_at
from gs_sim.scene.gaussians import SH_C0, Gaussians, concatenate, empty_gaussians
from gs_sim.scene.scene import Scene, gaussians_at, move_gaussians

POSE = pose_from_twist(torch.tensor([1.0, -2.0, 0.5, 0.3, -0.4, 2.0], dtype=torch.float64))


def covariances(gaussians: Gaussians) -> torch.Tensor:
    axes = rotation_from_quaternion(gaussians.quaternions) * gaussians.scales_m[:, None, :]
    return axes @ axes.transpose(1, 2)


def test_moved_gaussians_have_moved_centres_and_turned_covariances(scene: Scene) -> None:
    gaussians = scene.background
    moved = move_gaussians(POSE, gaussians)
    torch.testing.assert_close(moved.means, transform_points(POSE, gaussians.means))
    turn = POSE[:3, :3].float()
    torch.testing.assert_close(covariances(moved), turn @ covariances(gaussians) @ turn.T, rtol=1e-4, atol=1e-4)


def test_moving_there_and_back_changes_nothing(scene: Scene) -> None:
    back = move_gaussians(inverse(POSE), move_gaussians(POSE, scene.background))
    torch.testing.assert_close(back.means, scene.background.means, rtol=0, atol=1e-5)
    torch.testing.assert_close(covariances(back), covariances(scene.background), rtol=1e-4, atol=1e-4)


def test_a_pose_receives_gradients_through_moved_gaussians(scene: Scene) -> None:
    twist = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    moved = move_gaussians(pose_from_twist(twist), scene.background)
    (moved.means.sum() + moved.quaternions[:, 1].sum()).backward()
    assert twist.grad is not None
    assert bool((twist.grad.abs() > 0).all())


def test_an_actor_exists_from_the_first_to_the_last_stamp_of_its_path(scene: Scene) -> None:
    path = scene.actor("8").world_from_box
    still = replace(scene, actors=(scene.actor("8"),))
    num_static = len(scene.background) + len(scene.distant)
    counts = [
        len(gaussians_at(still, stamp)) - num_static
        for stamp in (path.start_ns - 1, path.start_ns, path.end_ns, path.end_ns + 1)
    ]
    assert counts == [0, 3, 3, 0]


def test_gaussians_come_in_the_order_background_distant_actors(scene: Scene) -> None:
    path = scene.actor("8").world_from_box
    stamp_ns = path.start_ns + 50_000_000
    all_of_it = gaussians_at(scene, stamp_ns)
    assert torch.equal(all_of_it.means[:11], scene.background.means)
    assert torch.equal(all_of_it.means[11:16], scene.distant.means)
    expected = transform_points(pose_at(path, stamp_ns), scene.actor("8").gaussians_box.means)
    torch.testing.assert_close(all_of_it.means[16:19], expected)


def test_an_unknown_actor_is_named_with_those_there_are(scene: Scene) -> None:
    with pytest.raises(InputError, match="no actor 'bus' in this scene; it has: 8, van-9"):
        scene.actor("bus")


def test_joined_sets_pad_lower_harmonics_with_zeros(scene: Scene) -> None:
    joined = concatenate([scene.distant, scene.background])
    assert joined.sh.shape == (16, 4, 3)
    assert float(joined.sh[:5, 1:].abs().sum()) == 0.0
    assert torch.equal(joined.sh[5:], scene.background.sh)
    assert len(concatenate([])) == 0


def test_selecting_by_mask_and_by_index_agree(scene: Scene) -> None:
    mask = torch.arange(11) % 3 == 0
    by_mask, by_index = scene.background.select(mask), scene.background.select(torch.tensor([0, 3, 6, 9]))
    assert torch.equal(by_mask.sh, by_index.sh)
    assert len(by_mask) == 4


def test_activations_are_those_of_3dgs(scene: Scene) -> None:
    gaussians = scene.background
    assert [empty_gaussians(k).sh_degree for k in (1, 4, 9, 16)] == [0, 1, 2, 3]
    torch.testing.assert_close(gaussians.scales_m.log(), gaussians.log_scales)
    torch.testing.assert_close(torch.logit(gaussians.opacities), gaussians.opacity_logits, rtol=1e-4, atol=1e-4)
    assert pytest.approx((4 * torch.pi) ** -0.5) == SH_C0
