"""Which frames are kept for judging: the held-out protocol and the ground-truth cameras.

Written once, so that what reconstruction leaves out is exactly what evaluation looks at.
"""

GROUND_TRUTH_PREFIX = "off_"
"""Cameras whose names start so are kept for evaluation and used only when named."""


def is_held_out(index: int, holdout: int) -> bool:
    """Whether a frame is kept out of reconstruction: index % K == K // 2; K = 0 keeps none out."""
    return holdout > 0 and index % holdout == holdout // 2


def is_ground_truth_camera(camera_name: str) -> bool:
    """Whether a camera exists for evaluation only, as the displaced cameras of the synthetic street do."""
    return camera_name.startswith(GROUND_TRUTH_PREFIX)
