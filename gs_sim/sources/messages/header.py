"""What every stamped message begins with: time and frame; and how its byte buffers are seen."""

from typing import Any

import numpy as np
from jaxtyping import UInt8


def stamp_ns(header: Any) -> int:
    """Nanoseconds of a `std_msgs/Header`, ROS 1 (`nsecs`) or 2."""
    stamp = header.stamp
    nanoseconds = stamp.nanosec if hasattr(stamp, "nanosec") else stamp.nsecs
    seconds = stamp.sec if hasattr(stamp, "sec") else stamp.secs
    return int(seconds) * 10**9 + int(nanoseconds)


def frame_id(header: Any) -> str:
    """The frame of a header; ROS 1 wrote some with a leading slash."""
    return str(header.frame_id).lstrip("/")


def buffer_of(data: Any) -> UInt8[np.ndarray, "n"]:
    """A view, without a copy, of the bytes in `bytes`, `array.array` or a numpy array."""
    return np.frombuffer(data, dtype=np.uint8)


def place(topic: str, stamp_nanoseconds: int) -> str:
    """How an error says which message it is about."""
    return f"on {topic} at {stamp_nanoseconds / 1e9:.3f} s"
