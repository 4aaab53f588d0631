"""A drive from its images: IPO-Net over a sliding window of views, each step with a verdict on how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from gs_sim.config import Range, check_ranges
from gs_sim.geometry.pose import inverse
from gs_sim.reconstruction.ggrt.bundle import Anchors, Block, project
from gs_sim.reconstruction.ggrt.ipo import IPONet, Round
from gs_sim.reconstruction.ggrt.piece import LEAST_DEVIATION, Piece, links_within, piece_of
from gs_sim.reconstruction.views import TrainingView

PRIOR_DEVIATION = 0.7
"""Standard deviation of a guessed depth, as a share of it."""

Verdict = Literal["tracked", "lost"]


@dataclass(frozen=True)
class TrackSettings:
    """How a path is found."""

    window: Annotated[int, Range(2, 16)] = 4
    """Views that are adjusted together; the newest two of them move."""
    rounds: Annotated[int, Range(1, 100)] = 8
    """Of refinement for each new view."""
    least_confidence: Annotated[float, Range(0, 1)] = 0.05
    """Views whose links weigh less than this on average are lost."""
    largest_residual: Annotated[float, Range(0, 100)] = 0.5
    """Views whose links disagree with their pose by more than this (cells, weighted mean) are lost."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class TrackedView:
    """Where a view was taken."""

    world_from_camera: Float64[Tensor, "4 4"]
    """In the frame of the first view."""
    inverse_depth: Float[Tensor, "h w"]
    verdict: Verdict
    confidence: float
    """Mean weight of the links to the views before, 0 to 1."""
    residual_cells: float
    """Weighted mean distance between where pixels were found and where pose and depth put them."""


def track(network: IPONet, views: Sequence[TrainingView], settings: TrackSettings) -> list[TrackedView]:
    """Find the pose of each view, one after the other; those that are lost repeat the motion of the one before."""
    device = next(network.parameters()).device
    first = _guess(network, piece_of(views[:1], device))[0]
    tracked = [TrackedView(torch.eye(4, dtype=torch.float64), first, "tracked", 1.0, 0.0)]
    for number in range(1, len(views)):
        begin = max(0, number + 1 - settings.window)
        with torch.no_grad():
            moved = _extend(network, views[begin : number + 1], tracked[begin:], settings)
        tracked[number - 1 :] = moved
    return tracked


def _extend(
    network: IPONet, views: Sequence[TrainingView], known: Sequence[TrackedView], settings: TrackSettings
) -> list[TrackedView]:
    """The last known view, adjusted once more, and the new one."""
    piece = piece_of(views, next(network.parameters()).device)
    origin = inverse(known[0].world_from_camera)
    poses = [origin @ view.world_from_camera for view in known]
    poses.append(poses[-1] @ (inverse(poses[-2]) @ poses[-1]) if len(poses) > 1 else poses[-1])
    guess = _guess(network, piece)
    old = torch.stack([view.inverse_depth for view in known])
    ratio = float((old[-1].log() - guess[-2].log()).median().exp())
    depth = torch.cat([old, ratio * guess[-1:]])
    measured = piece.inverse_depth > 0
    depth = torch.where(measured, piece.inverse_depth, depth)
    weak = 1 / (PRIOR_DEVIATION * depth + 10 * LEAST_DEVIATION).square()
    anchors = Anchors(max(1, len(views) - 2), depth, torch.where(measured, piece.lidar_weight, weak))
    start = Block(torch.stack([inverse(pose) for pose in poses]).float(), depth, piece.intrinsics)
    of, found_in = links_within(len(views))
    *_, last = network(piece.images, start, (of, found_in), anchors, settings.rounds)
    newest = len(views) - 1
    is_new = (of == newest) | (found_in == newest)
    verdict, confidence, residual = _judge(last, of, found_in, is_new, settings)
    world = known[0].world_from_camera
    placed = [world @ inverse(pose.double()) for pose in last.block.camera_from_world[-2:]]
    new = TrackedView(placed[1], last.block.inverse_depth[-1], verdict, confidence, residual)
    if verdict == "lost":
        return [known[-1], replace(new, world_from_camera=world @ poses[-1])]
    return [replace(known[-1], world_from_camera=placed[0], inverse_depth=last.block.inverse_depth[-2]), new]


def _judge(
    last: Round, of: Tensor, found_in: Tensor, chosen: Tensor, settings: TrackSettings
) -> tuple[Verdict, float, float]:
    """What the links of the new view say of it."""
    seen = project(last.block, of, found_in)
    weight = (last.weight.mean(dim=-1) * seen.is_in_front)[chosen]
    off = (last.place - seen.place).norm(dim=-1)[chosen]
    confidence = float(weight.mean())
    residual = float((weight * off).sum() / weight.sum().clamp(min=1e-6))
    if confidence < settings.least_confidence or residual > settings.largest_residual:
        return "lost", confidence, residual
    return "tracked", confidence, residual


def _guess(network: IPONet, piece: Piece) -> Float[Tensor, "v h w"]:
    """Depths from each image alone, and what LiDAR measured where it did."""
    with torch.no_grad():
        guess = network.first_depth(piece.images, piece.intrinsics)
    known = piece.inverse_depth > 0
    if bool(known.any()):
        guess = guess * (piece.inverse_depth[known].log() - guess[known].log()).median().exp()
    return torch.where(known, piece.inverse_depth, guess)
