"""G: state and evidence in, an update of every row out. One network each for background, actors and distant shell."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from gs_sim.config import Range, check_ranges
from gs_sim.reconstruction.g3r.evidence import NUM_FEATURES, Evidence, features_of
from gs_sim.reconstruction.g3r.sparse_grid import Voxelisation, voxelise
from gs_sim.reconstruction.g3r.state import NUM_EXPLICIT, Decoder, NeuralGaussians
from gs_sim.reconstruction.g3r.unet import DirectionCnn, DirectionGrid, SparseUNet, direction_grid, linear_layer
from gs_sim.reconstruction.trainable import FIRST_ACTOR, Trainable

NUM_TIME = 8
"""Channels of the time embedding."""
FIRST_RATE = 0.05
"""Share of a Newton step that an untrained network takes: rows overlap, so the whole one would overshoot."""
RATE_UNIT = 10.0
"""Of the learned logarithms of rates, so that they learn as fast as they need to beside ordinary weights."""
LATENT_REACH = 0.25
"""How far one step moves a latent channel at most."""
ACTOR_SPACING_CELLS = 256
"""Voxels between two actors, so that they do not see each other."""


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the networks; weights fit only networks of the same sizes."""

    num_latent: Annotated[int, Range(0, 256)] = 32
    """Latent channels of each row; 0 leaves them out."""
    width: Annotated[int, Range(4, 512)] = 32
    """Channels of each row's own layers."""
    unet_widths: tuple[int, ...] = (24, 32, 48)
    """Channels of the UNet's levels, finest first; each level doubles the voxel size."""
    voxel_m: Annotated[float, Range(0.01, 100)] = 0.5
    """Finest voxel of the background."""
    actor_voxel_m: Annotated[float, Range(0.01, 100)] = 0.25
    """Finest voxel of actors."""
    direction_deg: Annotated[float, Range(0.05, 30)] = 1.5
    """Cells of the distant shell."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """How far the steps may go that the networks learn to take: gamma(t)."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Part:
    """The rows of one network, which lie together, and where they are."""

    rows: slice
    place: Voxelisation | DirectionGrid


@dataclass(frozen=True)
class Places:
    """Which rows belong to which network; None where a scene has no such rows."""

    background: Part | None
    distant: Part | None
    actors: Part | None


@dataclass(frozen=True)
class Update:
    """What a step does to each row, before the step size."""

    rate: Float32[Tensor, "n 14"]
    """Share of the Newton step that a row follows."""
    shift: Float32[Tensor, "n 14"]
    """To add once."""
    latent: Float32[Tensor, "n l"]
    """To add once."""


