"""Recording in, Scene out: the table of contents of reconstruction."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol, runtime_checkable

import torch

from gs_sim.config import Range, check_ranges
from gs_sim.errors import ConfigError, MissingFeatureError
from gs_sim.reconstruction.cloud import with_lidar_depth
from gs_sim.reconstruction.correct_path import PathSettings, correct_path
from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.polish import PolishedRefinement
from gs_sim.reconstruction.g3r.refine import G3RSettings, Refinement
from gs_sim.reconstruction.g3r.weights import load_networks, shipped_weights
from gs_sim.reconstruction.initialise import InitialiseSettings, initialise
from gs_sim.reconstruction.optimise import Optimisation, OptimiseSettings, Step
from gs_sim.reconstruction.views import TrainingView, choose_cameras, load_training_views
from gs_sim.scene.scene import Scene
from gs_sim.sensing.recording import Recording

CHECKPOINTS = 60
"""How many points the PSNR curve of a report has."""


@dataclass(frozen=True)
class ReconstructionSettings:
    """What is reconstructed and how; the settings a user may want to know."""

    method: Literal["optimise", "g3r"] = "optimise"
    """How the first scene is refined: optimised step by step, or moved by learned steps."""
    cameras: tuple[str, ...] = ()
    """Camera names; empty takes all but ground-truth ones (`off_*`)."""
    width_px: Annotated[int, Range(0, 100_000)] = 0
    """Images are reduced to this width; 0 keeps their size."""
    holdout: Annotated[int, Range(0, 1_000_000)] = 0
    """K keeps frames with index % K == K // 2 out for evaluation; 0 uses all."""
    max_gaussians: Annotated[int, Range(1000, 100_000_000)] = 400_000
    """Upper bound on Gaussians; more is sharper, slower and larger."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a CUDA device if there is one."""
    seed: int = 0
    """Of every random choice; equal seeds and inputs give equal scenes on the CPU."""
    path: PathSettings = field(default_factory=PathSettings)
    initialise: InitialiseSettings = field(default_factory=InitialiseSettings)
    optimise: OptimiseSettings = field(default_factory=OptimiseSettings)
    g3r: G3RSettings = field(default_factory=G3RSettings)

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.holdout == 1:
            raise ConfigError("holdout 1 would keep every frame out; use 2 or more, or 0 for none")


@dataclass(frozen=True)
class Progress:
    """Where a reconstruction stands."""

    stage: str
    step: int
    num_steps: int
    psnr_db: float | None = None
    """Running mean over recent training views; None before the first."""
    num_gaussians: int = 0
    snapshot: Callable[[], Scene] | None = None
    """Makes the scene as it stands; None before there is one."""


@dataclass(frozen=True)
class Hooks:
    """What a caller lends: a clock, an ear, and a way to stop early."""

    clock: Callable[[], float]
    """Seconds, monotonic."""
    progress: Callable[[Progress], None] = lambda progress: None
    should_stop: Callable[[], bool] = lambda: False
    """Asked between steps; True ends the refining with the scene as it stands."""


@dataclass(frozen=True)
class Checkpoint:
    """One point of the PSNR curve."""

    step: int
    seconds: float
    psnr_db: float
    num_gaussians: int


@dataclass(frozen=True)
class Reconstruction:
    """A scene and how it came about."""

    scene: Scene
    cameras: tuple[str, ...]
    device: str
    path: str
    """Which path was used: as logged, or corrected by LiDAR."""
    num_views: int
    num_gaussians: int
    steps: int
    seconds_initialise: float
    seconds_refine: float
    was_interrupted: bool
    checkpoints: tuple[Checkpoint, ...]


def reconstruct(recording: Recording, settings: ReconstructionSettings, hooks: Hooks) -> Reconstruction:
    """Turn a recording into a scene: correct the path, read views, initialise from LiDAR and stereo, refine.

    Raises:
        InputError: too few frames, no camera, or nothing to start from.
        MissingFeatureError: the device is not there.
        StorageError: the networks' weights cannot be read.
    """
    device = choose_device(settings.device)
    if settings.method == "g3r":
        _networks(settings, device)  # find out now that there are none
    return refine(prepare(recording, settings, hooks), settings, hooks)


@dataclass(frozen=True)
class Prepared:
    """All that comes before refining, which every method starts from."""

    first: Scene
    views: tuple[TrainingView, ...]
    cameras: tuple[str, ...]
    path: str
    """Which path was used: as logged, or corrected by LiDAR."""
    seconds: float


