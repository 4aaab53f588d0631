"""What the node `sensor_sim` is made of. Read `host.py` first: the simulator among callbacks."""
