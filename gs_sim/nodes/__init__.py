"""gs_sim as ROS 2 nodes: the outermost ring, and the only place that imports rclpy.

A node file (`reconstructor.py`, `sensor_sim.py`) holds parameters, publishers, subscriptions, callbacks
and `main`, and no arithmetic; what it calls is beside it or in the core. Read `sensor_sim.py` first.
Only what ROS 2 Humble has is used.
"""
