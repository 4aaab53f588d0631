"""All Gaussians of a world at one moment, without copying again what never moves."""

from collections.abc import Sequence
from dataclasses import fields

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.scene.gaussians import Gaussians, concatenate
from gs_sim.scene.scene import Scene, move_gaussians

Placed = tuple[Gaussians, Float64[Tensor, "4 4"]]
"""Gaussians in a box frame, and `world_from_box`."""


class Stage:
    """One buffer: the static world first, then whoever is there. What it gives is valid until it is asked again."""

    def __init__(self, scene: Scene) -> None:
        self._static = concatenate([scene.background, scene.distant])
        self._buffer = self._static

    def at(self, actors: Sequence[Placed]) -> Gaussians:
        """The static world and these actors in their places, in the world frame.

        The same numbers in the same order as `gs_sim.scene.scene.gaussians_at` gives.
        """
        num_static, num_moving = len(self._static), sum(len(gaussians) for gaussians, _ in actors)
        num_coefficients = max([self._static.sh.shape[1], *(gaussians.sh.shape[1] for gaussians, _ in actors)])
        if num_coefficients > self._buffer.sh.shape[1] or num_static + num_moving > len(self._buffer):
            self._buffer = _with_room(self._static, max(num_moving, len(self._buffer) // 8), num_coefficients)
        start = num_static
        for gaussians_box, world_from_box in actors:
            moved = move_gaussians(world_from_box, gaussians_box)
            end = start + len(moved)
            for field in fields(Gaussians):
                room, values = getattr(self._buffer, field.name)[start:end], getattr(moved, field.name)
                if field.name == "sh":
                    room[:, values.shape[1] :] = 0.0
                    room = room[:, : values.shape[1]]
                room.copy_(values)
            start = end
        return Gaussians(*(getattr(self._buffer, field.name)[:start] for field in fields(Gaussians)))


def _with_room(static: Gaussians, num_more: int, num_coefficients: int) -> Gaussians:
    """The static Gaussians at the beginning of tensors with room for more, and for higher harmonics."""
    grown = []
    for field in fields(Gaussians):
        values = getattr(static, field.name)
        shape = (num_coefficients, 3) if field.name == "sh" else values.shape[1:]
        room = torch.zeros(len(values) + num_more, *shape, dtype=values.dtype, device=values.device)
        if field.name == "sh":
            room[: len(values), : values.shape[1]] = values
        else:
            room[: len(values)] = values
        grown.append(room)
    return Gaussians(*grown)
