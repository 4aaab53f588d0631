"""G3R: learned gradient-guided refinement (Chen et al., ECCV 2024), written from the paper's description.

Under construction: what is here is complete and tested in itself, and nothing calls it yet. Imports the core only.
"""
