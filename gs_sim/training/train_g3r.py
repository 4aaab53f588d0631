"""Learning G3R's networks: refine synthetic streets and judge every step on views the network never saw (G3R, 3.4)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.config import Range, check_ranges
from gs_sim.geometry.pose import pose_from_twist
from gs_sim.reconstruction.g3r.evidence import no_evidence
from gs_sim.reconstruction.g3r.lift import render_rows, target_of
from gs_sim.reconstruction.g3r.networks import G3RNetworks, NetworkSettings, find_places
from gs_sim.reconstruction.g3r.schedule import step_sizes
from gs_sim.reconstruction.g3r.state import SCALE, NeuralGaussians, neural_gaussians
from gs_sim.reconstruction.g3r.step import Moment, settle, take_step
from gs_sim.reconstruction.losses import depth_loss, ssim_loss
from gs_sim.reconstruction.trainable import trainable_from
from gs_sim.reconstruction.views import TrainingView, dense_depth
from gs_sim.scene.scene import Scene
from gs_sim.sensing.holdout import is_ground_truth_camera
from gs_sim.training.lesson import Lesson, LessonSettings


@dataclass(frozen=True)
class TrainG3RSettings:
    """How the networks learn."""

    iterations: Annotated[int, Range(1, 10_000_000)] = 800
    """Streets refined from their first scene, one after the other, each with all its steps."""
    streets: Annotated[int, Range(1, 1_000_000)] = 40
    """Different streets; they come again in another order after that."""
    first_street: Annotated[int, Range(0, 2**62)] = 100_000
    """Seed of the first street; the others follow. Benchmarks use seeds far below."""
    seed: int = 0
    """Of first weights and of every random choice."""
    steps: tuple[int, ...] = (1, 2, 3, 4, 6)
    """Numbers of steps T that are trained for; each iteration draws one of them."""
    views_per_step: tuple[int, ...] = (8, 16)
    """Source views of each step; each iteration draws one of these."""
    curvature_every: Annotated[int, Range(1, 1000)] = 2
    """Curvature is estimated at every n-th step."""
    thinned: Annotated[float, Range(0, 1)] = 0.5
    """Share of iterations whose first scene loses a part of its background."""
    thinnest: Annotated[float, Range(0.01, 1)] = 0.3
    """Least share of the background that is left then."""
    misplaced: Annotated[float, Range(0, 1)] = 0.3
    """Share of iterations whose source views stand slightly beside where they were taken, as odometry is never exact."""
    misplaced_m: Annotated[float, Range(0, 10)] = 0.03
    """Standard deviation of their positions, along each axis."""
    misplaced_deg: Annotated[float, Range(0, 10)] = 0.1
    """Standard deviation of their orientations, about each axis."""
    unroll: Annotated[int, Range(1, 1000)] = 2
    """Steps through which a loss is followed back before the weights move."""
    learn_from_novel: bool = True
    """Whether views that the network is not fed judge it; otherwise only source views do."""
    learning_rate: Annotated[float, Range(0, 1)] = 1e-3
    """Adam's step at first; it falls along a cosine to a fiftieth."""
    ssim_weight: Annotated[float, Range(0, 10)] = 0.3
    """Weight of 1 - SSIM, in place of LPIPS, whose weights are not free to ship."""
    depth_weight: Annotated[float, Range(0, 10)] = 0.3
    """Weight of the log depth where LiDAR saw something."""
    flat_weight: Annotated[float, Range(0, 10)] = 0.01
    """Weight of the thinnest axis beyond half a pixel."""
    start_from: str = ""
    """A safetensors file of weights to go on from, whose sizes must be those of `networks`; empty draws first weights."""
    averaging: Annotated[float, Range(0, 1)] = 0.995
    """How slowly the averaged weights follow, which are those that are kept."""
    networks: NetworkSettings = field(default_factory=NetworkSettings)
    lessons: LessonSettings = field(default_factory=LessonSettings)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class IterationResult:
    """How one iteration went."""

    iteration: int
    loss: float
    start_psnr_db: float
    """Of judging views after the first step."""
    end_psnr_db: float
    """Of judging views after the last step."""
    num_steps: int


@dataclass(frozen=True)
class Drawn:
    """What an iteration draws beside its street."""

    num_steps: int
    views_per_step: int


