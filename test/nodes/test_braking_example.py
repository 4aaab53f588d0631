"""The arithmetic of the braking example, without ROS: road, vehicle, corridor, controller, order of events, judge."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_road import CAMERA, CAR_SIZE_M, RIG_FROM_CAMERA, make_road_scene
from tiny_world import path, pose

from gs_sim.errors import InputError
from gs_sim.geometry.pose import pose_from_twist, rotation_from_quaternion
from gs_sim.nodes.examples.corridor import CorridorSettings, nearest_in_the_way, rays_of, seen_points
from gs_sim.nodes.examples.driver import Driver, DriverSettings
from gs_sim.nodes.examples.footprint import distance_m, rectangle
from gs_sim.nodes.examples.judge import Drive, Passage, faults, table
from gs_sim.nodes.examples.lock_step import LockStep, Look, Missed, Move, Restart
from gs_sim.nodes.examples.road import (
    Road,
    map_from_place,
    place_at,
    quaternion_from_place,
    road_ahead,
    road_from,
)
from gs_sim.nodes.examples.vehicle import VehicleSettings, at_start, moved, place_of
from gs_sim.scene.scene import Scene
from gs_sim.simulation.entity import still
from gs_sim.simulation.simulator import Simulator
from gs_sim.simulation.virtual_camera import VirtualCamera
from gs_sim.simulation.world import Spawn

MS = 1_000_000


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_road_scene()


@pytest.fixture(scope="module")
def road(scene: Scene) -> Road:
    return road_from(scene.world_from_rig)


def test_a_road_has_the_logged_poses_at_their_distances_and_goes_straight_on(scene: Scene, road: Road) -> None:
    logged = scene.world_from_rig.poses
    lengths_m = (logged[1:, :3, 3] - logged[:-1, :3, 3]).norm(dim=1).cumsum(0)
    torch.testing.assert_close(map_from_place(place_at(road, float(lengths_m[9]))), logged[10])
    assert road.mean_speed_mps == pytest.approx(float(lengths_m[-1]) / 4.0)
    place = (*place_at(road, 7.0)[:4], 0.2, -0.3)
    quaternion = torch.tensor(quaternion_from_place(place), dtype=torch.float64)
    torch.testing.assert_close(rotation_from_quaternion(quaternion), map_from_place(place)[:3, :3])
    beyond = np.array(place_at(road, road.length_m + 10.0)) - np.array(place_at(road, road.length_m))
    assert np.linalg.norm(beyond[:3]) == pytest.approx(10.0)
    assert abs(beyond[3]) < 1e-12


def test_a_road_ahead_is_in_the_vehicles_frame(road: Road) -> None:
    start = map_from_place(place_at(road, 4.0))
    ahead_base = road_ahead(road, start, 4.0, 10.0)
    np.testing.assert_allclose(ahead_base[0], 0.0, atol=1e-9)
    assert ahead_base[-1, 0] == pytest.approx(9.5, abs=0.02)
    assert ahead_base[-1, 1] == pytest.approx(0.002 * 9.5**2, abs=0.03)


@pytest.mark.parametrize("positions", [[(0.0, 0.0, 0.0)] * 8, [(0.01 * i, 0.0, 0.0) for i in range(8)]])
def test_a_drive_that_stands_is_no_road(positions: list[tuple[float, float, float]]) -> None:
    with pytest.raises(InputError, match="a drive that moves is needed"):
        road_from(path(positions))


def test_the_vehicle_follows_the_road_from_beside_it(road: Road) -> None:
    vehicle = at_start(road, 8.0)
    vehicle = type(vehicle)(vehicle.x_m, vehicle.y_m - 0.5, vehicle.yaw_rad, vehicle.speed_mps, vehicle.along_m)
    for _ in range(300):
        vehicle = moved(vehicle, road, 8.0, 0.01, VehicleSettings())
    x_m, y_m, _, yaw_rad, _, _ = place_at(road, vehicle.along_m)
    assert math.hypot(vehicle.x_m - x_m, vehicle.y_m - y_m) < 0.1
    assert abs(vehicle.yaw_rad - yaw_rad) < 0.03
    assert vehicle.along_m == pytest.approx(24.0, abs=0.2)


def test_the_vehicle_keeps_its_limits_and_never_reverses(road: Road) -> None:
    settings = VehicleSettings(acceleration_mps2=2.0, hardest_braking_mps2=8.0)
    vehicle = at_start(road, 8.0)
    assert moved(vehicle, road, 20.0, 0.5, settings).speed_mps == pytest.approx(9.0)
    braking = moved(vehicle, road, 0.0, 0.5, settings)
    assert braking.speed_mps == pytest.approx(4.0)
    assert braking.along_m == pytest.approx(3.0, abs=0.01)
    standing = moved(moved(braking, road, -3.0, 1.0, settings), road, 0.0, 1.0, settings)
    assert standing.speed_mps == 0.0
    assert place_of(standing, road) == place_of(moved(standing, road, 0.0, 1.0, settings), road)


STRAIGHT = np.stack([np.arange(0, 40, 0.5), np.zeros(80), np.zeros(80)], axis=1)
FEW = CorridorSettings(min_pixels=3)


def block(x_m: float, y_m: float, z_m: float, count: int = 5) -> Any:
    return np.tile([x_m, y_m, z_m], (count, 1))


@pytest.mark.parametrize(
    ("points_base", "expected_m"),
    [
        (block(12.0, 0.0, 1.0), 12.0),
        (block(12.0, 1.0, 1.0), 12.0),
        (block(12.0, 1.3, 1.0), None),
        (block(12.0, 0.0, 0.1), None),
        (block(12.0, 0.0, 2.5), None),
        (block(3.0, 0.0, 1.0), None),
        (block(50.0, 0.0, 1.0), None),
        (block(12.0, 0.0, 1.0, count=2), None),
        (np.concatenate([block(8.0, 0.0, 1.0, count=2), block(12.0, 0.0, 1.0)]), 12.0),
        (np.zeros((0, 3)), None),
    ],
)
def test_what_is_in_the_way_is_above_the_road_and_seen_by_enough_pixels(
    points_base: Any, expected_m: float | None
) -> None:
    assert nearest_in_the_way(points_base, STRAIGHT, FEW, 3.7) == expected_m


def test_the_corridor_bends_with_the_road() -> None:
    bent = STRAIGHT.copy()
    bent[:, 1] = 0.01 * bent[:, 0] ** 2
    assert nearest_in_the_way(block(20.0, 4.0, 1.0), bent, FEW, 3.7) == pytest.approx(20.0)
    assert nearest_in_the_way(block(20.0, 0.0, 1.0), bent, FEW, 3.7) is None


def test_a_depth_image_becomes_points_of_the_vehicles_frame() -> None:
    depth_m = np.full((CAMERA.height_px, CAMERA.width_px), 10.0, np.float32)
    depth_m[0, 0], depth_m[0, 1], depth_m[0, 2] = 0.0, np.nan, np.inf
    points_base = seen_points(depth_m, rays_of(CAMERA), RIG_FROM_CAMERA)
    assert len(points_base) == CAMERA.height_px * CAMERA.width_px - 3
    np.testing.assert_allclose(points_base[:, 0], 11.5, rtol=1e-6)
    # the last pixel is the lower right one: half a pixel from the corner
    np.testing.assert_allclose(points_base[-1, 1:], [-79.5 / 8, 1.5 - 47.5 / 8], rtol=1e-6)


class Loop:
    """The loop closed without ROS: simulator, camera and driver, ten images per second."""

    def __init__(self, scene: Scene, road: Road) -> None:
        self.camera = VirtualCamera("front", CAMERA, RIG_FROM_CAMERA, 10.0, has_depth=True)
        self.simulator = Simulator(20 * MS)
        self.simulator.load(scene, [self.camera])
        self.driver = Driver(road, VehicleSettings(), CorridorSettings(), DriverSettings())
        self.driver.use_camera(CAMERA, RIG_FROM_CAMERA)

    def insert(self, road: Road, along_m: float) -> None:
        actor = self.simulator.world.scene.actors[0]
        place = list(place_at(road, along_m))
        place[2] += CAR_SIZE_M[2] / 2
        spawn = Spawn("obstacle", "car", actor.size_m, actor.gaussians_box)
        self.simulator.world.spawn(spawn, self.simulator.now_ns, map_from_place(tuple(place)))

    def run(self, seconds: float) -> list[float]:
        speeds_mps = []
        for _ in range(round(seconds / 0.02)):
            self.simulator.step()
            now_ns = self.simulator.now_ns
            self.driver.move(0.02)
            speeds_mps.append(self.driver.vehicle.speed_mps)
            if self.simulator.due_cameras(now_ns):
                self.simulator.world.command("ego", still(now_ns, map_from_place(self.driver.place)))
                self.driver.look(next(self.simulator.sense([self.camera], now_ns)).depth_m)
        return speeds_mps


def test_it_stops_at_its_standoff_and_goes_on_when_the_way_is_free(scene: Scene, road: Road) -> None:
    loop = Loop(scene, road)
    loop.insert(road, 25.0)
    speeds_mps = loop.run(5.0)
    assert speeds_mps[-1] == 0.0
    assert loop.driver.doing == "standing"
    gap_m = 25.0 - CAR_SIZE_M[0] / 2 - loop.driver.vehicle.along_m - VehicleSettings().front_m
    assert gap_m == pytest.approx(DriverSettings().standoff_m, abs=0.2)
    lost_mps2 = -np.diff(speeds_mps) / 0.02
    assert np.median(lost_mps2[lost_mps2 > 0.5]) == pytest.approx(4.0, abs=0.5)
    assert lost_mps2.max() <= 8.0, "images correct the distance a little, within what it can do"
    loop.simulator.world.delete("obstacle")
    assert loop.run(2.0)[-1] > 3.0


def test_it_drives_by_what_is_beside_the_road(scene: Scene, road: Road) -> None:
    loop = Loop(scene, road)
    assert loop.run(3.0) == pytest.approx([road.mean_speed_mps] * 150)
    assert loop.driver.time_to_collision_s > 3.0


def test_blind_it_stops_and_after_a_restart_it_drives_again(scene: Scene, road: Road) -> None:
    driver = Loop(scene, road).driver
    driver.is_blind = True
    for _ in range(150):
        driver.move(0.02)
    assert (driver.vehicle.speed_mps, driver.doing) == (0.0, "stopping blind")
    driver.restart()
    driver.move(0.02)
    assert driver.vehicle.speed_mps == pytest.approx(road.mean_speed_mps)
    assert driver.doing == "driving"


def events(steps: LockStep[str], now_s: float = 0.0) -> list[Any]:
    found = []
    while (event := steps.next(now_s)) is not None:
        found.append(event)
    return found


def ticked(*moments_ms: int, rate_hz: float = 100.0) -> LockStep[str]:
    steps = LockStep[str](rate_hz, 1.0)
    for ms in moments_ms:
        steps.tick(ms * MS)
    return steps


def test_a_tick_waits_for_the_image_that_was_due_before_it() -> None:
    steps = ticked(0, 10, 20, 30, rate_hz=50.0)
    assert events(steps) == [Restart(0), Move(10 * MS, 0.01)]
    steps.image(10 * MS, "first")
    # 20 ms has no image, so 30 ms needs none
    assert events(steps) == [Look(10 * MS, "first"), Move(20 * MS, 0.01), Move(30 * MS, 0.01)]
    steps.image(30 * MS, "second")
    assert events(steps) == [Look(30 * MS, "second")]


def test_an_image_that_does_not_come_is_missed_once_and_then_not_waited_for() -> None:
    steps = ticked(0, 10, 20, 30)
    assert events(steps, 5.0) == [Restart(0), Move(10 * MS, 0.01)]
    assert events(steps, 5.9) == []
    assert events(steps, 6.1) == [Missed(10 * MS), Move(20 * MS, 0.01), Move(30 * MS, 0.01)]
    steps.image(30 * MS, "late")
    assert events(steps, 7.0) == [Look(30 * MS, "late")]
    steps.tick(40 * MS)
    steps.tick(50 * MS)
    assert events(steps, 7.0) == [Move(40 * MS, 0.01)], "it is seeing again, and waits again"


def test_a_clock_that_goes_back_starts_anew_and_images_from_before_are_strays() -> None:
    steps = ticked(0, 10)
    events(steps)
    steps.tick(0)
    assert events(steps) == [Restart(0)]
    steps.image(10 * MS, "of the run before")
    assert (events(steps), steps.num_strays) == ([], 1)
    steps.tick(10 * MS)
    steps.tick(20 * MS)
    assert events(steps) == [Move(10 * MS, 0.01)]
    steps.image(10 * MS, "of this run")
    assert events(steps) == [Look(10 * MS, "of this run"), Move(20 * MS, 0.01)]


def test_a_time_that_is_said_again_changes_nothing() -> None:
    steps = ticked(0, 0, 10, 10)
    assert events(steps) == [Restart(0), Move(10 * MS, 0.01)]


def test_who_joins_late_finds_the_cameras_moments_by_its_first_image() -> None:
    steps = ticked(30, 40, 50, 60, 70, rate_hz=50.0)
    assert events(steps, 0.0) == [Restart(30 * MS), Move(40 * MS, 0.01)]
    events(steps, 0.0)
    found = events(steps, 2.0)
    assert found[0] == Missed(40 * MS)
    steps.image(70 * MS, "there they are")
    assert events(steps, 2.0) == [Look(70 * MS, "there they are")]
    steps.tick(80 * MS)
    steps.tick(90 * MS)
    steps.tick(100 * MS)
    assert events(steps, 2.0) == [Move(80 * MS, 0.01), Move(90 * MS, 0.01)]


@pytest.mark.parametrize(
    ("map_from_box", "expected_m"),
    [
        (pose(10.0, 0.0, 0.0), 6.0),
        (pose(3.0, 0.5, 0.0), 0.0),
        (pose(0.0, 5.0, 0.0), 3.0),
        (pose(7.0, 6.0, 0.0), 5.0),
        (pose(10.0, 0.0, 0.0) @ pose_from_twist(torch.tensor([0, 0, 0, 0, 0, math.pi / 2], dtype=torch.float64)), 7.0),
        (pose(0.5, 0.0, 0.0) @ pose_from_twist(torch.tensor([0, 0, 0, 0, 0, 0.7], dtype=torch.float64)), 0.0),
    ],
)
def test_distances_of_vehicles_from_above(map_from_box: Any, expected_m: float) -> None:
    own, other = rectangle(pose(0.0, 0.0, 0.0), (-2.0, 2.0), 2.0), rectangle(map_from_box, (-2.0, 2.0), 2.0)
    assert distance_m(own, other) == pytest.approx(expected_m)
    assert distance_m(other, own) == pytest.approx(expected_m)


def drive(places_m: list[float], obstacle_m: float | None) -> Drive:
    obstacle = None if obstacle_m is None else rectangle(pose(obstacle_m, 0.0, 0.0), (-2.0, 2.0), 1.8)
    found = Drive((4.5, 1.8, 1.5), 3.7, obstacle)
    for number, place_m in enumerate(places_m):
        found.add(Passage(number * 100 * MS, pose(place_m, 0.0, 0.0)))
    return found


def test_the_judge_sees_stops_collisions_and_needless_braking() -> None:
    good = drive([0.0, 1.0, 1.5, 1.7, 1.7, 1.7], 10.0)
    assert good.has_stood(0.2)
    assert not good.has_stood(0.3)
    outcome = good.outcome("good", 50, 6, 1.0)
    assert (outcome.has_stopped, outcome.num_collisions) == (True, 0)
    assert outcome.smallest_gap_m == pytest.approx(10.0 - 2.0 - 1.7 - 3.7)
    assert faults([outcome]) == []
    crash = drive([0.0, 1.0, 2.0, 3.0, 5.0], 8.0).outcome("crash", 50, 6, 1.0)
    assert faults([crash]) == ["crash: the vehicle ran into it", "crash: the vehicle did not stop within 0.4 s"]
    shy = drive([0.0, 1.0, 2.0, 2.5], None).outcome("shy", 50, 6, 1.0)
    assert faults([shy]) == ["shy: the vehicle braked for nothing, down to 5.0 m/s"]
    dead = drive([0.0, 0.0], 10.0).outcome("dead", 50, 0, 1.0)
    assert faults([dead]) == ["dead: no image came", "dead: the vehicle never drove"]
    assert "smallest gap, m" in table([outcome, shy])