def prepare(recording: Recording, settings: ReconstructionSettings, hooks: Hooks) -> Prepared:
    """Correct the path, read views, and make the first scene.

    Raises:
        InputError: too few frames, no camera, or nothing to start from.
    """
    start_s = hooks.clock()
    hooks.progress(Progress("register sweeps", 0, 1))
    recording, path = correct_path(recording, settings.path)
    cameras = choose_cameras(recording, settings.cameras)
    hooks.progress(Progress("read images", 0, 1))
    views = load_training_views(recording, cameras, settings.width_px, settings.holdout)
    views = with_lidar_depth(recording, views)
    hooks.progress(Progress("initialise", 0, 1))

    def on_view(done: int, count: int) -> None:
        hooks.progress(Progress("initialise", done, count))

    first = initialise(recording, views, settings.max_gaussians, settings.initialise, on_view)
    return Prepared(first, views, cameras, path, hooks.clock() - start_s)


def refine(prepared: Prepared, settings: ReconstructionSettings, hooks: Hooks) -> Reconstruction:
    """Refine a first scene by the chosen method.

    Raises:
        MissingFeatureError: the device is not there.
        StorageError: the networks' weights cannot be read.
    """
    device = choose_device(settings.device)
    loop = _loop(prepared.first, prepared.views, settings, device)
    refine_s = hooks.clock()
    checkpoints, was_interrupted = _run(loop, settings, hooks)
    scene = loop.scene()
    return Reconstruction(
        scene=scene,
        cameras=prepared.cameras,
        device=device.type,
        path=prepared.path,
        num_views=len(prepared.views),
        num_gaussians=count_gaussians(scene),
        steps=checkpoints[-1].step if checkpoints else 0,
        seconds_initialise=prepared.seconds,
        seconds_refine=hooks.clock() - refine_s,
        was_interrupted=was_interrupted,
        checkpoints=checkpoints,
    )


@runtime_checkable
class _Loop(Protocol):
    """What refines a scene, step by step."""

    def run(self, max_gaussians: int, clock: Callable[[], float]) -> Iterator[Step]: ...

    def scene(self) -> Scene: ...


def _loop(first: Scene, views: Sequence[TrainingView], settings: ReconstructionSettings, device: torch.device) -> _Loop:
    generator = torch.Generator().manual_seed(settings.seed)
    if settings.method == "g3r":
        learned = Refinement(first, views, _networks(settings, device), settings.g3r, generator)
        if not settings.g3r.polish_steps:
            return learned
        return PolishedRefinement(learned, views, (settings.g3r, settings.optimise), generator, device)
    return Optimisation(first, views, settings.optimise, generator, device)


def _networks(settings: ReconstructionSettings, device: torch.device) -> G3RNetworks:
    weights = Path(settings.g3r.weights) if settings.g3r.weights else shipped_weights()
    return load_networks(weights).to(device)


def _run(loop: _Loop, settings: ReconstructionSettings, hooks: Hooks) -> tuple[tuple[Checkpoint, ...], bool]:
    """Drive the loop, report on it, and stop when asked to."""
    start_s, checkpoints, last = hooks.clock(), [], -1.0
    if hooks.should_stop():
        return (), True
    for step in loop.run(settings.max_gaussians, hooks.clock):
        expected = round(step.number / max(step.fraction_done, 1e-6))
        hooks.progress(Progress("refine", step.number, expected, step.psnr_db, step.num_gaussians, step.snapshot))
        is_stopping = hooks.should_stop()
        if step.fraction_done - last >= 1 / CHECKPOINTS or step.fraction_done >= 1 or is_stopping:
            last = step.fraction_done
            seconds = hooks.clock() - start_s
            checkpoints.append(Checkpoint(step.number, seconds, step.psnr_db, step.num_gaussians))
        if is_stopping:
            return tuple(checkpoints), True
    return tuple(checkpoints), False


def choose_device(name: str) -> torch.device:
    """The device to optimise on.

    Raises:
        MissingFeatureError: CUDA was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise MissingFeatureError("device cuda was asked for, but torch finds no CUDA device; use --device cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def count_gaussians(scene: Scene) -> int:
    """All Gaussians of a scene, actors included."""
    parts: Sequence[int] = [len(actor.gaussians_box) for actor in scene.actors]
    return len(scene.background) + len(scene.distant) + sum(parts)
