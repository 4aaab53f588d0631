"""GGRt: poses and a first scene from images alone (Li et al., ECCV 2024), written from the paper's description.

`bundle.py` finds poses and depths from correspondences; `ipo.py` finds the correspondences.
"""
