"""Core types to ROS messages; the way back, which serves bags too, is `sources/messages/`.

Quaternions become xyzw here. Buffers are `array.array`, which rclpy takes as they are: filling an image
from a numpy array would take a thousand times longer.
"""

import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Transform, TransformStamped, Vector3
from jaxtyping import Float32, Float64, Shaped, UInt8
from nav_msgs.msg import Path
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.bag_messages import camera_info_fields, compressed_format, encode_image


def buffer(values: Shaped[np.ndarray, "..."]) -> Any:  # array[int], which Python 3.10 cannot say
    """The bytes of an array as rclpy wants them: an `array.array`."""
    filled = array("B")
    filled.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return filled


def time_message(stamp_ns: int) -> Time:
    """A stamp in nanoseconds as `builtin_interfaces/Time`."""
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def time_ns(message: Time) -> int:
    """A `builtin_interfaces/Time` in nanoseconds."""
    return int(message.sec) * 10**9 + int(message.nanosec)


def header_message(frame_id: str, stamp_ns: int) -> Header:
    """A `std_msgs/Header`."""
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def image_message(header: Header, rgb: UInt8[np.ndarray, "h w 3"]) -> Image:
    """A `sensor_msgs/Image` with encoding rgb8."""
    height, width = rgb.shape[:2]
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=buffer(rgb))


def depth_message(header: Header, depth_m: Float32[np.ndarray, "h w"]) -> Image:
    """A `sensor_msgs/Image` with encoding 32FC1: metres along z, 0 where nothing is (REP 118 has no better word)."""
    height, width = depth_m.shape
    data = buffer(depth_m.astype("<f4", copy=False))
    return Image(header=header, height=height, width=width, encoding="32FC1", step=4 * width, data=data)


def compressed_message(header: Header, rgb: UInt8[np.ndarray, "h w 3"], jpeg_quality: int) -> CompressedImage:
    """A JPEG as `sensor_msgs/CompressedImage`, named as image_transport names it."""
    data = buffer(encode_image(rgb, "jpeg", jpeg_quality))
    return CompressedImage(header=header, format=compressed_format("jpeg"), data=data)


def camera_info_message(header: Header, camera: Camera) -> CameraInfo:
    """A `sensor_msgs/CameraInfo`; pixel centres move to integers here."""
    return CameraInfo(header=header, **camera_info_fields(camera))


def point_message(xyz: Sequence[float]) -> Point:
    """A `geometry_msgs/Point`."""
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def vector_message(xyz: Sequence[float]) -> Vector3:
    """A `geometry_msgs/Vector3`."""
    return Vector3(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def quaternion_message(pose: Float64[Tensor, "4 4"]) -> Quaternion:
    """The rotation of a pose, xyzw with w >= 0.

    In plain numbers, which for one rotation is twenty times faster than torch (Shepperd 1978: the largest
    component is found first, the others from it).
    """
    (a, b, c), (d, e, f), (g, h, i) = pose[:3, :3].tolist()
    squares = (a + e + i, a - e - i, e - a - i, i - a - e)  # 4 q^2 - 1, for w, x, y, z
    largest = squares.index(max(squares))
    twice = math.sqrt(max(squares[largest] + 1.0, 1e-12))
    rows = (
        (twice * twice, h - f, c - g, d - b),
        (h - f, twice * twice, d + b, c + g),
        (c - g, d + b, twice * twice, h + f),
        (d - b, c + g, h + f, twice * twice),
    )
    sign = -1.0 if rows[largest][0] < 0 else 1.0
    w, x, y, z = (sign * value / (2 * twice) for value in rows[largest])
    return Quaternion(x=x, y=y, z=z, w=w)


def pose_message(pose: Float64[Tensor, "4 4"]) -> Pose:
    """A `geometry_msgs/Pose`."""
    return Pose(position=point_message(pose[:3, 3].tolist()), orientation=quaternion_message(pose))


def transform_message(
    parent: str, child: str, stamp_ns: int, parent_from_child: Float64[Tensor, "4 4"]
) -> TransformStamped:
    """A `geometry_msgs/TransformStamped`."""
    translation = vector_message(parent_from_child[:3, 3].tolist())
    transform = Transform(translation=translation, rotation=quaternion_message(parent_from_child))
    return TransformStamped(header=header_message(parent, stamp_ns), child_frame_id=child, transform=transform)


def path_message(frame_id: str, frame_from_child: Trajectory) -> Path:
    """A `nav_msgs/Path` through every pose of a trajectory."""
    stamps_ns = frame_from_child.stamps_ns.tolist()
    poses = [
        PoseStamped(header=header_message(frame_id, stamp_ns), pose=pose_message(pose))
        for stamp_ns, pose in zip(stamps_ns, frame_from_child.poses, strict=True)
    ]
    return Path(header=header_message(frame_id, frame_from_child.start_ns), poses=poses)


def cloud_message(header: Header, points: Float32[np.ndarray, "n 3"], rgb: UInt8[np.ndarray, "n 3"]) -> PointCloud2:
    """A `sensor_msgs/PointCloud2` of x, y, z and packed rgb, as RViz shows it."""
    packed = np.zeros((len(points), 4), dtype="<f4")
    packed[:, :3] = points
    packed.view(np.uint8).reshape(-1, 16)[:, 12:15] = rgb[:, ::-1]  # little endian: b, g, r, unused
    fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate(("x", "y", "z", "rgb"))
    ]
    return PointCloud2(
        header=header,
        height=1,
        width=len(packed),
        fields=fields,
        point_step=16,
        row_step=16 * len(packed),
        data=buffer(packed),
        is_dense=True,
    )
