"""Recording to Scene: initialise from LiDAR and stereo, then optimise.

Imports `errors`, `config`, `geometry`, `sensing`, `scene` and `rendering`; never `sources`.
Read `reconstruct.py` first: it is the table of contents.
"""
