"""Which entities a request means: by name, category, tag or place, as `simulation_interfaces` filters them."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float64
from simulation_interfaces.msg import Bounds, EntityCategory
from torch import Tensor

from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.nodes.simulating.results import UnsupportedError
from gs_sim.simulation.entity import Entity, motion_at
from gs_sim.simulation.world import EGO, World

HUMANS = {"pedestrian", "person", "cyclist", "person_sitting"}
MAX_PATTERN_CHARACTERS = 100
REPEATED_REPEAT = re.compile(r"[*+}]\)*[*+{]|[*+}][^)]*\)[*+{]")
"""A repeated group that itself repeats can take longer than the universe lasts."""


def matching(world: World, filters: Any, at_ns: int) -> list[Entity]:
    """The entities that pass every filter of an `EntityFilters` message, in order.

    Raises:
        UnsupportedError: a filter is of a kind that is not supported, or cannot be understood.
    """
    found = list(world.entities.values())
    if filters.filter:
        pattern = compiled(filters.filter)
        found = [entity for entity in found if pattern.search(entity.name)]
    if filters.categories:
        wanted = {category.category for category in filters.categories}
        found = [entity for entity in found if category_of(entity) in wanted]
    if filters.tags.tags:
        match = all if filters.tags.filter_mode == filters.tags.FILTER_MODE_ALL else any
        found = [entity for entity in found if match(tag == entity.label for tag in filters.tags.tags)]
    if filters.bounds.type != Bounds.TYPE_EMPTY:
        found = [entity for entity in found if overlaps(entity, filters.bounds, world, at_ns)]
    return found


def category_of(entity: Entity) -> int:
    """The category of an entity by its label."""
    if entity.name == EGO:
        return int(EntityCategory.CATEGORY_ROBOT)
    is_human = entity.label in HUMANS
    return int(EntityCategory.CATEGORY_HUMAN if is_human else EntityCategory.CATEGORY_DYNAMIC_OBJECT)


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression for names; the common part of POSIX's and Python's.

    Raises:
        UnsupportedError: it is none, or one that could take forever.
    """
    if len(pattern) > MAX_PATTERN_CHARACTERS or REPEATED_REPEAT.search(pattern):
        raise UnsupportedError(
            f"a filter has at most {MAX_PATTERN_CHARACTERS} characters and no repeated group that repeats inside"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UnsupportedError(f"'{pattern}' is no regular expression: {error}") from error


def overlaps(entity: Entity, bounds: Any, world: World, at_ns: int) -> bool:
    """Whether a sphere or a box, given in the fixed frame, and the box of an entity touch.

    Raises:
        UnsupportedError: the bounds are of another kind, or incomplete.
    """
    if bounds.type not in {Bounds.TYPE_SPHERE, Bounds.TYPE_BOX} or len(bounds.points) != 2:
        raise UnsupportedError("bounds are a sphere (centre, radius in x) or a box (two corners), with two points")
    motion = motion_at(entity, at_ns)
    if motion is None:
        return False
    map_from_box = world.scene.map_from_world @ motion.world_from_box
    half = torch.tensor(entity.size_m, dtype=torch.float64) / 2
    centre = torch.tensor(entity.centre_m, dtype=torch.float64)
    first, second = (torch.tensor([[p.x, p.y, p.z]], dtype=torch.float64) for p in bounds.points)
    if bounds.type == Bounds.TYPE_SPHERE:
        ball_box = transform_points(inverse(map_from_box), first)[0] - centre
        return bool((ball_box - ball_box.clamp(-half, half)).norm() <= second[0, 0])
    low, high = torch.minimum(first, second)[0], torch.maximum(first, second)[0]
    corners = transform_points(map_from_box, centre + _corners(half.tolist()))
    return bool(((corners.amin(dim=0) <= high) & (corners.amax(dim=0) >= low)).all())


def _corners(half: Sequence[float]) -> Float64[Tensor, "8 3"]:
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    return signs * torch.tensor(half, dtype=torch.float64)
