"""Recording to Scene: initialise from LiDAR, then optimise."""
