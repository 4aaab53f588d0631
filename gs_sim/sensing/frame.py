"""One camera image with its time."""

from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor


@dataclass(frozen=True)
class Frame:
    """A rectified colour image of one camera of the rig."""

    camera_name: str
    index: int
    """Position in the recording's sequence of this camera; `--holdout` counts with it."""
    stamp_ns: int
    rgb: UInt8[Tensor, "h w 3"]
