"""sensor_sim as its users meet it: a process of its own, poses in, images out, over DDS."""

import itertools
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from node_process import NodeProcess, wait_for, wait_until
from tiny_world import CAMERA, START_NS, STEP_NS, make_tiny_world, optical_from, pose

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from gs_sim.geometry.camera import Camera
from gs_sim.nodes.ros.conversions import camera_info_message, header_message, pose_message, time_ns
from gs_sim.rendering.image import to_rgb8
from gs_sim.rendering.render import render
from gs_sim.scene.scene import Scene
from gs_sim.scene.storage import load_scene, save_scene
from gs_sim.sources.messages.image import decode_compressed_image, decode_image

if TYPE_CHECKING:
    from rclpy.node import Node

pytestmark = pytest.mark.ros

RIG = "cameras: {front: {like: front, rate_hz: 100, has_depth: true}, slow: {like: off_left_1m, rate_hz: 5}}"
NOW_NS = START_NS + 2 * STEP_NS + 30_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, and a rig that looks at it."""
    folder = tmp_path_factory.mktemp("simulation")
    save_scene(make_tiny_world().scene, folder / "scene")
    (folder / "rig.yaml").write_text(RIG, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def scene(folder: Path) -> Scene:
    return load_scene(folder / "scene")


@pytest.fixture(scope="module")
def sensor_sim(folder: Path, ros_domain_id: int) -> Iterator[NodeProcess]:
    """Follows `odometry`."""
    assert ros_domain_id
    parameters = {"scene": folder / "scene", "rig": folder / "rig.yaml"}
    with NodeProcess("sensor_sim", folder / "follow.log", parameters) as node:
        node.wait_for("seen by: front, slow")
        yield node


class Listener:
    """Collects the messages of one topic."""

    def __init__(self, node: "Node", kind: Any, topic: str, qos: Any = 10) -> None:
        self.messages: list[Any] = []
        self._node = node
        self._subscription = node.create_subscription(kind, topic, self.messages.append, qos)
        wait_until(lambda: bool(node.get_publishers_info_by_topic(topic)), f"somebody publishes {topic}")

    def wait(self, count: int = 1) -> list[Any]:
        wait_until(lambda: len(self.messages) >= count, f"{count} messages, have {len(self.messages)}", 20.0)
        return self.messages

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)


class Driver:
    """Publishes the vehicle's pose, once somebody listens."""

    def __init__(self, node: "Node", topic: str = "/odometry", qos: Any = 10) -> None:
        self._node, self._publisher = node, node.create_publisher(Odometry, topic, qos)
        wait_until(lambda: self._publisher.get_subscription_count() > 0, f"somebody listens to {topic}")

    def say(self, stamp_ns: int, x_m: float, child: str = "base_link") -> None:
        message = Odometry(header=header_message("map", stamp_ns), child_frame_id=child)
        message.pose.pose = pose_message(pose(x_m, 0.0, 0.0))
        self._publisher.publish(message)

    def close(self) -> None:
        self._node.destroy_publisher(self._publisher)


WARM_UP_STAMPS_NS = itertools.count(START_NS + 10**15, 10**9)
"""Later and later, so that each is due."""


def connect(driver: Driver, images: Listener) -> None:
    """Drive until an image arrives: finding each other over DDS takes its time, in both directions."""

    def is_seen() -> bool:
        driver.say(next(WARM_UP_STAMPS_NS), 0.0)
        time.sleep(0.1)
        return bool(images.messages)

    wait_until(is_seen, "the first image", 30.0)
    time.sleep(0.3)
    images.messages.clear()


def truth(scene: Scene, world_from_camera: torch.Tensor, stamp_ns: int, camera: Camera = CAMERA) -> Any:
    return to_rgb8(render(scene, camera, world_from_camera, stamp_ns).colour[0])


def difference(message: Any, expected: Any) -> int:
    """The largest difference of any colour, in 1/255."""
    found = decode_image(message).numpy().astype(np.int64)
    return int(np.abs(found - expected.astype(np.int64)).max())


