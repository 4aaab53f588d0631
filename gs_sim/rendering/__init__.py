"""Scene to image: one function, two rasterizers behind it (CUDA by gsplat, CPU by numba).

Imports `errors`, `geometry` and `scene`. Read `render.py` first.
"""
