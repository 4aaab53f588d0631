"""The topics of one virtual camera; what nobody listens to is neither rendered nor filled."""

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from gs_sim.nodes.ros.conversions import (
    camera_info_message,
    compressed_message,
    depth_message,
    header_message,
    image_message,
    pose_message,
)
from gs_sim.nodes.ros.interfaces import VirtualSensor
from gs_sim.nodes.ros.qos import stream
from gs_sim.nodes.simulating.settings import SensorSimSettings
from gs_sim.simulation.sense import SensorImage
from gs_sim.simulation.virtual_camera import VirtualCamera


class CameraTopics:
    """`<name>/image_raw`, `/image_raw/compressed`, `/camera_info`, and `/depth/...` for a camera with depth."""

    def __init__(self, node: Node, camera: VirtualCamera, settings: SensorSimSettings) -> None:
        self.camera, self._jpeg_quality, self._base = camera, settings.jpeg_quality, settings.base_frame
        # in a namespace of its own, a simulated camera is another frame than the real one of the same name
        self.frame = f"{node.get_namespace()}/{camera.name}_optical_frame".strip("/").replace("//", "/")
        self._node = node
        name = camera.name
        self._image = node.create_publisher(Image, f"{name}/image_raw", stream())
        self._compressed = node.create_publisher(CompressedImage, f"{name}/image_raw/compressed", stream())
        self._info = node.create_publisher(CameraInfo, f"{name}/camera_info", stream())
        self._depth = self._depth_info = None
        if camera.has_depth:
            self._depth = node.create_publisher(Image, f"{name}/depth/image_raw", stream())
            self._depth_info = node.create_publisher(CameraInfo, f"{name}/depth/camera_info", stream())

    @property
    def has_listener(self) -> bool:
        """Whether anybody wants an image of this camera."""
        wanted = (self._image, self._compressed, self._depth)
        return any(publisher is not None and publisher.get_subscription_count() > 0 for publisher in wanted)

    def publish(self, image: SensorImage, stamp_ns: int) -> None:
        """Publish what the camera saw, with its calibration of the same stamp and frame."""
        header = header_message(self.frame, stamp_ns)
        info = camera_info_message(header, self.camera.camera)
        if self._image.get_subscription_count():
            self._image.publish(image_message(header, image.rgb))
        if self._compressed.get_subscription_count():
            self._compressed.publish(compressed_message(header, image.rgb, self._jpeg_quality))
        self._info.publish(info)
        if self._depth is not None and self._depth_info is not None and self._depth.get_subscription_count():
            self._depth.publish(depth_message(header, image.depth_m))
            self._depth_info.publish(info)

    def publish_calibration(self, stamp_ns: int) -> None:
        """Publish the calibration alone, for who waits for it before it listens to images."""
        if self._info.get_subscription_count():
            self._info.publish(camera_info_message(header_message(self.frame, stamp_ns), self.camera.camera))

    def description(self) -> VirtualSensor:
        """The camera as a message."""
        return VirtualSensor(
            name=self.camera.name,
            parent_frame_id=self._base,
            mount=pose_message(self.camera.rig_from_camera),
            camera_info=camera_info_message(header_message(self.frame, 0), self.camera.camera),
            rate_hz=self.camera.rate_hz,
            has_depth=self.camera.has_depth,
        )

    def close(self) -> None:
        """Take the topics away, when another world brings other cameras."""
        for publisher in (self._image, self._compressed, self._info, self._depth, self._depth_info):
            if publisher is not None:
                self._node.destroy_publisher(publisher)