def test_images_carry_stamp_and_frame_of_the_pose_and_equal_the_offline_rendering(
    sensor_sim: NodeProcess, scene: Scene, ros_node: "Node"
) -> None:
    images, infos = Listener(ros_node, Image, "/front/image_raw"), Listener(ros_node, CameraInfo, "/front/camera_info")
    depths = Listener(ros_node, Image, "/front/depth/image_raw")
    compressed = Listener(ros_node, CompressedImage, "/front/image_raw/compressed")
    driver = Driver(ros_node)
    connect(driver, images)
    wait_until(lambda: bool(depths.messages and compressed.messages and infos.messages), "all topics")
    for listener in (infos, depths, compressed):
        listener.messages.clear()
    for number in range(5):
        driver.say(NOW_NS + number * 20_000_000, 0.1 * number)
        images.wait(number + 1)
    for number, (image, info) in enumerate(zip(images.messages, infos.wait(5), strict=False)):
        stamp_ns = NOW_NS + number * 20_000_000
        assert time_ns(image.header.stamp) == time_ns(info.header.stamp) == stamp_ns
        assert image.header.frame_id == info.header.frame_id == "front_optical_frame"
        expected = truth(scene, pose(0.1 * number, 0.0, 0.0) @ optical_from(), stamp_ns)
        assert difference(image, expected) <= 1
    assert (infos.messages[0].k[2], infos.messages[0].width) == (CAMERA.cx - 0.5, CAMERA.width_px)
    depth = np.frombuffer(depths.wait()[0].data, np.float32).reshape(CAMERA.height_px, CAMERA.width_px)
    assert depths.messages[0].encoding == "32FC1"
    assert abs(float(np.median(depth[:8])) - 12.0) < 0.5
    jpeg = decode_compressed_image(compressed.wait()[0]).numpy().astype(np.int64)
    assert np.abs(jpeg - decode_image(images.messages[0]).numpy()).mean() < 12
    assert sensor_sim.is_alive()


def num_rendered(ros_node: "Node") -> int:
    """How many images sensor_sim has published, as it says itself in the next second."""
    from diagnostic_msgs.msg import DiagnosticArray

    status = Listener(ros_node, DiagnosticArray, "/diagnostics")
    values = {value.key: value.value for value in status.wait()[0].status[0].values}
    status.close()
    return int(values["images"])


