"""gs_sim as ROS 2 nodes: the outermost ring, and the only place that imports rclpy.

`reconstructor.py` and `sensor_sim.py` are the nodes: parameters, publishers, subscriptions, callbacks and `main`, and
no arithmetic. What each is made of is in `reconstructing/` and `simulating/`; what both need of ROS is in `ros/`. Read
`sensor_sim.py` first. Only what ROS 2 Humble has is used.
"""
