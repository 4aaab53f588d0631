"""Where things are: poses, trajectories, cameras and the rig that carries them.

Imports nothing of gs_sim but `errors`. Read `pose.py` first.
"""
