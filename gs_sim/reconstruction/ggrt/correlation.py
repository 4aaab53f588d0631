"""How alike every pixel of one view is to every pixel of another, and what that says around a guess (RAFT, Teed and Deng 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor

LEVELS = 3
"""Of the pyramid; each halves the other view."""
RADIUS = 3
"""Pixels of a level that are looked at around a guess, to each side."""
NUM_LOOKED_AT = LEVELS * (2 * RADIUS + 1) ** 2
"""Channels of `look`."""


def correlate(first: Float[Tensor, "e c h w"], other: Float[Tensor, "e c h w"]) -> list[Float[Tensor, "n 1 _ _"]]:
    """Similarity of each pixel of the first view (n = e h w of them) to all of the other one, at every level."""
    links, channels, height, width = first.shape
    volume = torch.einsum("ecp,ecq->epq", first.flatten(2), other.flatten(2)) / channels**0.5
    levels = [volume.reshape(links * height * width, 1, height, width)]
    for _ in range(LEVELS - 1):
        _, _, rows, columns = levels[-1].shape
        if min(rows, columns) < 2:  # nothing left to halve
            levels.append(levels[-1])
        else:
            levels.append(torch.nn.functional.avg_pool2d(levels[-1], 2))
    return levels


def look(levels: list[Float[Tensor, "n 1 _ _"]], place: Float[Tensor, "e h w 2"]) -> Float[Tensor, "e k h w"]:
    """Similarities around a place in the other view, in pixels of the finest level; zero beyond its borders."""
    links, height, width, _ = place.shape
    reach = torch.arange(-RADIUS, RADIUS + 1).to(place)
    around = torch.stack(torch.meshgrid(reach, reach, indexing="xy"), dim=-1)[None]
    seen = []
    for similarity in levels:
        scale = similarity.new_tensor([width / similarity.shape[3], height / similarity.shape[2]])
        centre = (place / scale).reshape(-1, 1, 1, 2)
        size = similarity.new_tensor([similarity.shape[3], similarity.shape[2]])
        sampled = torch.nn.functional.grid_sample(similarity, 2 * (centre + around) / size - 1, align_corners=False)
        seen.append(sampled.reshape(links, height, width, -1))
    return torch.cat(seen, dim=-1).permute(0, 3, 1, 2)
