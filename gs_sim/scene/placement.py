"""Putting a loose actor on the road of a scene: how high the ground is, and the path it then drives."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.scene import Scene

GROUND_RADIUS_M = 2.0
GROUND_QUANTILE = 0.1
"""Of the heights around a place; a few Gaussians always hang below the road."""
MIN_OPACITY = 0.3
MARGIN_NS = 1_000_000_000
"""A standing actor is there this long before and after the drive, so that it never blinks at its ends."""

Place = tuple[float, float, float]
"""x and y in metres, yaw in radians."""


def ground_height_m(scene: Scene, x_m: float, y_m: float) -> float:
    """Height of the ground in the world around a place, from the solid background Gaussians there.

    Raises:
        InputError: the scene has nothing there to stand on.
    """
    background = scene.background
    offsets = background.means[:, :2] - background.means.new_tensor([x_m, y_m])
    is_near = (offsets.norm(dim=-1) < GROUND_RADIUS_M) & (background.opacities > MIN_OPACITY)
    if int(is_near.sum()) < 3:
        raise InputError(
            f"the scene has no ground within {GROUND_RADIUS_M:g} m of x={x_m:g}, y={y_m:g}; choose a place near its path"
        )
    return float(background.means[is_near, 2].quantile(GROUND_QUANTILE))


def compose(place: Place, relative: Place) -> Place:
    """The place that `relative` means when it is given from `place` (x forward, y left)."""
    x_m, y_m, yaw_rad = place
    cosine, sine = math.cos(yaw_rad), math.sin(yaw_rad)
    ahead_m, left_m, turn_rad = relative
    return (x_m + cosine * ahead_m - sine * left_m, y_m + sine * ahead_m + cosine * left_m, yaw_rad + turn_rad)


def standing_path(scene: Scene) -> list[int]:
    """Stamps of an actor that stands there during the whole drive."""
    return [scene.world_from_rig.start_ns - MARGIN_NS, scene.world_from_rig.end_ns + MARGIN_NS]


def place_actor(
    scene: Scene, name: tuple[str, str], gaussians_box: Gaussians, stamps_ns: Sequence[int], places: Sequence[Place]
) -> Actor:
    """Make an actor whose lowest Gaussian touches the ground at each of its places.

    Args:
        scene: whose ground it stands on.
        name: its id and its label.
        gaussians_box: in its box frame (origin in the centre, x forward, y left, z up).
        stamps_ns: when it is at each place, strictly increasing.
        places: as many as stamps, in the world.

    Raises:
        InputError: there are no Gaussians, or no ground at a place.
    """
    if len(gaussians_box) == 0:
        raise InputError(f"the actor '{name[0]}' has no Gaussians")
    lowest_m = float(gaussians_box.means[:, 2].min())
    poses = [_upright_pose(place, ground_height_m(scene, place[0], place[1]) - lowest_m) for place in places]
    length_m, width_m, height_m = (2 * gaussians_box.means.abs().amax(dim=0)).tolist()
    return Actor(
        actor_id=name[0],
        label=name[1],
        size_m=(length_m, width_m, height_m),
        gaussians_box=gaussians_box,
        world_from_box=Trajectory(torch.tensor(stamps_ns, dtype=torch.int64), torch.stack(poses)),
    )


def _upright_pose(place: Place, z_m: float) -> Float64[Tensor, "4 4"]:
    x_m, y_m, yaw_rad = place
    cosine, sine = math.cos(yaw_rad), math.sin(yaw_rad)
    rotation = [[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]
    translation = torch.tensor([x_m, y_m, z_m], dtype=torch.float64)
    return pose_from(torch.tensor(rotation, dtype=torch.float64), translation)
