"""How good a scene is: metrics against held-out frames, and reports with pictures."""
