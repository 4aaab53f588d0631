"""Rendered colours as the bytes that cameras give."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def to_rgb8(colour: Float[Tensor, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Round colours of [0, 1] to 8 bit; what lies outside is clamped."""
    rounded: UInt8[np.ndarray, "h w 3"] = (colour.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return rounded
