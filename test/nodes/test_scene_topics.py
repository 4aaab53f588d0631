"""What RViz is shown of a scene, in numbers; and how far a reconstruction says it is."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_world import NUM_FRAMES, START_NS, STEP_NS, make_tiny_world, pose

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from gs_sim.nodes.reconstructing.whole_progress import WholeProgress
from gs_sim.nodes.scene_topics import actors_message, cameras_message, centres_message, scene_info
from gs_sim.reconstruction.reconstruct import Progress
from gs_sim.scene.scene import Scene
from gs_sim.sources.messages.point_cloud import decode_cloud

pytestmark = pytest.mark.ros

FAR = pose(1000.0, 2000.0, 50.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return replace(make_tiny_world().scene, map_from_world=FAR)


def test_centres_are_background_and_actors_at_the_start_in_the_map(scene: Scene) -> None:
    message = centres_message(scene, "map", 5, 10**6)
    car = scene.actors[0].gaussians_box.means + torch.tensor([8.0, 3.0, 0.0])
    expected = torch.cat([scene.background.means, car]) + FAR[:3, 3].float()
    assert (message.header.frame_id, message.width) == ("map", len(expected))
    assert torch.allclose(decode_cloud(message).points_lidar, expected, atol=1e-3)
    colours = np.frombuffer(message.data, np.uint8).reshape(-1, 16)[:, [14, 13, 12]]
    assert np.abs(colours[-1].astype(int) - [230, 26, 26]).max() <= 1, "the car is red"


def test_centres_are_thinned_evenly(scene: Scene) -> None:
    every = decode_cloud(centres_message(scene, "map", 5, 10**6)).points_lidar
    some = decode_cloud(centres_message(scene, "map", 5, 100)).points_lidar
    assert torch.equal(some, every[torch.arange(100) * len(every) // 100])
    assert centres_message(scene, "map", 5, 0).width == 0


def test_frusta_look_ahead_from_where_the_cameras_were(scene: Scene) -> None:
    clear, front = cameras_message(scene, "odom", 5).markers
    assert (clear.action, front.ns, front.header.frame_id) == (3, "front", "odom")
    ends = np.array([[p.x, p.y, p.z] for p in front.points]).reshape(-1, 16, 3)
    origin = np.array([front.pose.position.x, front.pose.position.y, front.pose.position.z])
    assert len(ends) == NUM_FRAMES
    assert np.allclose(ends[:, 0] + origin, [[1000 + 0.1 * i, 2000, 50] for i in range(NUM_FRAMES)])
    assert np.allclose(ends[0, 1], [1.0, 48 / 80, 32 / 80]), "the first pixel's corner is up and to the left"


def test_boxes_stand_where_actors_were_first_seen(scene: Scene) -> None:
    clear, box, label = actors_message(scene, "map", 5).markers
    assert clear.action == 3
    assert (box.pose.position.x, box.pose.position.y, box.pose.position.z) == (1008.0, 2003.0, 50.0)
    assert (box.scale.x, box.scale.y, box.scale.z) == scene.actors[0].size_m
    assert label.text == "car car-1"
    assert label.pose.position.z > 50.9


def test_scene_info_counts(scene: Scene) -> None:
    info = scene_info(scene, {"method": "optimise"}, Path("/scenes/a"), "map", START_NS)
    assert (info.path, info.method, info.header.frame_id) == ("/scenes/a", "optimise", "map")
    assert (info.num_gaussians_background, info.num_gaussians_actors) == (len(scene.background), 64)
    assert (info.actor_ids, info.actor_labels, info.camera_names) == (["car-1"], ["car"], ["front", "off_left_1m"])
    assert info.end.nanosec - info.start.nanosec == (NUM_FRAMES - 1) * STEP_NS
    assert scene_info(scene, {}, Path(), "map", 0).method == ""


def test_progress_never_goes_back_and_time_left_is_known_while_refining() -> None:
    whole = WholeProgress(is_live=True)
    steps = [("record", 1, 2), ("start", 0, 1), ("open bag", 0, 1), ("initialise", 0, 1)]
    steps += [("refine", number, 100) for number in (1, 50, 100)] + [("save", 0, 1), ("unheard of", 1, 2)]
    standings = [
        whole.update(Progress(stage, step, count, 20.0 if stage == "refine" else None, 7), float(index))
        for index, (stage, step, count) in enumerate(steps)
    ]
    fractions = [standing.fraction for standing in standings]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1] < 1) == (0.1, True)
    assert [math.isnan(standing.time_left_s) for standing in standings] == [True] * 5 + [False, False, True, True]
    assert standings[5].time_left_s == 1.0, "the first half took one second"
    assert standings[-1].psnr_db == 20.0
