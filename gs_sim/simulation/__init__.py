"""A scene in motion: the vehicle, the actors, virtual cameras and time.

Knows nothing of ROS, reads no clock and starts no thread: `nodes` does. Imports the core only.
Read `simulator.py` first.
"""