class RowNetwork(nn.Module):
    """A layer for each row, what surrounds it, and a head for each row again.

    Voxels are coarser than Gaussians, so rows keep features of their own beside those of their voxel.
    """

    def __init__(
        self,
        context: SparseUNet | DirectionCnn,
        context_width: int,
        settings: NetworkSettings,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        width, num_latent = settings.width, settings.num_latent
        self.embed = linear_layer(NUM_FEATURES + num_latent, width, generator)
        self.time = linear_layer(NUM_TIME, width, generator)
        self.context = context
        self.hidden = linear_layer(width + context_width, width, generator)
        self.out = linear_layer(width, 2 * NUM_EXPLICIT + num_latent, generator)
        with torch.no_grad():  # an untrained network takes damped Newton steps; its latent channels are random features
            self.out.weight[: 2 * NUM_EXPLICIT] = 0

    def forward(
        self, features: Float32[Tensor, "n f"], place: Voxelisation | DirectionGrid, time: Float32[Tensor, "e"]
    ) -> Float32[Tensor, "n o"]:
        """Gains of the Newton step and shifts (14 each), then the latent update."""
        own = torch.relu(self.embed(features) + self.time(time))
        around = self.context(own, place, time)
        out: Tensor = self.out(torch.relu(self.hidden(torch.cat([own, around], dim=1))))
        return out


class G3RNetworks(nn.Module):
    """The decoder and the three row networks; everything that is learned."""

    def __init__(self, settings: NetworkSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        self.decoder = Decoder(settings.num_latent)
        self.log_rates = nn.Parameter(torch.full((3, NUM_EXPLICIT), math.log(FIRST_RATE) / RATE_UNIT))
        widths = settings.unet_widths
        self.background = _with_unet(settings, generator)
        self.actors = _with_unet(settings, generator)
        cnn = DirectionCnn(settings.width, widths[0], NUM_TIME, generator)
        self.distant = RowNetwork(cnn, widths[0], settings, generator)

    def decode(self, state: NeuralGaussians) -> Float32[Tensor, "n 14"]:
        """Plain channels of all rows."""
        decoded: Tensor = self.decoder(state.explicit, state.latent)
        return decoded

    def forward(self, state: NeuralGaussians, evidence: Evidence, places: Places, time: Float32[Tensor, "e"]) -> Update:
        """G(S, grad S; t). Shifts are bounded by each channel's reach; a row that nothing was heard of moves by them alone."""
        features = torch.cat([features_of(state.explicit, evidence), state.latent], dim=1)
        sizes = (NUM_EXPLICIT, NUM_EXPLICIT, state.latent.shape[1])
        gains, shifts, moved = ([features.new_zeros(0, size)] for size in sizes)
        log_rates = []
        for network, part, own_rates in (
            (self.background, places.background, self.log_rates[0]),
            (self.distant, places.distant, self.log_rates[2]),
            (self.actors, places.actors, self.log_rates[1]),
        ):
            if part is not None:
                out = network(features[part.rows], part.place, time)
                for told, channels in zip((gains, shifts, moved), out.split(sizes, dim=1), strict=True):
                    told.append(channels)
                log_rates.append(own_rates.expand(len(out), -1))
        rate = (RATE_UNIT * torch.cat(log_rates) + 3 * torch.tanh(torch.cat(gains) / 3)).exp()
        return Update(
            rate.nan_to_num(0.0, 0.0, 0.0),
            (self.decoder.reach * torch.tanh(torch.cat(shifts))).nan_to_num(0.0),
            (LATENT_REACH * torch.tanh(torch.cat(moved))).nan_to_num(0.0),
        )


def find_places(layout: Trainable, camera_centre: Float32[Tensor, "3"], settings: NetworkSettings) -> Places:
    """Give rows to their networks, voxelised where they start.

    Raises:
        ValueError: the rows of a part do not lie together, in the order background, distant, actors.
    """
    segment, points = layout.segment, layout.anchors.nan_to_num(0.0, 0.0, 0.0)
    order = torch.where(segment >= FIRST_ACTOR, FIRST_ACTOR, segment)
    if bool((order[1:] < order[:-1]).any()):
        raise ValueError("rows must come in the order background, distant, actors, as trainable_from lays them out")
    ends = torch.bincount(order, minlength=FIRST_ACTOR + 1).cumsum(0).tolist()
    background, distant, actors = slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], ends[2])
    apart_m = ACTOR_SPACING_CELLS * settings.actor_voxel_m * (segment[actors] - FIRST_ACTOR)
    alone = torch.nn.functional.pad(apart_m[:, None], (0, 2)) + points[actors]
    grid = settings.direction_deg
    return Places(
        Part(background, voxelise(points[background], settings.voxel_m)) if ends[0] else None,
        Part(distant, direction_grid(points[distant], camera_centre, grid)) if ends[1] > ends[0] else None,
        Part(actors, voxelise(alone, settings.actor_voxel_m)) if ends[2] > ends[1] else None,
    )


def time_embedding(step: int, num_steps: int, step_size: float) -> Float32[Tensor, "8"]:
    """Where a step stands among all, as a network reads it."""
    done = step / num_steps
    angles = (math.pi * done, 2 * math.pi * done)
    waves = [function(angle) for angle in angles for function in (math.sin, math.cos)]
    return torch.tensor([done, step_size, 1 / (1 + step), math.log2(num_steps) / 5, *waves])


def _with_unet(settings: NetworkSettings, generator: torch.Generator) -> RowNetwork:
    unet = SparseUNet(settings.width, settings.unet_widths, NUM_TIME, generator)
    return RowNetwork(unet, settings.unet_widths[0], settings, generator)
