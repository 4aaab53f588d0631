"""A scene whose actors can be commanded, spawned and deleted; at any moment it is a Scene again."""

import re
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians, empty_gaussians
from gs_sim.scene.scene import Scene
from gs_sim.simulation.entity import Entity, Motion, motion_at, poses_at_moment, still
from gs_sim.simulation.stage import Stage

EGO = "ego"
"""The vehicle that carries the virtual cameras."""
EGO_SIZE_M = (4.5, 1.8, 1.5)
EGO_CENTRE_M = (1.4, 0.0, 0.75)
"""A car of average size whose `base_link` is on the ground below its rear axle; nobody tells its true one."""
MAX_DISTANCE_M = 1e5
"""Nothing is moved further from the scene's origin: float32 would lose centimetres there."""
MAX_ENTITIES = 1000

Reason = Literal["not_found", "name_taken", "name_invalid", "pose_invalid", "absent", "wrong_state", "no_world"]


class RefusedError(InputError):
    """A wish that the simulation cannot grant as it is; nothing was changed."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Spawn:
    """What is to be spawned."""

    name: str
    label: str
    size_m: tuple[float, float, float]
    gaussians_box: Gaussians


class World:
    """The entities of one scene and what was done to them since its start."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.entities: dict[str, Entity] = {}
        """By name, in the order they are drawn; the vehicle first."""
        self._stage = Stage(scene)
        self.reset_state()

    def entity(self, name: str) -> Entity:
        """Find an entity.

        Raises:
            RefusedError: there is none of this name.
        """
        if name not in self.entities:
            known = ", ".join(self.entities)
            raise RefusedError("not_found", f"there is no entity '{name[:80]}'; there are: {known[:500]}")
        return self.entities[name]

    def motion_of(self, name: str, stamp_ns: int) -> Motion:
        """Where an entity is and how it moves.

        Raises:
            RefusedError: there is no such entity, or it is not there at this moment.
        """
        entity = self.entity(name)
        motion = motion_at(entity, stamp_ns)
        if motion is None:
            assert entity.path is not None
            raise RefusedError(
                "absent",
                f"'{name}' was seen from {entity.path.start_ns / 1e9:.3f} to {entity.path.end_ns / 1e9:.3f} s only, and "
                f"it is {stamp_ns / 1e9:.3f} s; give it a pose to have it now",
            )
        return motion

    def ego_pose(self, stamp_ns: int) -> Float64[Tensor, "4 4"]:
        """`world_from_rig` of the vehicle, which is always there."""
        (pose,) = poses_at_moment([self.entities[EGO]], stamp_ns)
        assert pose is not None
        return pose

    def command(self, name: str, motion: Motion) -> None:
        """Take an entity from its path: from `motion.stamp_ns` on it moves as told.

        Raises:
            RefusedError: there is no such entity, or the motion is not finite or far outside.
        """
        entity = self.entity(name)
        check_motion(motion)
        self.entities[name] = replace(entity, command=motion)

    def spawn(self, spawn: Spawn, stamp_ns: int, world_from_box: Float64[Tensor, "4 4"]) -> None:
        """Put a new entity into the world; it stands until it is commanded.

        Raises:
            RefusedError: the name is taken or cannot be used, the pose cannot be used, or there are too many.
        """
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}", spawn.name):
            raise RefusedError(
                "name_invalid", "an entity's name has 1 to 64 letters, digits and _.:- and begins with none of the last"
            )
        if spawn.name in self.entities:
            raise RefusedError("name_taken", f"there is an entity '{spawn.name}' already; choose another name")
        if len(self.entities) >= MAX_ENTITIES:
            raise RefusedError("wrong_state", f"there are {MAX_ENTITIES} entities already; delete some first")
        motion = still(stamp_ns, world_from_box)
        check_motion(motion)
        self.entities[spawn.name] = Entity(
            spawn.name, spawn.label, spawn.size_m, spawn.gaussians_box, None, motion, is_spawned=True
        )

    def free_name(self, wish: str) -> str:
        """The wished name, or the first with a number behind it that is not taken."""
        if wish not in self.entities:
            return wish
        return next(f"{wish}_{n}" for n in range(2, len(self.entities) + 3) if f"{wish}_{n}" not in self.entities)

    def delete(self, name: str) -> None:
        """Remove an entity; the vehicle itself cannot be removed.

        Raises:
            RefusedError: there is no such entity, or it is the vehicle.
        """
        self.entity(name)
        if name == EGO:
            raise RefusedError("wrong_state", "the vehicle that carries the cameras cannot be deleted")
        del self.entities[name]

    def reset_state(self) -> None:
        """Everything of the scene is where it was logged, deleted actors included; what was spawned stays."""
        spawned = [entity for entity in self.entities.values() if entity.is_spawned]
        ego = Entity(
            EGO, "ego", EGO_SIZE_M, empty_gaussians(), self.scene.world_from_rig, centre_m=EGO_CENTRE_M, holds_path=True
        )
        logged = [
            Entity(actor.actor_id, actor.label, actor.size_m, actor.gaussians_box, actor.world_from_box)
            for actor in self.scene.actors
            if actor.actor_id != EGO
        ]
        self.entities = {entity.name: entity for entity in (ego, *logged)}
        self.entities |= {entity.name: entity for entity in spawned}

    def remove_spawned(self) -> None:
        """Remove what was spawned."""
        self.entities = {name: entity for name, entity in self.entities.items() if not entity.is_spawned}

    def scene_at(self, stamp_ns: int) -> Scene:
        """The scene at a moment: its actors are those that are there, each where it is then."""
        stamp = torch.tensor([stamp_ns], dtype=torch.int64)
        actors = [
            Actor(
                entity.name, entity.label, entity.size_m, entity.gaussians_box, Trajectory(stamp, world_from_box[None])
            )
            for entity, world_from_box in self.present_at(stamp_ns)
        ]
        return replace(self.scene, actors=tuple(actors))

    def present_at(self, stamp_ns: int) -> list[tuple[Entity, Float64[Tensor, "4 4"]]]:
        """Who can be seen at a moment, and `world_from_box` of each, in the order they are drawn."""
        visible = [entity for entity in self.entities.values() if len(entity.gaussians_box)]
        poses = poses_at_moment(visible, stamp_ns)
        return [(entity, pose) for entity, pose in zip(visible, poses, strict=True) if pose is not None]

    def gaussians_at(self, stamp_ns: int) -> Gaussians:
        """All Gaussians of `scene_at`, in the world frame; valid until the next call."""
        return self._stage.at([(entity.gaussians_box, pose) for entity, pose in self.present_at(stamp_ns)])


def check_motion(motion: Motion) -> None:
    """Refuse what cannot be drawn.

    Raises:
        RefusedError: a number is not finite, or the place is absurdly far away.
    """
    numbers = torch.cat([motion.world_from_box.reshape(-1), motion.velocity_mps, motion.turn_rate_radps])
    if not bool(numbers.isfinite().all()):
        raise RefusedError("pose_invalid", "a pose or speed is not finite (NaN or infinite)")
    if float(motion.world_from_box[:3, 3].abs().max()) > MAX_DISTANCE_M:
        raise RefusedError("pose_invalid", f"a place is more than {MAX_DISTANCE_M / 1000:g} km from the scene's origin")
