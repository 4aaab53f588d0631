"""G3R: learned gradient-guided refinement (Chen et al., ECCV 2024), written from the paper's description.

`refine.py` is the loop, `step.py` one step of it, which training takes too; ARCHITECTURE.md follows the data through them.
"""
