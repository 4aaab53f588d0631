"""The ROS message types that bags are written with, and read with where a bag brings no definitions.

`vision_msgs` is not among the types that rosbags ships; its public interface is stated here.
"""

from functools import lru_cache

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

VISION_MSGS_4 = {
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score\n",
    "vision_msgs/msg/ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n"
    ),
    "vision_msgs/msg/BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size\n",
    "vision_msgs/msg/Detection3D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox3D bbox\nstring id\n"
    ),
    "vision_msgs/msg/Detection3DArray": "std_msgs/Header header\nvision_msgs/Detection3D[] detections\n",
}
"""Release 4 (ROS 2 Humble and later), field for field."""


@lru_cache(maxsize=1)
def ros2_types() -> Typestore:
    """The common ROS 2 types and `vision_msgs` 4; shared, so do not register anything in it."""
    store = get_typestore(Stores.ROS2_KILTED)
    for name, definition in VISION_MSGS_4.items():
        store.register(get_types_from_msg(definition, name))
    return store


@lru_cache(maxsize=1)
def ros1_types() -> Typestore:
    """The types of ROS 1 Noetic; bags of ROS 1 always bring their own, this is for writing tests."""
    return get_typestore(Stores.ROS1_NOETIC)
