"""The controller of the example: looks at depth images, and keeps a speed from which it can always stop."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float32, Float64
from torch import Tensor

from gs_sim.config import Range, check_ranges
from gs_sim.geometry.camera import Camera
from gs_sim.nodes.examples.corridor import CorridorSettings, nearest_in_the_way, rays_of, seen_points
from gs_sim.nodes.examples.road import Road, map_from_place, road_ahead
from gs_sim.nodes.examples.vehicle import Vehicle, VehicleSettings, at_start, moved, place_of

Doing = Literal["driving", "braking", "standing", "stopping blind"]

FELT_MPS2 = 0.5
"""Slowing down by more than this is braking."""
CREEP_MPS = 0.05
"""Slower than this is standing."""


@dataclass(frozen=True)
class DriverSettings:
    """How the controller drives."""

    braking_mps2: Annotated[float, Range(0.1, 20)] = 4.0
    """It plans to stop with this; that it can brake harder is its reserve."""
    standoff_m: Annotated[float, Range(0, 20)] = 2.0
    """It stops so far before what is in the way, from the front bumper."""
    restart_m: Annotated[float, Range(0, 100)] = 1.0
    """Once it stands, so much more room than that must be there before it moves again."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Driver:
    """One vehicle on one road behind one depth camera. What stands in the way is taken to stand still."""

    def __init__(
        self, road: Road, vehicle: VehicleSettings, corridor: CorridorSettings, settings: DriverSettings
    ) -> None:
        self.road, self._limits, self._corridor, self._settings = road, vehicle, corridor, settings
        self.cruise_mps = vehicle.cruise_mps or road.mean_speed_mps
        self._rays: Float64[np.ndarray, "n 3"] = np.zeros((0, 3))
        self._base_from_camera: Float64[Tensor, "4 4"] | None = None
        self.restart()

    def use_camera(self, camera: Camera, base_from_camera: Float64[Tensor, "4 4"]) -> None:
        """Look through this camera."""
        self._rays, self._base_from_camera = rays_of(camera), base_from_camera

    def restart(self) -> None:
        """Be at the start of the road again, and know of nothing in the way."""
        self.vehicle: Vehicle = at_start(self.road, self.cruise_mps)
        self.doing: Doing = "driving"
        self.is_blind = False
        self._obstacle_along_m: float | None = None

    @property
    def place(self) -> tuple[float, ...]:
        """Where `base_link` is on the map: x, y, z, yaw, pitch, roll."""
        return place_of(self.vehicle, self.road)

    @property
    def room_m(self) -> float | None:
        """From the front bumper to what was seen in the way, less what was driven since; None if nothing was."""
        if self._obstacle_along_m is None:
            return None
        return self._obstacle_along_m - self.vehicle.along_m - self._limits.front_m

    @property
    def time_to_collision_s(self) -> float:
        """How long until it is hit at this speed; infinite where nothing is in the way."""
        if self.room_m is None or self.vehicle.speed_mps < CREEP_MPS:
            return math.inf
        return max(self.room_m, 0.0) / self.vehicle.speed_mps

    def look(self, depth_m: Float32[np.ndarray, "h w"]) -> None:
        """See what is in the way from where the vehicle is now."""
        assert self._base_from_camera is not None
        ahead_base = road_ahead(self.road, map_from_place(self.place), self.vehicle.along_m, self._corridor.range_m)
        points_base = seen_points(depth_m, self._rays, self._base_from_camera)
        distance_m = nearest_in_the_way(points_base, ahead_base, self._corridor, self._limits.front_m)
        self._obstacle_along_m = None if distance_m is None else self.vehicle.along_m + distance_m
        self.is_blind = False

    def move(self, elapsed_s: float) -> None:
        """Drive on for some time."""
        before_mps, target_mps = self.vehicle.speed_mps, self._target_mps(elapsed_s)
        self.vehicle = moved(self.vehicle, self.road, target_mps, elapsed_s, self._limits)
        if self.is_blind:
            self.doing = "stopping blind"
        elif self.vehicle.speed_mps < CREEP_MPS and self.room_m is not None:
            self.doing = "standing"
        elif before_mps - self.vehicle.speed_mps > FELT_MPS2 * elapsed_s:
            self.doing = "braking"
        else:
            self.doing = "driving"

    def _target_mps(self, elapsed_s: float) -> float:
        """The speed to have after this time."""
        if self.is_blind:
            return self.vehicle.speed_mps - self._settings.braking_mps2 * elapsed_s
        if self.room_m is None:
            return self.cruise_mps
        free_m = self.room_m - self._settings.standoff_m
        if self.doing == "standing" and free_m < self._settings.restart_m:
            return 0.0
        safe_mps = math.sqrt(2 * self._settings.braking_mps2 * max(free_m, 0.0))
        # below this the root would only be approached, never reached
        return 0.0 if safe_mps < CREEP_MPS else min(self.cruise_mps, safe_mps)
