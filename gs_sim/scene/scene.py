"""The world of one drive, and what of it exists at one moment."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.pose import multiply_quaternions, quaternion_from_rotation, transform_points
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory, poses_of
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians, concatenate


@dataclass(frozen=True)
class Scene:
    """Static background, distant region and movable actors, with the rig and path they were seen from.

    World frame: ENU, metres, origin near the drive's first pose.
    """

    background: Gaussians
    """What does not move, within reach."""
    distant: Gaussians
    """Sky and far field on shells around the drive, in the world frame."""
    actors: tuple[Actor, ...]
    rig: Rig
    world_from_rig: Trajectory
    """The logged path of `base_link`."""
    map_from_world: Float64[Tensor, "4 4"]
    """Where the recording's own fixed frame has the world's origin."""
    num_backdrop: int = 0
    """So many at the end of `distant` are a guess at what no view ever saw; they lie behind everything and are never refined."""

    @property
    def shell(self) -> Gaussians:
        """The distant region without its backdrop."""
        return self.distant.select(torch.arange(len(self.distant) - self.num_backdrop))

    @property
    def backdrop(self) -> Gaussians:
        """The guess at what no view ever saw."""
        return self.distant.select(torch.arange(len(self.distant) - self.num_backdrop, len(self.distant)))

    def actor(self, actor_id: str) -> Actor:
        """Find an actor.

        Raises:
            InputError: there is no such actor; the message lists those there are.
        """
        for actor in self.actors:
            if actor.actor_id == actor_id:
                return actor
        known = ", ".join(actor.actor_id for actor in self.actors) or "none"
        raise InputError(f"there is no actor '{actor_id}' in this scene; it has: {known}")


def move_gaussians(a_from_b: Float[Tensor, "4 4"], gaussians_b: Gaussians) -> Gaussians:
    """Express Gaussians of frame b in frame a; differentiable in both."""
    pose = a_from_b.to(gaussians_b.means)
    turn = quaternion_from_rotation(pose[:3, :3]).expand_as(gaussians_b.quaternions)
    return replace(
        gaussians_b,
        means=transform_points(pose, gaussians_b.means),
        quaternions=multiply_quaternions(turn, gaussians_b.quaternions),
    )


def gaussians_at(scene: Scene, stamp_ns: int) -> Gaussians:
    """All Gaussians that exist at a moment, in the world frame: background, distant region, then actors in order."""
    present = [a for a in scene.actors if a.world_from_box.start_ns <= stamp_ns <= a.world_from_box.end_ns]
    poses = poses_of([actor.world_from_box for actor in present], stamp_ns)
    moved = [move_gaussians(pose, actor.gaussians_box) for actor, pose in zip(present, poses, strict=True)]
    return concatenate([scene.background, scene.distant, *moved])
