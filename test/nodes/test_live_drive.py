"""A real drive from topics to images: played live, reconstructed, simulated, and compared with offline rendering."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from drive_player import Player
from node_process import NodeProcess, wait_until
from reconstruct_client import SUCCEEDED, Client

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed")
pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")

from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from gs_sim.cli.main import main
from gs_sim.geometry.trajectory import pose_at
from gs_sim.nodes.ros.conversions import header_message, pose_message, time_ns
from gs_sim.rendering.image import to_rgb8
from gs_sim.rendering.render import render
from gs_sim.scene.storage import load_scene
from gs_sim.simulation.virtual_camera import recorded_cameras
from gs_sim.sources.bag_file import BagFile
from gs_sim.sources.messages.image import decode_image

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WIDTH_PX = 207
NUM_FRAMES = 12
QUICK = {
    "reconstruct.width_px": WIDTH_PX,
    "reconstruct.optimise.steps": 60,
    "reconstruct.initialise.stereo.num_planes": 16,
    "reconstruct.initialise.stereo.working_width_px": 104,
    "reconstruct.max_gaussians": 40_000,
}


@pytest.fixture(scope="module")
def drive(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Part of a KITTI drive as a bag."""
    raw = data_dir / "kitti_raw_0009"
    drives = sorted(raw.glob("*/*_drive_0009_sync"))
    if not drives:
        pytest.skip(f"no KITTI drive 0009 in {raw}")
    bag = tmp_path_factory.mktemp("kitti") / "drive"
    labels = raw / "tracking_labels" / "0001.txt"
    arguments = ["import", "kitti-raw", str(drives[0]), "-o", str(bag), "--frames", f"0:{NUM_FRAMES}"]
    assert main([*arguments, *(["--labels", str(labels)] if labels.exists() else [])]) == 0
    return bag


@pytest.fixture(scope="module")
def reconstructor(drive: Path, ros_domain_id: int) -> Iterator[NodeProcess]:
    assert ros_domain_id
    parameters = {"bag_folder": drive.parent, **QUICK}
    with NodeProcess("reconstructor", drive.parent / "reconstructor.log", parameters) as node:
        yield node


def test_a_drive_played_live_becomes_a_scene_whose_images_equal_the_offline_rendering(
    drive: Path, reconstructor: NodeProcess, ros_node: "Node"
) -> None:
    client = Client(ros_node, "reconstructor")
    with BagFile(drive) as bag:
        topics = [topic.name for topic in bag.topics]
        messages = [message._replace(data=bytes(message.data)) for message in bag.messages(topics)]
    player = Player(ros_node, messages)
    player.offer(topics)

    goal = client.send(bag="drive", scene_path="cancelled", steps=1_000_000)
    goal.wait_for_stage("refine")
    assert goal.cancel() < 5.0
    assert not (drive.parent / "cancelled").exists()

    goal = client.send(live_duration_s=6.0, scene_path="live")
    player.wait_for_subscribers()
    player.play()
    status, result = goal.result()
    player.close()
    client.close()
    assert (status, result.message) == (SUCCEEDED, "")
    assert result.num_skipped == 0
    assert {heard.stage for heard in goal.feedback} >= {"record", "initialise", "refine"}
    assert reconstructor.is_alive()
    images_equal_offline_rendering(drive.parent / "live", ros_node)


def images_equal_offline_rendering(folder: Path, ros_node: "Node") -> None:
    """Drive along the logged path in another process, look, and render the same poses here."""
    scene = load_scene(folder)
    images: dict[int, Any] = {}
    with NodeProcess("sensor_sim", folder.parent / "sensor_sim.log", {"scene": folder}) as node:
        node.wait_for("seen by")
        (camera,) = recorded_cameras(scene.rig, ("image_02",), WIDTH_PX)
        topic = f"/{camera.name}/image_raw"
        ros_node.create_subscription(Image, topic, lambda m: images.update({time_ns(m.header.stamp): m}), 10)
        vehicle = ros_node.create_publisher(Odometry, "/odometry", 10)
        wait_until(lambda: vehicle.get_subscription_count() > 0, "sensor_sim listens")
        wait_until(lambda: ros_node.count_publishers(topic) > 0, "sensor_sim publishes")
        for number in range(5):
            stamp_ns = scene.world_from_rig.start_ns + number * 200_000_000
            map_from_rig = scene.map_from_world @ pose_at(scene.world_from_rig, stamp_ns)
            message = Odometry(header=header_message("map", stamp_ns), child_frame_id="base_link")
            message.pose.pose = pose_message(map_from_rig)

            def is_seen(message: Odometry = message, stamp_ns: int = stamp_ns) -> bool:
                vehicle.publish(message)
                return stamp_ns in images

            wait_until(is_seen, f"the image of {stamp_ns} ns", 20.0)
        for stamp_ns, image in images.items():
            world_from_camera = pose_at(scene.world_from_rig, stamp_ns) @ camera.rig_from_camera
            expected = to_rgb8(render(scene, camera.camera, world_from_camera, stamp_ns).colour[0])
            difference = np.abs(decode_image(image).numpy().astype(int) - expected.astype(int))
            assert difference.max() <= 1
    assert len(images) == 5
