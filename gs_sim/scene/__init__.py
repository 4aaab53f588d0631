"""What the world is: Gaussians, actors, the distant region, and the Scene of all three.

Imports `errors` and `geometry`. Read `scene.py` first.
"""
