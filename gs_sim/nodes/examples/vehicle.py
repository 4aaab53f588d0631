"""A small vehicle: a kinematic bicycle that follows a road by pure pursuit, with limits to what it can do.

Pure pursuit is that of Coulter 1992: steer on the arc that leads to the point of the road some metres ahead.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from gs_sim.config import Range, check_ranges
from gs_sim.nodes.examples.road import Road, place_at


@dataclass(frozen=True)
class VehicleSettings:
    """What the vehicle is and can do."""

    cruise_mps: Annotated[float, Range(0, 100)] = 0.0
    """Speed where nothing is in the way, and at the start; 0 takes the mean speed of the logged drive."""
    acceleration_mps2: Annotated[float, Range(0.1, 20)] = 2.0
    """It gains speed no faster."""
    hardest_braking_mps2: Annotated[float, Range(0.1, 20)] = 8.0
    """It loses speed no faster."""
    wheelbase_m: Annotated[float, Range(0.5, 20)] = 2.7
    """Distance of the axles; base_link is below the rear one."""
    largest_steering_deg: Annotated[float, Range(1, 80)] = 35.0
    """The front wheels turn no further."""
    lookahead_m: Annotated[float, Range(0.5, 50)] = 4.0
    """It steers for the point of the road this far ahead."""
    front_m: Annotated[float, Range(0, 20)] = 3.7
    """From base_link to the front bumper."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Vehicle:
    """Where it is on the map and the road, and how fast."""

    x_m: float
    y_m: float
    yaw_rad: float
    speed_mps: float
    along_m: float
    """How far along the road."""
    turn_rate_radps: float = 0.0


def at_start(road: Road, speed_mps: float) -> Vehicle:
    """A vehicle where the road begins."""
    x_m, y_m, _, yaw_rad, _, _ = place_at(road, 0.0)
    return Vehicle(x_m, y_m, yaw_rad, speed_mps, 0.0)


def moved(vehicle: Vehicle, road: Road, target_mps: float, elapsed_s: float, settings: VehicleSettings) -> Vehicle:
    """The vehicle some time later, which aimed at a speed and at the road."""
    slowest = vehicle.speed_mps - settings.hardest_braking_mps2 * elapsed_s
    fastest = vehicle.speed_mps + settings.acceleration_mps2 * elapsed_s
    speed_mps = max(min(max(target_mps, slowest), fastest), 0.0)
    distance_m = (vehicle.speed_mps + speed_mps) / 2 * elapsed_s
    curvature = pursuit_curvature(vehicle, road, settings)
    middle_rad = vehicle.yaw_rad + curvature * distance_m / 2
    x_m, y_m = vehicle.x_m + distance_m * math.cos(middle_rad), vehicle.y_m + distance_m * math.sin(middle_rad)
    # once around is enough to stay beside the vehicle: a step is short against the curves of a road
    there = place_at(road, vehicle.along_m + distance_m)
    off_m = (x_m - there[0]) * math.cos(there[3]) + (y_m - there[1]) * math.sin(there[3])
    along_m = vehicle.along_m + distance_m + off_m
    turn_rate_radps = curvature * speed_mps
    return Vehicle(x_m, y_m, vehicle.yaw_rad + curvature * distance_m, speed_mps, along_m, turn_rate_radps)


def pursuit_curvature(vehicle: Vehicle, road: Road, settings: VehicleSettings) -> float:
    """1 / radius of the arc to the point ahead, to the left positive, within what the wheels can turn."""
    goal_x_m, goal_y_m, *_ = place_at(road, vehicle.along_m + settings.lookahead_m)
    dx, dy = goal_x_m - vehicle.x_m, goal_y_m - vehicle.y_m
    left_m = -dx * math.sin(vehicle.yaw_rad) + dy * math.cos(vehicle.yaw_rad)
    tightest = math.tan(math.radians(settings.largest_steering_deg)) / settings.wheelbase_m
    return max(-tightest, min(2 * left_m / max(dx * dx + dy * dy, 1e-6), tightest))


def place_of(vehicle: Vehicle, road: Road) -> tuple[float, ...]:
    """Its place on the map: height, pitch and roll are the road's."""
    _, _, z_m, _, pitch_rad, roll_rad = place_at(road, vehicle.along_m)
    return (vehicle.x_m, vehicle.y_m, z_m, vehicle.yaw_rad, pitch_rad, roll_rad)
