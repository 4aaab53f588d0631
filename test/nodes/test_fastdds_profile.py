"""The shipped profile of Fast DDS: large best-effort images arrive with it, and are lost without."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PROFILE = Path(__file__).resolve().parents[2] / "config" / "fastdds_shm.xml"
NUM_IMAGES = 30
PROGRAM = """
import sys, time
import rclpy
from array import array
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

role, num_images = sys.argv[1], int(sys.argv[2])
rclpy.init()
node = rclpy.create_node(role)
if role == "publisher":
    publisher = node.create_publisher(Image, "image", qos_profile_sensor_data)
    image = Image(width=1920, height=1080, encoding="rgb8", step=5760, data=array("B", bytes(1920 * 1080 * 3)))
    while publisher.get_subscription_count() == 0:
        time.sleep(0.05)
    time.sleep(0.5)
    for number in range(num_images):
        image.header.stamp.sec = number
        publisher.publish(image)
        time.sleep(0.1)
    time.sleep(1.0)
else:
    heard = set()
    node.create_subscription(Image, "image", lambda image: heard.add(image.header.stamp.sec), qos_profile_sensor_data)
    last_s = time.monotonic()
    is_known = False
    while True:
        rclpy.spin_once(node, timeout_sec=0.1)
        count = node.count_publishers("image")
        is_known = is_known or count > 0
        if len(heard) == num_images or (is_known and count == 0) or time.monotonic() - last_s > 60:
            break
    print(len(heard))
node.destroy_node()
rclpy.shutdown()
"""


def images_heard(profile: Path | None) -> int:
    """Send 1080p images from one process to another by sensor QoS, and count those that arrive."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
            patch.delenv(name, raising=False)
            if profile is not None:
                patch.setenv(name, str(profile))
        command = [sys.executable, "-c", PROGRAM]
        with subprocess.Popen([*command, "publisher", str(NUM_IMAGES)]) as publisher:
            subscriber = subprocess.run(
                [*command, "subscriber", str(NUM_IMAGES)], stdout=subprocess.PIPE, text=True, check=True, timeout=100
            )
            publisher.wait(20)
    return int(subscriber.stdout)


def test_best_effort_images_of_1080p_arrive_with_the_shipped_profile_and_not_without(ros_domain_id: int) -> None:
    assert ros_domain_id
    # all of them, unless the machine is so busy that the subscriber sleeps for longer than five images are kept
    assert images_heard(PROFILE) > 0.8 * NUM_IMAGES
    assert images_heard(None) < 0.8 * NUM_IMAGES, "Fast DDS has learnt it: the profile may go"