def draw_iteration(settings: TrainG3RSettings, iteration: int) -> tuple[Drawn, int]:
    """Number of steps, views of each, and the street's place in the list; alike in every process."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + 2 * iteration)
    steps = settings.steps[int(torch.randint(len(settings.steps), (), generator=generator))]
    views = settings.views_per_step[int(torch.randint(len(settings.views_per_step), (), generator=generator))]
    epoch, place = divmod(iteration, settings.streets)
    if epoch == 0:
        return Drawn(steps, views), place
    shuffle = torch.Generator().manual_seed(settings.seed * 1_000_003 + 2 * epoch + 1)
    return Drawn(steps, views), int(torch.randperm(settings.streets, generator=shuffle)[place])


@dataclass(frozen=True)
class Window:
    """The steps between two updates of the weights."""

    losses: tuple[float, ...]
    psnr_db: tuple[float, ...]
    """Of judging views, after each step."""


def learn_lesson(
    networks: G3RNetworks, lesson: Lesson, drawn: Drawn, settings: TrainG3RSettings, generator: torch.Generator
) -> Iterator[Window]:
    """Refine one street; yields with gradients in place after every `unroll` steps, for the caller to update weights."""
    device = next(networks.parameters()).device
    centres = torch.stack([view.world_from_camera[:3, 3] for view in lesson.source]).float()
    scene = _thinned(lesson.scene, settings, generator)
    layout = trainable_from(scene, centres, lesson.source[0].camera.fx, 0).to(device)
    places = find_places(layout, centres.mean(dim=0).to(device), networks.settings)
    state = neural_gaussians(layout, networks.settings.num_latent)
    count, source = drawn.num_steps, _misplaced(lesson.source, settings, generator)
    sizes = step_sizes(count, networks.settings.schedule)
    feed, judge = _endless(source, generator), _judges(lesson, settings, generator)
    evidence, trust = no_evidence(len(state), state.explicit), 1.0
    losses: list[Tensor] = []
    psnr_db: list[float] = []
    for number, size in enumerate(sizes):
        views = [next(feed) for _ in range(drawn.views_per_step)]
        moment = Moment(number, count, size, generator if number % settings.curvature_every == 0 else None)
        taken = take_step(networks, (state, evidence), (scene, places), views, moment)
        loss, judged_db = _judged(networks, taken.state, scene, next(judge), settings)
        state, trust = settle(networks, state, taken, (scene, views[0]), trust)
        evidence = taken.evidence
        losses.append(loss)
        psnr_db.append(judged_db)
        if len(losses) == settings.unroll or number + 1 == count:
            torch.stack(losses).mean().backward()
            yield Window(tuple(float(each.detach()) for each in losses), tuple(psnr_db))
            losses, psnr_db = [], []
            state = NeuralGaussians(state.explicit.detach(), state.latent.detach(), state.layout)


def _judged(
    networks: G3RNetworks,
    state: NeuralGaussians,
    scene: Scene,
    views: Sequence[TrainingView],
    settings: TrainG3RSettings,
) -> tuple[Float32[Tensor, ""], float]:
    """Loss of a state on some views, and their mean PSNR.

    The squared error enters by its logarithm: late steps and easy streets weigh as much as early and hard ones.
    """
    decoded = networks.decode(state)
    total, psnr_db = decoded.new_zeros(()), 0.0
    for view in views:
        rendering, target = render_rows(decoded, state.layout, scene, view), target_of(view, decoded.device)
        error = (rendering.colour - target).square().mean()
        total = total + (error + 1e-4).log() + settings.ssim_weight * ssim_loss(rendering.colour, target)
        lidar = dense_depth(view).to(decoded.device)
        total = total + settings.depth_weight * depth_loss(rendering.depth_m, lidar, lidar > 0)
        psnr_db -= 10 * math.log10(max(1e-10, float(error.detach()))) / len(views)
    thinnest_px = decoded[:, SCALE].amin(dim=1).exp()
    return total / len(views) + settings.flat_weight * (thinnest_px - 0.5).clamp(min=0).mean(), psnr_db


def _judges(
    lesson: Lesson, settings: TrainG3RSettings, generator: torch.Generator
) -> Iterator[tuple[TrainingView, ...]]:
    """For each step one view of the path, one from beside it where there is any, and one source view."""
    source = _endless(lesson.source, generator)
    if not settings.learn_from_novel:
        while True:
            yield next(source), next(source), next(source)
    ahead = [view for view in lesson.novel if not is_ground_truth_camera(view.camera_name)]
    beside = [view for view in lesson.novel if is_ground_truth_camera(view.camera_name)]
    others = [_endless(views, generator) for views in (ahead, beside) if views]
    while True:
        yield (*(next(other) for other in others), next(source))


def _thinned(scene: Scene, settings: TrainG3RSettings, generator: torch.Generator) -> Scene:
    """Sometimes a scene with fewer background Gaussians, as a sparser LiDAR would have given."""
    chance, kept = torch.rand(2, generator=generator).tolist()
    if chance >= settings.thinned:
        return scene
    share = settings.thinnest + (1 - settings.thinnest) * kept
    return replace(
        scene, background=scene.background.select(torch.rand(len(scene.background), generator=generator) < share)
    )


def _misplaced(
    views: Sequence[TrainingView], settings: TrainG3RSettings, generator: torch.Generator
) -> tuple[TrainingView, ...]:
    """Sometimes the views at wrong poses, each with an error of its own."""
    if float(torch.rand((), generator=generator)) >= settings.misplaced:
        return tuple(views)
    size = torch.tensor([settings.misplaced_m] * 3 + [math.radians(settings.misplaced_deg)] * 3, dtype=torch.float64)
    errors = pose_from_twist(size * torch.randn(len(views), 6, generator=generator, dtype=torch.float64))
    return tuple(
        replace(view, world_from_camera=view.world_from_camera @ error)
        for view, error in zip(views, errors, strict=True)
    )


def _endless(views: Sequence[TrainingView], generator: torch.Generator) -> Iterator[TrainingView]:
    """Every view once before any comes again, in ever new order."""
    while True:
        for index in torch.randperm(len(views), generator=generator).tolist():
            yield views[index]
