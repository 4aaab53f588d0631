"""IPO-Net: poses and depths of a few views, refined together by a recurrent network (GGRt, 3.2).

Each round looks at feature correlations around where pixels should lie by the present poses and depths; a recurrent network
says where they really are and how surely, and bundle adjustment turns that into better poses and depths. The paper's network
predicts changes of pose and depth directly; with the geometry solved for, few weights suffice and scale is a matter of anchors
(DROID-SLAM, Teed and Deng 2021).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from gs_sim.config import Range, check_ranges
from gs_sim.reconstruction.ggrt.bundle import Anchors, Block, Links, adjust, grid_of, project, rays_of
from gs_sim.reconstruction.ggrt.correlation import NUM_LOOKED_AT, correlate, look

STRIDE = 8
"""Pixels of an image along each side of a cell of the grid."""
TYPICAL_LOG_DEPTH = 2.5
"""Of a street: 12 m."""
FARTHEST_FLOW = 64.0
"""Cells; what lies further off says nothing new."""


@dataclass(frozen=True)
class IPOSettings:
    """Sizes of the network; weights fit only networks of the same sizes."""

    feature_width: Annotated[int, Range(8, 512)] = 64
    """Channels that are compared between views."""
    hidden_width: Annotated[int, Range(8, 512)] = 32
    """Channels of the recurrent state."""
    context_width: Annotated[int, Range(8, 512)] = 24
    """Channels that tell the recurrent network what each pixel looks like."""

    def __post_init__(self) -> None:
        check_ranges(self)


class Encoder(nn.Module):
    """An image to a grid of features, STRIDE pixels to a cell."""

    def __init__(self, width: int, *, is_normalised: bool) -> None:
        super().__init__()
        norm = nn.InstanceNorm2d if is_normalised else nn.Identity
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2),
            norm(24),
            nn.ReLU(),
            Residual(24, 32, 2, norm(32)),
            Residual(32, 48, 2, norm(48)),
            Residual(48, 48, 1, norm(48)),
            nn.Conv2d(48, width, 1),
        )

    def forward(self, images: Float[Tensor, "v 3 h w"]) -> Float[Tensor, "v c _ _"]:
        """Features; images in [0, 1]."""
        features: Tensor = self.layers(2 * images - 1)
        return features


class Residual(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, before: int, after: int, stride: int, norm: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1)
        self.norm = norm
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.short = nn.Conv2d(before, after, 1, stride=stride)

    def forward(self, x: Float[Tensor, "v c h w"]) -> Float[Tensor, "v d _ _"]:
        """Features of the next layer."""
        inner = self.second(torch.relu(self.norm(self.first(x))))
        return torch.relu(self.short(x) + inner)


class Recurrent(nn.Module):
    """Gated recurrent unit over the pixels of a link, and what it says of them."""

    def __init__(self, settings: IPOSettings) -> None:
        super().__init__()
        hidden, context = settings.hidden_width, settings.context_width
        self.of_correlation = nn.Sequential(nn.Conv2d(NUM_LOOKED_AT, 48, 1), nn.ReLU(), nn.Conv2d(48, 32, 3, padding=1))
        self.of_flow = nn.Sequential(nn.Conv2d(5, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
        told = 32 + 16 + context
        self.gates = nn.Conv2d(hidden + told, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(hidden + told, hidden, 3, padding=1)
        self.out = nn.Sequential(nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, 4, 3, padding=1))

    def forward(
        self,
        hidden: Float[Tensor, "e d h w"],
        context: Float[Tensor, "e c h w"],
        correlation: Float[Tensor, "e k h w"],
        flow: Float[Tensor, "e 5 h w"],
    ) -> tuple[Float[Tensor, "e d h w"], Float[Tensor, "e h w 2"], Float[Tensor, "e h w 2"]]:
        """The next state; by how much places are off, in cells; and the weight of that."""
        told = torch.cat([torch.relu(self.of_correlation(correlation)), torch.relu(self.of_flow(flow)), context], dim=1)
        reset, update = torch.sigmoid(self.gates(torch.cat([hidden, told], dim=1))).chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([reset * hidden, told], dim=1)))
        hidden = (1 - update) * hidden + update * candidate
        off, sure = self.out(hidden).permute(0, 2, 3, 1).split(2, dim=-1)
        return hidden, off, torch.sigmoid(sure)


@dataclass(frozen=True)
class Round:
    """What a round came to."""

    block: Block
    place: Float[Tensor, "e h w 2"]
    """Where the network found the pixels of each link."""
    weight: Float[Tensor, "e h w 2"]


class IPONet(nn.Module):
    """Iterative pose and depth optimisation."""

    def __init__(self, settings: IPOSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            self.features = Encoder(settings.feature_width, is_normalised=True)
            self.context = Encoder(settings.hidden_width + settings.context_width, is_normalised=False)
            self.recurrent = Recurrent(settings)
            self.depth = nn.Sequential(
                Encoder(48, is_normalised=True), nn.ReLU(), nn.Conv2d(48, 48, 5, padding=4, dilation=2), nn.ReLU()
            )
            self.log_depth = nn.Conv2d(48 + 2, 1, 3, padding=1)

    def first_depth(self, images: Float[Tensor, "v 3 h w"], intrinsics: Float[Tensor, "4"]) -> Float[Tensor, "v _ _"]:
        """A guess of every cell's inverse depth from its own image alone: what streets look like from a car."""
        features = self.depth(images)
        height, width = features.shape[2:]
        x_y = rays_of(height, width, intrinsics)[..., :2].permute(2, 0, 1).expand(len(images), -1, -1, -1)
        log_depth = self.log_depth(torch.cat([features, x_y], dim=1))[:, 0]
        return torch.exp(-(TYPICAL_LOG_DEPTH + log_depth.clamp(-4, 4)))

    def forward(
        self,
        images: Float[Tensor, "v 3 h w"],
        start: Block,
        ends: tuple[Int64[Tensor, "e"], Int64[Tensor, "e"]],
        anchors: Anchors,
        num_rounds: int,
    ) -> Iterator[Round]:
        """Refine from a start; yields after each round, whose gradients do not reach into the rounds before.

        Args:
            images: in [0, 1]; height and width are multiples of STRIDE.
            start: poses and depths to begin with, on the grid of cells.
            ends: views whose pixels are looked for, and views where.
            anchors: what is known beside the images.
            num_rounds: how often.
        """
        of, found_in = ends
        features = self.features(images)
        hidden, context = self.context(images).split([self.settings.hidden_width, self.settings.context_width], dim=1)
        levels = correlate(features[of], features[found_in])
        hidden, context, block = torch.tanh(hidden[of]), torch.relu(context[of]), start
        _, height, width = block.inverse_depth.shape
        grid = grid_of(height, width, block.inverse_depth)
        off = torch.zeros_like(project(block, of, found_in).place)
        for _ in range(num_rounds):
            block = Block(block.camera_from_world.detach(), block.inverse_depth.detach(), block.intrinsics)
            seen = project(block, of, found_in)
            place = seen.place.clamp(-FARTHEST_FLOW, FARTHEST_FLOW + max(height, width))
            flow = (place - grid) / 8
            told = torch.cat([flow, off.detach(), seen.is_in_front[..., None]], dim=-1).permute(0, 3, 1, 2)
            hidden, off, weight = self.recurrent(hidden, context, look(levels, place), told)
            found = place + off
            links = Links(of, found_in, found, weight)
            block = adjust(adjust(block, links, anchors), links, anchors)
            yield Round(block, found, weight)
