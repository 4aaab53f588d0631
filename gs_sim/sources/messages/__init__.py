"""ROS messages to core types, by reading fields.

Imports no ROS: the same functions serve messages of rclpy (whose buffers are `array.array`) and
of rosbags (numpy arrays). Pixel centres, quaternion order and point times become the core's own
here, and only here. Read `header.py`, then one file per kind of message.
"""
