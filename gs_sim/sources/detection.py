"""One detected box at one moment: what a `Detection3DArray` holds and a track is made of."""

from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor


@dataclass(frozen=True)
class Detection:
    """A box in the frame of its message (`frame`)."""

    actor_id: str
    """Equal in all detections of one object; empty where the detector does not track."""
    label: str
    """Class name as the detector gives it, lower case."""
    size_m: tuple[float, float, float]
    """Length (x), width (y), height (z)."""
    frame_from_box: Float64[Tensor, "4 4"]
    """The box frame has its origin in the box centre, x forward, y left, z up."""
