"""A set of 3D Gaussians (Kerbl et al. 2023), stored before activation as optimisers and PLY files hold them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isqrt

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

SH_C0 = 0.28209479177387814
"""The zeroth spherical harmonic, 1 / (2 sqrt(pi)): rgb = 0.5 + SH_C0 * sh[:, 0]."""


@dataclass(frozen=True)
class Gaussians:
    """n Gaussians in one frame; all tensors share device and float32."""

    means: Float[Tensor, "n 3"]
    """Centres in metres."""
    log_scales: Float[Tensor, "n 3"]
    """Natural logarithm of the standard deviations along the Gaussian's own axes (metres)."""
    quaternions: Float[Tensor, "n 4"]
    """Orientation wxyz, normalised where it is used."""
    opacity_logits: Float[Tensor, "n"]
    """Opacity is their sigmoid."""
    sh: Float[Tensor, "n k 3"]
    """Spherical-harmonic coefficients of RGB in the 3DGS order; k = (degree + 1)^2 is 1, 4, 9 or 16."""

    def __len__(self) -> int:
        return len(self.means)

    @property
    def scales_m(self) -> Float[Tensor, "n 3"]:
        """Standard deviations in metres."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Float[Tensor, "n"]:
        """Opacities in (0, 1)."""
        return self.opacity_logits.sigmoid()

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 3."""
        return isqrt(self.sh.shape[1]) - 1

    def select(self, chosen: Bool[Tensor, "n"] | Int64[Tensor, "m"]) -> "Gaussians":
        """The Gaussians under a mask or at these indices."""
        return Gaussians(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def to(self, device: torch.device | str) -> "Gaussians":
        """The same Gaussians on another device."""
        return Gaussians(*(getattr(self, field.name).to(device) for field in fields(self)))


def empty_gaussians(num_coefficients: int = 1, device: torch.device | str = "cpu") -> Gaussians:
    """No Gaussians at all, with `num_coefficients` spherical harmonics per channel."""
    return Gaussians(
        means=torch.zeros(0, 3, device=device),
        log_scales=torch.zeros(0, 3, device=device),
        quaternions=torch.zeros(0, 4, device=device),
        opacity_logits=torch.zeros(0, device=device),
        sh=torch.zeros(0, num_coefficients, 3, device=device),
    )


def concatenate(parts: Sequence[Gaussians]) -> Gaussians:
    """Join sets of the same frame; lower spherical-harmonic degrees are padded with zeros."""
    if not parts:
        return empty_gaussians()
    k = max(part.sh.shape[1] for part in parts)
    padded = [torch.nn.functional.pad(part.sh, (0, 0, 0, k - part.sh.shape[1])) for part in parts]
    return Gaussians(
        means=torch.cat([part.means for part in parts]),
        log_scales=torch.cat([part.log_scales for part in parts]),
        quaternions=torch.cat([part.quaternions for part in parts]),
        opacity_logits=torch.cat([part.opacity_logits for part in parts]),
        sh=torch.cat(padded),
    )
