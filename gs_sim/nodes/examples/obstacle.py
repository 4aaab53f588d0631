"""Which vehicle is inserted, and where: one that the drive saw from the side that will be seen again."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from gs_sim.config import Range
from gs_sim.geometry.pose import inverse
from gs_sim.nodes.examples.footprint import Corners, rectangle
from gs_sim.nodes.examples.harness import Harness, HarnessError
from gs_sim.nodes.examples.road import Road, map_from_place, place_at

EGO, OBSTACLE = "ego", "obstacle"


@dataclass(frozen=True)
class ObstacleSettings:
    """What is put on the road."""

    obstacle: str = ""
    """URI of what is inserted, as get_spawnables lists it; empty takes the nearest actor ahead, or the first of the list."""
    distance_m: Annotated[float, Range(1, 1000)] = 18.0
    """From base_link at the start of the drive to the obstacle's middle, along the logged path."""
    clears_road: bool = True
    """Take away the scene's own actors first, so that nothing else can be met."""
    front_m: Annotated[float, Range(0, 20)] = 3.7
    """From the vehicle's base_link to its front bumper."""
    base_height_m: Annotated[float, Range(-5, 5)] = 0.0
    """Height of base_link above the road."""


def insert_obstacle(harness: Harness, road: Road, frame: str, settings: ObstacleSettings) -> Corners:
    """Put the obstacle on the road and return its outline on the map.

    Args:
        harness: the simulator.
        road: the vehicle's path.
        frame: the frame of the road.
        settings: what and where.

    Raises:
        HarnessError: there is nothing to insert, or the simulator refuses.
    """
    uri, is_oncoming = _choice(harness) if not settings.obstacle else (settings.obstacle, False)
    place = list(place_at(road, settings.distance_m))
    place[3] += math.pi if is_oncoming else 0.0
    harness.spawn(OBSTACLE, uri, frame, map_from_place(tuple(place)))
    # its size is known now, and an entity's pose is that of the centre of its box
    length_m, width_m, height_m = harness.size_m(OBSTACLE)
    up = torch.eye(4, dtype=torch.float64)
    up[2, 3] = height_m / 2 - settings.base_height_m
    map_from_box = map_from_place(tuple(place)) @ up
    harness.place(OBSTACLE, frame, map_from_box)
    return rectangle(map_from_box, (-length_m / 2, length_m / 2), width_m)


def _choice(harness: Harness) -> tuple[str, bool]:
    """A spawnable, and whether it should face the vehicle: a scene knows only the sides of a thing that were seen."""
    uris = [spawnable.entity_resource.uri for spawnable in harness.call("GetSpawnables").spawnables]
    if not uris:
        raise HarnessError("the scene has no actor to insert; set `obstacle`, and asset_folder of sensor_sim")
    answer = harness.call("GetEntitiesStates")
    _, map_from_ego = harness.pose(EGO)
    ahead = []
    for entity in answer.entities:
        if f"actor:{entity}" in uris:
            _, map_from_box = harness.pose(entity)
            ego_from_box = inverse(map_from_ego) @ map_from_box
            if float(ego_from_box[0, 3]) > 0:
                ahead.append((float(ego_from_box[0, 3]), entity, bool(ego_from_box[0, 0] < 0)))
    if not ahead:
        return uris[0], False
    _, entity, is_oncoming = min(ahead)
    return f"actor:{entity}", is_oncoming
