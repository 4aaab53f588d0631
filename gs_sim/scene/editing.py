"""Editing a scene: each function gives back a new scene and leaves the one it was given as it is."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.actor import Actor
from gs_sim.scene.scene import Scene


def remove_actor(scene: Scene, actor_id: str) -> Scene:
    """The scene without one actor.

    Raises:
        InputError: there is no such actor.
    """
    scene.actor(actor_id)
    return replace(scene, actors=tuple(actor for actor in scene.actors if actor.actor_id != actor_id))


def insert_actor(scene: Scene, actor: Actor) -> Scene:
    """The scene with one actor more, drawn last.

    Raises:
        InputError: an actor of this id is there already.
    """
    if any(other.actor_id == actor.actor_id for other in scene.actors):
        raise InputError(f"the scene has an actor '{actor.actor_id}' already; give the new one another id")
    return replace(scene, actors=(*scene.actors, actor))


def move_actor(scene: Scene, actor_id: str, moved_world_from_world: Float64[Tensor, "4 4"]) -> Scene:
    """Move an actor's whole path as one rigid piece, given in the world frame.

    Raises:
        InputError: there is no such actor.
    """
    return with_path(scene, actor_id, lambda path: replace(path, poses=moved_world_from_world @ path.poses))


def shift_actor(scene: Scene, actor_id: str, box_from_shifted: Float64[Tensor, "4 4"]) -> Scene:
    """Move an actor by the same motion in its own box frame at every moment: 3 m forward, say, along its path.

    Raises:
        InputError: there is no such actor.
    """
    return with_path(scene, actor_id, lambda path: replace(path, poses=path.poses @ box_from_shifted))


def retime_actor(scene: Scene, actor_id: str, shift_ns: int = 0, stretch: float = 1.0) -> Scene:
    """Let an actor travel its path later by `shift_ns`, and take `stretch` times as long from its new start on.

    Raises:
        InputError: there is no such actor, or the stretch is not positive or leaves stamps that coincide.
    """
    if not 0 < stretch < float("inf"):
        raise InputError(f"the stretch of an actor's time must be positive, got {stretch}")

    def retimed(path: Trajectory) -> Trajectory:
        start_ns = path.stamps_ns[0]
        elapsed_ns = path.stamps_ns - start_ns
        if stretch != 1.0:
            # from the start, so that float64 keeps every nanosecond
            elapsed_ns = (elapsed_ns.double() * stretch).round().to(torch.int64)
        return replace(path, stamps_ns=start_ns + shift_ns + elapsed_ns)

    return with_path(scene, actor_id, retimed)


def replace_trajectory(scene: Scene, actor_id: str, world_from_box: Trajectory) -> Scene:
    """Send an actor along another path.

    Raises:
        InputError: there is no such actor.
    """
    return with_path(scene, actor_id, lambda _: world_from_box)


def with_path(scene: Scene, actor_id: str, change: Callable[[Trajectory], Trajectory]) -> Scene:
    """The scene with one actor's path changed, the order of actors kept.

    Raises:
        InputError: there is no such actor.
    """
    changed = scene.actor(actor_id)
    changed = replace(changed, world_from_box=change(changed.world_from_box))
    return replace(scene, actors=tuple(changed if actor.actor_id == actor_id else actor for actor in scene.actors))
