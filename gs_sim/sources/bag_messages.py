"""Core types to ROS messages, as rosbags holds them; `messages/` is the way back.

Quaternions become xyzw and pixel centres move to integers here, and only here.
"""

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import quaternion_from_rotation
from gs_sim.sensing.sweep import Sweep
from gs_sim.sources.detection import Detection
from gs_sim.sources.message_types import ros2_types

ImageEncoding = Literal["rgb8", "jpeg", "png"]

JPEG_QUALITY = 95
"""High enough that compression costs a reconstruction nothing visible."""

POINT_FIELD_FLOAT32 = 7
"""`sensor_msgs/PointField.FLOAT32`."""


def message(type_name: str, **fields: Any) -> Any:
    """Build one message of the ROS 2 type store, for example `message("std_msgs/msg/Header", ...)`."""
    return ros2_types().types[type_name](**fields)


def header(frame_id: str, stamp_ns: int) -> Any:
    """A `std_msgs/Header`."""
    time = message("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return message("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def image(frame_id: str, stamp_ns: int, rgb: UInt8[Tensor, "h w 3"]) -> Any:
    """A `sensor_msgs/Image` with encoding rgb8."""
    height, width = rgb.shape[:2]
    return message(
        "sensor_msgs/msg/Image",
        header=header(frame_id, stamp_ns),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(rgb.cpu().numpy()).reshape(-1),
    )


def compressed_image(frame_id: str, stamp_ns: int, rgb: UInt8[Tensor, "h w 3"], encoding: ImageEncoding) -> Any:
    """A `sensor_msgs/CompressedImage`, JPEG or PNG, named as image_transport names it."""
    return message(
        "sensor_msgs/msg/CompressedImage",
        header=header(frame_id, stamp_ns),
        format=compressed_format(encoding),
        data=encode_image(np.ascontiguousarray(rgb.cpu().numpy()), encoding),
    )


def compressed_format(encoding: ImageEncoding) -> str:
    """What image_transport writes into `CompressedImage.format` for colour images."""
    return f"rgb8; {encoding} compressed bgr8"


def encode_image(
    rgb: UInt8[np.ndarray, "h w 3"], encoding: ImageEncoding, jpeg_quality: int = JPEG_QUALITY
) -> UInt8[np.ndarray, "n"]:
    """Compress an image as JPEG or PNG.

    Raises:
        InputError: it has a size that the format cannot have.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if encoding == "jpeg" else []
    is_encoded, data = cv2.imencode(f".{encoding}", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not is_encoded:
        raise InputError(f"an image of {rgb.shape[1]}x{rgb.shape[0]} px cannot be encoded as {encoding}")
    encoded: UInt8[np.ndarray, "n"] = data.reshape(-1)
    return encoded


def camera_info(frame_id: str, stamp_ns: int, camera: Camera) -> Any:
    """A `sensor_msgs/CameraInfo`; see `camera_info_fields`."""
    region = message("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return message(
        "sensor_msgs/msg/CameraInfo",
        header=header(frame_id, stamp_ns),
        binning_x=0,
        binning_y=0,
        roi=region,
        **camera_info_fields(camera),
    )


def camera_info_fields(camera: Camera) -> dict[str, Any]:
    """What a `sensor_msgs/CameraInfo` says of a camera, by field.

    A camera without a lens is a plumb_bob with five zeros, as drivers write it.
    """
    cx, cy = camera.cx - 0.5, camera.cy - 0.5
    intrinsic = [camera.fx, 0.0, cx, 0.0, camera.fy, cy, 0.0, 0.0, 1.0]
    projection = [camera.fx, 0.0, cx, 0.0, 0.0, camera.fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    has_lens = camera.lens != "none"
    return {
        "height": camera.height_px,
        "width": camera.width_px,
        "distortion_model": camera.lens if has_lens else "plumb_bob",
        "d": np.array(camera.coefficients if has_lens else [0.0] * 5, dtype=np.float64),
        "k": np.array(intrinsic, dtype=np.float64),
        "r": np.eye(3).reshape(-1),
        "p": np.array(projection, dtype=np.float64),
    }


def point_cloud(frame_id: str, sweep: Sweep) -> Any:
    """A `sensor_msgs/PointCloud2` with x, y, z, intensity and, where points have times of their own, `time`.

    `time` is in seconds after the header's stamp as float32: within a sweep that is exact to a few nanoseconds.
    """
    names = ["x", "y", "z", "intensity"]
    columns = [*sweep.points_lidar.cpu().numpy().T, sweep.intensities.cpu().numpy()]
    offsets_ns = sweep.point_stamps_ns.cpu().numpy() - sweep.stamp_ns
    if offsets_ns.any():
        names.append("time")
        columns.append(offsets_ns * 1e-9)
    packed = np.stack(columns, axis=1).astype("<f4")
    return message(
        "sensor_msgs/msg/PointCloud2",
        header=header(frame_id, sweep.stamp_ns),
        height=1,
        width=len(packed),
        fields=[
            message("sensor_msgs/msg/PointField", name=name, offset=4 * i, datatype=POINT_FIELD_FLOAT32, count=1)
            for i, name in enumerate(names)
        ],
        is_bigendian=False,
        point_step=4 * len(names),
        row_step=4 * len(names) * len(packed),
        data=packed.reshape(-1).view(np.uint8),
        is_dense=True,
    )


def point(xyz: Sequence[float]) -> Any:
    """A `geometry_msgs/Point`, metres."""
    return message("geometry_msgs/msg/Point", x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def vector(xyz: Sequence[float]) -> Any:
    """A `geometry_msgs/Vector3`."""
    return message("geometry_msgs/msg/Vector3", x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def quaternion(pose: Float64[Tensor, "4 4"]) -> Any:
    """The rotation of a pose as `geometry_msgs/Quaternion` (xyzw)."""
    w, x, y, z = quaternion_from_rotation(pose[:3, :3]).tolist()
    return message("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


def pose_message(pose: Float64[Tensor, "4 4"]) -> Any:
    """A `geometry_msgs/Pose`."""
    return message("geometry_msgs/msg/Pose", position=point(pose[:3, 3].tolist()), orientation=quaternion(pose))


def pose_with_covariance(pose: Float64[Tensor, "4 4"]) -> Any:
    """A `geometry_msgs/PoseWithCovariance` whose covariance is unknown (zeros)."""
    return message("geometry_msgs/msg/PoseWithCovariance", pose=pose_message(pose), covariance=np.zeros(36))


def transform(parent: str, child: str, stamp_ns: int, parent_from_child: Float64[Tensor, "4 4"]) -> Any:
    """A `geometry_msgs/TransformStamped`."""
    return message(
        "geometry_msgs/msg/TransformStamped",
        header=header(parent, stamp_ns),
        child_frame_id=child,
        transform=message(
            "geometry_msgs/msg/Transform",
            translation=vector(parent_from_child[:3, 3].tolist()),
            rotation=quaternion(parent_from_child),
        ),
    )


def odometry(header_message: Any, child_frame_id: str, frame_from_child: Float64[Tensor, "4 4"]) -> Any:
    """A `nav_msgs/Odometry` without velocity."""
    still = message("geometry_msgs/msg/Twist", linear=vector((0.0, 0.0, 0.0)), angular=vector((0.0, 0.0, 0.0)))
    return message(
        "nav_msgs/msg/Odometry",
        header=header_message,
        child_frame_id=child_frame_id,
        pose=pose_with_covariance(frame_from_child),
        twist=message("geometry_msgs/msg/TwistWithCovariance", twist=still, covariance=np.zeros(36)),
    )


def detections(header_message: Any, boxes: Sequence[Detection]) -> Any:
    """A `vision_msgs/Detection3DArray`: track in `id`, class in the first result."""
    return message(
        "vision_msgs/msg/Detection3DArray",
        header=header_message,
        detections=[
            message(
                "vision_msgs/msg/Detection3D",
                header=header_message,
                results=[
                    message(
                        "vision_msgs/msg/ObjectHypothesisWithPose",
                        hypothesis=message("vision_msgs/msg/ObjectHypothesis", class_id=box.label, score=1.0),
                        pose=pose_with_covariance(box.frame_from_box),
                    )
                ],
                bbox=message(
                    "vision_msgs/msg/BoundingBox3D",
                    center=pose_message(box.frame_from_box),
                    size=vector(box.size_m),
                ),
                id=box.actor_id,
            )
            for box in boxes
        ],
    )
