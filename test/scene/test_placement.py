"""Actors put on the ground of a scene."""

import math

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.gaussians import Gaussians, empty_gaussians
from gs_sim.scene.placement import compose, ground_height_m, place_actor, standing_path
from gs_sim.scene.scene import Scene


def splats(means: torch.Tensor) -> Gaussians:
    count = len(means)
    return Gaussians(
        means.float(), torch.zeros(count, 3), torch.ones(count, 4), torch.full((count,), 3.0), torch.zeros(count, 1, 3)
    )


@pytest.fixture
def sloping_road() -> Scene:
    """A road that rises 1 m every 10 m along x, from -1.5 m at x = 0, with a few strays below it."""
    x, y = torch.meshgrid(torch.arange(0, 30, 0.25), torch.arange(-4, 4, 0.25), indexing="ij")
    road = torch.stack([x, y, 0.1 * x - 1.5], dim=-1).reshape(-1, 3)
    strays = torch.tensor([[10.0, 0.0, -9.0], [10.2, 0.0, -9.0]])
    path = Trajectory(torch.tensor([10**9, 3 * 10**9]), torch.eye(4, dtype=torch.float64).expand(2, 4, 4).clone())
    return Scene(
        splats(torch.cat([road, strays])), empty_gaussians(), (), Rig(()), path, torch.eye(4, dtype=torch.float64)
    )


def test_the_ground_is_where_the_road_is_in_spite_of_strays_below(sloping_road: Scene) -> None:
    assert ground_height_m(sloping_road, 10.0, 0.0) == pytest.approx(-0.5, abs=0.25)
    assert ground_height_m(sloping_road, 20.0, 0.0) == pytest.approx(0.5, abs=0.25)


def test_where_there_is_no_ground_nothing_can_stand(sloping_road: Scene) -> None:
    with pytest.raises(InputError, match="no ground within 2 m of x=200, y=0"):
        ground_height_m(sloping_road, 200.0, 0.0)


def test_a_place_given_from_another_turns_with_it() -> None:
    x, y, yaw = compose((10.0, 5.0, math.pi / 2), (2.0, 1.0, math.pi / 2))
    assert (x, y, yaw) == pytest.approx((9.0, 7.0, math.pi))


def test_an_actor_touches_the_ground_with_its_lowest_gaussian(sloping_road: Scene) -> None:
    body = splats(torch.tensor([[0.0, 0.0, -0.7], [2.0, 0.9, 0.0], [-2.0, -0.9, 0.7]]))
    stamps_ns = standing_path(sloping_road)
    actor = place_actor(sloping_road, ("car", "car"), body, stamps_ns, [(15.0, 1.0, 0.3)] * 2)
    lowest_m = float(actor.world_from_box.poses[0, 2, 3]) - 0.7
    assert lowest_m == pytest.approx(ground_height_m(sloping_road, 15.0, 1.0), abs=1e-6)
    assert actor.size_m == pytest.approx((4.0, 1.8, 1.4))
    path = sloping_road.world_from_rig
    assert actor.world_from_box.start_ns < path.start_ns < path.end_ns < actor.world_from_box.end_ns


def test_an_actor_of_nothing_is_refused(sloping_road: Scene) -> None:
    with pytest.raises(InputError, match="has no Gaussians"):
        place_actor(sloping_road, ("ghost", "car"), empty_gaussians(), [0], [(10.0, 0.0, 0.0)])
