"""3D neural Gaussians: what the learned refinement moves (G3R, section 3.1).

A row has 14 explicit channels, which are a Gaussian before activation, and latent ones (32 in the paper). One linear layer
and a tanh turn them all into a correction of the explicit ones, so that after the last step plain Gaussians remain.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from gs_sim.reconstruction.trainable import Trainable

NUM_EXPLICIT = 14
OFFSET, SCALE, TURN, COLOUR, OPACITY = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 13), slice(13, 14)
"""Explicit channels: centre (from its anchor) and log scales, both in pixels of the nearest view, so that near and far rows
look alike to a network; quaternion wxyz, base colour (zeroth harmonic), opacity logit."""
GROUPS = (OFFSET, SCALE, TURN, COLOUR, OPACITY)
SIZES = [group.stop - group.start for group in GROUPS]
REACH = (1.0,) * 3 + (0.3,) * 3 + (0.1,) * 4 + (0.5,) * 3 + (1.0,)
"""The unit of each explicit channel: about as far as one step should ever move it."""


@dataclass(frozen=True)
class NeuralGaussians:
    """n rows and where they belong. Updates make new ones; nothing is changed in place."""

    explicit: Float32[Tensor, "n 14"]
    latent: Float32[Tensor, "n l"]
    layout: Trainable
    """Anchors, pixel sizes and owners of the rows; its leaves are not read."""

    def __len__(self) -> int:
        return len(self.explicit)


class Decoder(nn.Module):
    """All channels to 14: explicit + reach * tanh(linear). It starts as the identity on the explicit ones."""

    reach: Tensor

    def __init__(self, num_latent: int) -> None:
        super().__init__()
        self.linear = nn.Linear(NUM_EXPLICIT + num_latent, NUM_EXPLICIT)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("reach", torch.tensor(REACH), persistent=False)

    def forward(self, explicit: Float32[Tensor, "n 14"], latent: Float32[Tensor, "n l"]) -> Float32[Tensor, "n 14"]:
        """Decode the latent channels away."""
        return explicit + self.reach * torch.tanh(self.linear(torch.cat([explicit, latent], dim=1)))


def neural_gaussians(layout: Trainable, num_latent: int) -> NeuralGaussians:
    """Rows of a laid-out scene with zero latent channels: decoded, they are the scene itself."""
    explicit = torch.cat(
        [
            layout.offsets_px,
            layout.log_scales - layout.pixel_m.log()[:, None],
            torch.nn.functional.normalize(layout.quaternions, dim=-1),
            layout.sh_base[:, 0],
            layout.opacity_logits[:, None],
        ],
        dim=1,
    ).detach()
    return NeuralGaussians(explicit, explicit.new_zeros(len(explicit), num_latent), layout)


def plain_rows(explicit: Float32[Tensor, "n 14"], layout: Trainable) -> Trainable:
    """Decoded channels as the rows that rendering and export know; differentiable in `explicit`."""
    offsets_px, log_scales, quaternions, colours, opacities = explicit.split(SIZES, dim=1)  # backward is one copy
    return replace(
        layout,
        offsets_px=offsets_px,
        log_scales=log_scales + layout.pixel_m.log()[:, None],
        quaternions=quaternions,
        sh_base=colours[:, None],
        sh_rest=explicit.new_zeros(len(explicit), 0, 3),
        opacity_logits=opacities[:, 0],
    )
