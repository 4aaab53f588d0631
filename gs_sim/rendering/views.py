"""What a rasterizer is given beside Gaussians, and what it gives back."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Views:
    """c pinhole views of equal size."""

    intrinsics: Float[Tensor, "c 3 3"]
    """Pixels; the first pixel's centre is (0.5, 0.5)."""
    camera_from_world: Float[Tensor, "c 4 4"]
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Rendering:
    """What c views show."""

    colour: Float[Tensor, "c h w 3"]
    """Linear blend of the Gaussians' RGB over black, usually within [0, 1]; not clamped."""
    depth_m: Float[Tensor, "c h w"]
    """Expected z in the camera frame: sum(w z) / sum(w); 0 where opacity is 0."""
    opacity: Float[Tensor, "c h w"]
    """1 - transmittance."""
    radii_px: Float[Tensor, "c n"]
    """Extent of each Gaussian on screen; 0 where it is not drawn."""
