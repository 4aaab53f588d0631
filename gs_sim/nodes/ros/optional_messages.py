"""Messages that every ROS installation has and PyPI has not; None where they are missing."""

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

__all__ = ["TFMessage"]
