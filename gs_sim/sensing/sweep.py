"""One LiDAR revolution."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor


@dataclass(frozen=True)
class Sweep:
    """Finite points of one sweep; points that were NaN, infinite or at the origin are gone."""

    lidar_name: str
    index: int
    stamp_ns: int
    points_lidar: Float32[Tensor, "n 3"]
    """Metres, in the frame of the LiDAR at each point's own time."""
    point_stamps_ns: Int64[Tensor, "n"]
    """When each point was measured; all equal to `stamp_ns` where the sensor does not tell."""
    intensities: Float32[Tensor, "n"]
    """As the sensor gives them; zeros where it does not."""
