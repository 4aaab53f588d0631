"""Editing gives new scenes and leaves the old ones alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.pose import pose_from_twist
from gs_sim.geometry.trajectory import Trajectory, pose_at
from gs_sim.scene.editing import (
    insert_actor,
    move_actor,
    remove_actor,
    replace_trajectory,
    retime_actor,
    shift_actor,
)
from gs_sim.scene.scene import Scene, gaussians_at

SIDEWAYS = pose_from_twist(torch.tensor([0.0, 3.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64))
TURN = pose_from_twist(torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0, 1.2], dtype=torch.float64))


def ids(scene: Scene) -> list[str]:
    return [actor.actor_id for actor in scene.actors]


def test_a_removed_actor_is_gone_and_the_old_scene_keeps_it(scene: Scene) -> None:
    assert ids(remove_actor(scene, "8")) == ["van-9"]
    assert ids(scene) == ["8", "van-9"]


def test_removing_and_inserting_an_actor_draws_the_same_gaussians(scene: Scene) -> None:
    again = insert_actor(remove_actor(scene, "van-9"), scene.actor("van-9"))
    stamp_ns = scene.actor("8").world_from_box.start_ns + 1000
    assert torch.equal(gaussians_at(again, stamp_ns).means, gaussians_at(scene, stamp_ns).means)


def test_an_inserted_actor_needs_an_id_of_its_own(scene: Scene) -> None:
    with pytest.raises(InputError, match="has an actor '8' already"):
        insert_actor(scene, scene.actors[0])
    assert ids(insert_actor(scene, replace(scene.actors[0], actor_id="10"))) == ["8", "van-9", "10"]


def test_moving_an_actor_in_the_world_turns_its_path_as_one_piece(scene: Scene) -> None:
    moved = move_actor(scene, "8", TURN).actor("8").world_from_box
    assert torch.equal(moved.poses, TURN @ scene.actor("8").world_from_box.poses)
    assert torch.equal(moved.stamps_ns, scene.actor("8").world_from_box.stamps_ns)


def test_shifting_an_actor_keeps_it_beside_its_path_at_every_moment(scene: Scene) -> None:
    path, shifted = scene.actor("8").world_from_box, shift_actor(scene, "8", SIDEWAYS).actor("8").world_from_box
    offset = shifted.poses[:, :3, 3] - path.poses[:, :3, 3]
    torch.testing.assert_close(offset, 3.0 * path.poses[:, :3, 1])


def test_editing_one_actor_leaves_the_others_and_their_order(scene: Scene) -> None:
    edited = move_actor(scene, "8", TURN)
    assert ids(edited) == ids(scene)
    assert edited.actors[1] is scene.actors[1]
    assert edited.background is scene.background


def test_a_retimed_actor_is_later_by_the_shift_to_the_nanosecond(scene: Scene) -> None:
    path = scene.actor("8").world_from_box
    retimed = retime_actor(scene, "8", shift_ns=1_234_567_891).actor("8").world_from_box
    assert (retimed.stamps_ns - path.stamps_ns).tolist() == [1_234_567_891] * len(path.stamps_ns)
    assert torch.equal(retimed.poses, path.poses)


def test_a_stretched_actor_takes_longer_for_the_same_path(scene: Scene) -> None:
    path = scene.actor("8").world_from_box
    slow = retime_actor(scene, "8", shift_ns=7, stretch=2.0).actor("8").world_from_box
    assert slow.start_ns == path.start_ns + 7
    assert slow.end_ns - slow.start_ns == 2 * (path.end_ns - path.start_ns)
    middle = (path.start_ns + path.end_ns) // 2
    found = pose_at(slow, slow.start_ns + 2 * (middle - path.start_ns))
    torch.testing.assert_close(found, pose_at(path, middle), rtol=0, atol=1e-7)


@pytest.mark.parametrize("stretch", [0.0, -1.0, float("nan"), float("inf")])
def test_time_is_stretched_by_positive_factors_only(scene: Scene, stretch: float) -> None:
    with pytest.raises(InputError, match="must be positive"):
        retime_actor(scene, "8", stretch=stretch)


def test_stretching_until_stamps_coincide_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError, match="strictly increase"):
        retime_actor(scene, "8", stretch=1e-12)


def test_an_actor_can_be_sent_along_another_path(scene: Scene) -> None:
    path = Trajectory(torch.tensor([5]), TURN[None])
    assert replace_trajectory(scene, "8", path).actor("8").world_from_box is path


def test_editing_an_actor_that_is_not_there_names_those_that_are(scene: Scene) -> None:
    path = scene.actors[0].world_from_box
    edits: list[Callable[[], Scene]] = [
        lambda: remove_actor(scene, "7"),
        lambda: move_actor(scene, "7", TURN),
        lambda: shift_actor(scene, "7", TURN),
        lambda: retime_actor(scene, "7"),
        lambda: replace_trajectory(scene, "7", path),
    ]
    for edit in edits:
        with pytest.raises(InputError, match="no actor '7' in this scene; it has: 8, van-9"):
            edit()