def test_parameters_say_what_they_are(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    from rcl_interfaces.srv import DescribeParameters

    client: Any = ros_node.create_client(DescribeParameters, "/sensor_sim/describe_parameters")
    assert client.wait_for_service(20.0)
    names = ["step_s", "jpeg_quality", "pose_source", "scene"]
    found = wait_for(client.call_async(DescribeParameters.Request(names=names))).descriptors
    step_s, jpeg_quality, pose_source, scene = found
    assert (step_s.floating_point_range[0].from_value, step_s.floating_point_range[0].to_value) == (0.0001, 1.0)
    assert (jpeg_quality.integer_range[0].from_value, jpeg_quality.integer_range[0].to_value) == (1, 100)
    assert pose_source.additional_constraints == "one of: 'odometry', 'pose', 'tf', 'log', 'command'"
    assert scene.description.startswith("Folder of the scene to load when the node starts")
    assert all(descriptor.description and descriptor.read_only for descriptor in found)
    assert sensor_sim.is_alive()


def test_without_simulation_interfaces_it_says_so_and_renders(
    folder: Path, ros_domain_id: int, ros_node: "Node", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ros_domain_id
    hidden = tmp_path / "simulation_interfaces"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('hidden for a test')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parameters = {"scene": folder / "scene", "pose_source": "log"}
    with NodeProcess("sensor_sim", folder / "hidden.log", parameters, "-r", "__ns:=/bare") as node:
        node.wait_for("simulation_interfaces 2.x is not installed (hidden for a test)")
        node.wait_for("seen by")
        Listener(ros_node, Image, "/bare/front/image_raw").wait(2)


def test_a_camera_keeps_its_rate_and_rests_where_nobody_listens(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    slow = Listener(ros_node, Image, "/slow/image_raw")
    driver = Driver(ros_node)
    connect(driver, slow)
    for number in range(40):
        driver.say(NOW_NS + 10**9 + number * 20_000_000, 0.0)
        time.sleep(0.02)
    stamps = [time_ns(message.header.stamp) for message in slow.wait(3)]
    steps_ms = np.diff(stamps) / 1e6
    assert steps_ms.min() >= 160
    before, seen = num_rendered(ros_node), len(slow.messages)
    for _ in range(40):
        driver.say(next(WARM_UP_STAMPS_NS), 0.0)
        time.sleep(0.02)
    wait_until(lambda: num_rendered(ros_node) - before == len(slow.messages) - seen > 0, "images of one camera only")
    slow.close()
    assert sensor_sim.is_alive()


@pytest.mark.parametrize("best_effort", [False, True])
def test_publishers_come_and_go_whatever_they_offer(
    sensor_sim: NodeProcess, ros_node: "Node", *, best_effort: bool
) -> None:
    images = Listener(ros_node, Image, "/front/image_raw")
    policy = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
    driver = Driver(ros_node, qos=QoSProfile(depth=10, reliability=policy))

    connect(driver, images)
    driver.close()
    images.close()
    assert sensor_sim.is_alive()


def test_a_clock_that_goes_back_does_not_end_the_images(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    images = Listener(ros_node, Image, "/front/image_raw")
    driver = Driver(ros_node)
    connect(driver, images)
    for count, stamp_ns in enumerate((NOW_NS + 10**11, NOW_NS, NOW_NS + 50_000_000, START_NS), start=1):
        driver.say(stamp_ns, 0.0)
        assert time_ns(images.wait(count)[-1].header.stamp) == stamp_ns
    images.close()
    assert sensor_sim.is_alive()


SUBSCRIBER = """
import rclpy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("victim")
node.create_subscription(Image, "/front/image_raw", lambda _: print("seen", flush=True), 10)
rclpy.spin(node)
"""


def test_calibration_comes_without_anybody_looking_at_images(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    infos = Listener(ros_node, CameraInfo, "/front/camera_info")
    connect(Driver(ros_node), infos)
    infos.close()
    assert sensor_sim.is_alive()


def test_poses_that_cannot_be_used_are_said_and_harm_nobody(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    images = Listener(ros_node, Image, "/front/image_raw")
    driver = Driver(ros_node)
    connect(driver, images)
    for number in range(5):
        driver.say(next(WARM_UP_STAMPS_NS), 1e7 + number)
        driver.say(next(WARM_UP_STAMPS_NS), 0.0, "imu_link")
        time.sleep(0.05)
    wait_until(lambda: "more than 100 km from the scene's origin" in sensor_sim.text(), "the sentence on distance")
    wait_until(lambda: "poses of 'imu_link' in 'map', which tf does not connect" in sensor_sim.text(), "that on frames")
    assert "Traceback" not in sensor_sim.text()
    images.messages.clear()
    connect(driver, images)
    images.close()


def test_a_logged_drive_drives_whatever_time_it_is(folder: Path, ros_domain_id: int, ros_node: "Node") -> None:
    assert ros_domain_id
    parameters = {"scene": folder / "scene", "pose_source": "log"}
    with NodeProcess("sensor_sim", folder / "log.log", parameters, "-r", "__ns:=/logged") as node:
        node.wait_for("seen by")
        odometry = Listener(ros_node, Odometry, "/logged/ego/odometry")
        wait_until(lambda: len({round(m.pose.pose.position.x, 4) for m in odometry.messages}) > 4, "the vehicle moves")
        assert "it starts with this one (scene_time: elapsed)" in node.text()


def test_a_subscriber_that_dies_takes_nothing_with_it(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    images = Listener(ros_node, Image, "/front/image_raw")
    driver = Driver(ros_node)
    connect(driver, images)
    with subprocess.Popen([sys.executable, "-c", SUBSCRIBER], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        seen = threading.Thread(target=victim.stdout.readline)
        seen.start()

        def is_seen_by_victim() -> bool:
            driver.say(next(WARM_UP_STAMPS_NS), 0.0)
            time.sleep(0.05)
            return not seen.is_alive()

        wait_until(is_seen_by_victim, "an image in the other process", 30.0)
        victim.kill()
    images.messages.clear()
    for number in range(40):
        driver.say(next(WARM_UP_STAMPS_NS), 0.0)
        time.sleep(0.05)
        assert sensor_sim.is_alive(), number
    assert len(images.wait(30)) >= 30
    images.close()


def test_a_commanded_actor_is_seen_where_it_was_sent(sensor_sim: NodeProcess, scene: Scene, ros_node: "Node") -> None:
    images = Listener(ros_node, Image, "/front/image_raw")
    driver, actors = Driver(ros_node), Driver(ros_node, "/actor_odometry")
    connect(driver, images)
    actors.say(NOW_NS, 5.0, "car-1")
    time.sleep(0.3)
    driver.say(NOW_NS, 0.0)
    (image,) = images.wait()
    logged = truth(scene, optical_from(), NOW_NS)
    assert difference(image, logged) > 50
    red = decode_image(image)[CAMERA.height_px // 2, CAMERA.width_px // 2].tolist()
    assert red[0] > 150
    assert max(red[1:]) < 90
    actors.say(NOW_NS, 1.0, "no such actor")
    actors.say(NOW_NS, math.nan, "car-1")
    images.close()
    wait_until(lambda: "there is no entity 'no such actor'" in sensor_sim.text(), "the refusal in the log", 10.0)


def test_late_listeners_get_scene_sensors_and_path(sensor_sim: NodeProcess, ros_node: "Node") -> None:
    from nav_msgs.msg import Path as PathMessage
    from sensor_msgs.msg import PointCloud2

    from gs_sim_msgs.msg import SceneInfo, VirtualSensor

    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    (info,) = Listener(ros_node, SceneInfo, "/sensor_sim/scene_info", latched).wait()
    assert list(info.actor_ids) == ["car-1"]
    sensors = Listener(ros_node, VirtualSensor, "/sensor_sim/sensors", latched).wait(2)
    assert {sensor.name: sensor.rate_hz for sensor in sensors} == {"front": 100.0, "slow": 5.0}
    (path,) = Listener(ros_node, PathMessage, "/sensor_sim/path", latched).wait()
    assert [round(p.pose.position.x, 6) for p in path.poses] == [round(0.1 * i, 6) for i in range(8)]
    (cloud,) = Listener(ros_node, PointCloud2, "/sensor_sim/centres", latched).wait()
    assert cloud.width > 1000
    assert sensor_sim.is_alive()


def view_request(change: Callable[[Any], None] = lambda _: None) -> Any:
    from gs_sim_msgs.srv import RenderView

    header = header_message("map", NOW_NS)
    request = RenderView.Request(
        pose=PoseStamped(header=header, pose=pose_message(pose(0.5, 0.2, 0.1) @ optical_from())),
        camera_info=camera_info_message(header, Camera(64, 48, 60.0, 60.0, 31.0, 25.0)),
        with_depth=True,
    )
    change(request)
    return request


def ask(ros_node: "Node", request: Any) -> Any:
    from gs_sim_msgs.srv import RenderView

    client: Any = ros_node.create_client(RenderView, "/sensor_sim/render_view")
    assert client.wait_for_service(20.0)
    answer = wait_for(client.call_async(request))
    ros_node.destroy_client(client)
    return answer


@pytest.mark.parametrize("lens", ["none", "equidistant"])
def test_any_camera_sees_from_any_pose(sensor_sim: NodeProcess, folder: Path, ros_node: "Node", lens: str) -> None:
    coefficients = (0.1, -0.02, 0.0, 0.0) if lens == "equidistant" else ()
    camera = Camera(64, 48, 60.0, 60.0, 31.0, 25.0, lens, coefficients)  # type: ignore[arg-type]  # names of lenses

    def with_lens(request: Any) -> None:
        request.camera_info = camera_info_message(request.pose.header, camera)
        # actors of other tests may have been commanded: look before the car was there
        request.pose.header.stamp.sec -= 1000
        request.pose.pose = pose_message(pose(0.5, 6.0, 0.1) @ optical_from())

    answer = ask(ros_node, view_request(with_lens))
    assert answer.success, answer.message
    expected = truth(load_scene(folder / "scene"), pose(0.5, 6.0, 0.1) @ optical_from(), NOW_NS - 1000 * 10**9, camera)
    assert difference(answer.image, expected) <= 1
    assert (answer.camera_info.width, answer.depth.encoding) == (64, "32FC1")
    assert sensor_sim.is_alive()


def set_nan(request: Any) -> None:
    request.pose.pose.position.x = math.nan


def set_no_rotation(request: Any) -> None:
    request.pose.pose.orientation.w = request.pose.pose.orientation.x = 0.0
    request.pose.pose.orientation.y = request.pose.pose.orientation.z = 0.0


def set_no_size(request: Any) -> None:
    request.camera_info.width = 0


def set_huge(request: Any) -> None:
    request.camera_info.width = 1_000_000


def set_frame(request: Any) -> None:
    request.pose.header.frame_id = "nowhere"


def set_lens(request: Any) -> None:
    request.camera_info.distortion_model, request.camera_info.d = "thin_prism", [0.1]


def set_nan_focal(request: Any) -> None:
    request.camera_info.k[2] = math.nan


def set_far(request: Any) -> None:
    request.pose.pose.position.x = 1e30


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_nan, "a pose is not finite"),
        (set_no_rotation, "which is no rotation"),
        (set_no_size, "the camera info is not calibrated (0x48 px"),
        (set_huge, "an image of 1000000x48 px was asked for; at most max_image_mpx (10 megapixels)"),
        (set_frame, "frames 'map' and 'nowhere' are not connected"),
        (set_lens, "lens model 'thin_prism' is not known"),
        (set_nan_focal, "the camera info is not finite"),
        (set_far, "more than 100 km from the scene's origin"),
    ],
)
def test_a_view_that_cannot_be_rendered_is_refused_in_words(
    sensor_sim: NodeProcess, ros_node: "Node", change: Callable[[Any], None], sentence: str
) -> None:
    answer = ask(ros_node, view_request(change))
    assert not answer.success
    assert sentence in answer.message
    assert ask(ros_node, view_request()).success
    assert sensor_sim.is_alive()


@pytest.mark.parametrize("source", ["pose", "tf"])
def test_poses_come_from_other_topics_too(folder: Path, scene: Scene, ros_node: "Node", source: str) -> None:
    tf2_msgs = pytest.importorskip("tf2_msgs.msg")
    from gs_sim.nodes.ros.conversions import transform_message

    parameters = {"scene": folder / "scene", "rig": folder / "rig.yaml", "pose_source": source, "base_frame": "body"}
    remaps = ["-r", "__ns:=/other"]
    with NodeProcess("sensor_sim", folder / f"{source}.log", parameters, *remaps) as node:
        node.wait_for("seen by")
        images = Listener(ros_node, Image, "/other/front/image_raw")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        static = ros_node.create_publisher(tf2_msgs.TFMessage, "/tf_static", latched)
        static.publish(tf2_msgs.TFMessage(transforms=[transform_message("map", "site", 0, pose(0.1, 0.0, 0.0))]))
        moving = ros_node.create_publisher(tf2_msgs.TFMessage, "/tf", 10)
        poses = ros_node.create_publisher(PoseStamped, "/other/pose", 10)

        def is_seen() -> bool:
            if source == "tf":
                transform = transform_message("site", "body", NOW_NS, pose(0.3, 0.0, 0.0))
                moving.publish(tf2_msgs.TFMessage(transforms=[transform]))
            else:
                header = header_message("site", NOW_NS)
                poses.publish(PoseStamped(header=header, pose=pose_message(pose(0.3, 0.0, 0.0))))
            time.sleep(0.1)
            return bool(images.messages)

        wait_until(is_seen, "an image", 20.0)
        expected = truth(scene, pose(0.4, 0.0, 0.0) @ optical_from(), NOW_NS)
        assert difference(images.messages[-1], expected) <= 1
        assert images.messages[-1].header.frame_id == "other/front_optical_frame"


@pytest.mark.parametrize("delay_s", [0.0, 0.1])
def test_it_leaves_cleanly_while_it_starts(folder: Path, ros_domain_id: int, delay_s: float) -> None:
    assert ros_domain_id
    parameters = {"scene": folder / "scene", "publish_clock": True, "pose_source": "log", "is_playing": True}
    with NodeProcess("sensor_sim", folder / f"early_{delay_s}.log", parameters) as node:
        node.wait_for("seen by")
        time.sleep(delay_s)
        assert node.interrupt(signal.SIGINT) == 0, node.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("publish_clock", [False, True])
def test_it_leaves_cleanly(folder: Path, ros_domain_id: int, number: signal.Signals, *, publish_clock: bool) -> None:
    assert ros_domain_id
    parameters = {"scene": folder / "scene", "publish_clock": publish_clock, "pose_source": "log", "is_playing": True}
    log = folder / f"leave_{number.name}_{publish_clock}.log"
    with NodeProcess("sensor_sim", log, parameters) as node:
        node.wait_for("seen by")
        time.sleep(0.5)
        assert node.interrupt(number) == 0, node.text()
        assert "Traceback" not in node.text()


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"scene": "/nowhere"}, "/nowhere is no scene: it has no scene.json"),
        ({"step_s": 5.0}, "parameter 'step_s' must be double between 0.0001 and 1.0"),
        ({"jpeg_quality": "high"}, "parameter 'jpeg_quality' must be integer between 1 and 100"),
        ({"pose_source": "gps"}, "pose_source must be one of odometry, pose, tf, log, command; got str 'gps'"),
    ],
)
def test_what_is_wrong_at_the_start_is_one_sentence_and_code_2(
    folder: Path, ros_domain_id: int, parameters: dict[str, object], sentence: str
) -> None:
    assert ros_domain_id
    with NodeProcess("sensor_sim", folder / "wrong.log", parameters) as node:
        assert node.process.wait(60) == 2
        assert sentence in node.text()
        assert "Traceback" not in node.text()
