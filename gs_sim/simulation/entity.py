"""What can be moved in a simulation: along its logged path until somebody commands it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.geometry.pose import pose_from, pose_from_twist
from gs_sim.geometry.trajectory import Trajectory, poses_at, poses_of
from gs_sim.scene.gaussians import Gaussians

SPEED_BASELINE_NS = 50_000_000
"""Logged speeds are differences over this time to both sides."""


@dataclass(frozen=True)
class Motion:
    """Where something is at a moment, and how it moves on from there."""

    stamp_ns: int
    world_from_box: Float64[Tensor, "4 4"]
    velocity_mps: Float64[Tensor, "3"]
    """Of the origin, along the axes of the world."""
    turn_rate_radps: Float64[Tensor, "3"]
    """About the axes of the world."""


@dataclass(frozen=True)
class Entity:
    """A movable thing: an actor of the scene, one that was spawned, or the vehicle itself."""

    name: str
    label: str
    size_m: tuple[float, float, float]
    """Length (x), width (y), height (z)."""
    gaussians_box: Gaussians
    """Empty for the vehicle, which its own cameras do not see."""
    path: Trajectory | None
    """`world_from_box` as logged; None for what was spawned."""
    command: Motion | None = None
    """Overrides the path from its moment on."""
    is_spawned: bool = False
    centre_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the middle of its box is in its own frame: the frame of an actor is there, that of a vehicle on the ground."""
    holds_path: bool = False
    """Stay at the ends of the path instead of being there only while it lasts."""


def still(stamp_ns: int, world_from_box: Float64[Tensor, "4 4"]) -> Motion:
    """A pose without speed."""
    zero = torch.zeros(3, dtype=torch.float64)
    return Motion(stamp_ns, world_from_box, zero, zero)


def motion_at(entity: Entity, stamp_ns: int) -> Motion | None:
    """Where an entity is at a moment and how it moves; None while it is not there."""
    if entity.command is not None:
        return moved_on(entity.command, stamp_ns)
    if entity.path is None:
        return None
    return _logged(entity.path, stamp_ns, holds=entity.holds_path)


def poses_at_moment(entities: Sequence[Entity], stamp_ns: int) -> list[Float64[Tensor, "4 4"] | None]:
    """`world_from_box` of entities at a moment, None while one is not there; cheaper than their whole motions."""
    poses: list[Float64[Tensor, "4 4"] | None] = [None] * len(entities)
    logged: list[tuple[int, Trajectory]] = []
    for index, entity in enumerate(entities):
        path = entity.path
        if entity.command is not None:
            poses[index] = moved_on(entity.command, stamp_ns).world_from_box
        elif path is not None and (entity.holds_path or path.start_ns <= stamp_ns <= path.end_ns):
            logged.append((index, path))
    for (index, _), pose in zip(logged, poses_of([path for _, path in logged], stamp_ns), strict=True):
        poses[index] = pose
    return poses


def moved_on(motion: Motion, stamp_ns: int) -> Motion:
    """A motion continued at constant speed and turn rate; before its own moment it stands."""
    elapsed_s = max(0, stamp_ns - motion.stamp_ns) / 1e9
    if elapsed_s == 0 or not (motion.velocity_mps.any() or motion.turn_rate_radps.any()):
        return replace(motion, stamp_ns=stamp_ns)
    turn = pose_from_twist(torch.cat([torch.zeros(3, dtype=torch.float64), motion.turn_rate_radps * elapsed_s]))
    rotation = turn[:3, :3] @ motion.world_from_box[:3, :3]
    position = motion.world_from_box[:3, 3] + motion.velocity_mps * elapsed_s
    return Motion(stamp_ns, pose_from(rotation, position), motion.velocity_mps, motion.turn_rate_radps)


def _logged(path: Trajectory, stamp_ns: int, *, holds: bool) -> Motion | None:
    if not holds and not path.start_ns <= stamp_ns <= path.end_ns:
        return None
    at_ns = min(max(stamp_ns, path.start_ns), path.end_ns)
    before_ns, after_ns = max(path.start_ns, at_ns - SPEED_BASELINE_NS), min(path.end_ns, at_ns + SPEED_BASELINE_NS)
    before, now, after = poses_at(path, torch.tensor([before_ns, at_ns, after_ns]))
    if after_ns == before_ns or at_ns != stamp_ns:
        return still(stamp_ns, now)
    elapsed_s = (after_ns - before_ns) / 1e9
    velocity = (after[:3, 3] - before[:3, 3]) / elapsed_s
    return Motion(stamp_ns, now, velocity, rotation_vector(after[:3, :3] @ before[:3, :3].T) / elapsed_s)


def rotation_vector(rotation: Float64[Tensor, "3 3"]) -> Float64[Tensor, "3"]:
    """Axis times angle, in radians, of a rotation of less than half a turn."""
    skew = (rotation - rotation.T) / 2
    axis = torch.stack([skew[2, 1], skew[0, 2], skew[1, 0]])
    sine = axis.norm()
    angle = torch.atan2(sine, (rotation.trace() - 1) / 2)
    return axis if float(sine) < 1e-12 else axis * (angle / sine)
