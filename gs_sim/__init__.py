"""gs_sim: a logged drive becomes a 3D Gaussian scene, and the scene becomes camera images."""

__version__ = "0.1.0"
