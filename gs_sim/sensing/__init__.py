"""What the sensors saw: frames, sweeps, tracks, and the Recording that holds them.

Imports `errors` and `geometry`. Read `recording.py` first.
"""
