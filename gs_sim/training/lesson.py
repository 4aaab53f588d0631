"""What a refinement network learns from: the first scene of a street, the views it may look at, and views it may not.

A lesson is drawn from its seed alone. The first scene is made from the source views by the same code as any scene.
"""

from dataclasses import dataclass, field
from typing import Annotated

import torch

from gs_sim.config import Range, check_ranges
from gs_sim.reconstruction.cloud import with_lidar_depth
from gs_sim.reconstruction.initialise import InitialiseSettings, initialise
from gs_sim.reconstruction.stereo import StereoSettings
from gs_sim.reconstruction.views import TrainingView, rig_poses_at
from gs_sim.scene.scene import Scene
from gs_sim.sensing.holdout import is_ground_truth_camera, is_held_out
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sources.street.randomness import pick, uniform, whole
from gs_sim.sources.street.recording import StreetRecording, cast_all
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import draw_street


@dataclass(frozen=True)
class LessonSettings:
    """How large the streets are that are drawn for training; each draws its own size within these."""

    narrowest_px: Annotated[int, Range(32, 4096)] = 160
    """Smallest image width."""
    widest_px: Annotated[int, Range(32, 4096)] = 320
    """Largest image width."""
    heights: tuple[float, ...] = (9 / 16, 9 / 16, 3 / 8, 5 / 16)
    """Heights as shares of the width; each street draws one of them."""
    duration_s: Annotated[float, Range(0.3, 60)] = 2.4
    """Length of each drive."""
    every_novel: Annotated[int, Range(2, 100)] = 3
    """Every n-th frame of the path is kept from the network and supervises it."""
    every_beside: Annotated[int, Range(0, 100)] = 12
    """Displaced cameras see every n-th frame, and only supervise; 0 leaves them out."""
    max_gaussians: Annotated[int, Range(1000, 10_000_000)] = 120_000
    """Upper bound of the first scene."""
    initialise: InitialiseSettings = field(
        default_factory=lambda: InitialiseSettings(stereo=StereoSettings(num_planes=64, neighbours=3))
    )

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Lesson:
    """One street to learn on."""

    seed: int
    scene: Scene
    """The first scene, made from the source views."""
    source: tuple[TrainingView, ...]
    """What the network is fed by."""
    novel: tuple[TrainingView, ...]
    """What only judges it: other frames of the path, and cameras beside it."""


def draw_lesson(seed: int, settings: LessonSettings, device: str = "auto") -> Lesson:
    """Draw a street, cast its images and sweeps once, and make the first scene."""
    recording = cast_all(StreetRecording(draw_street(street_settings(seed, settings, device))))
    source, novel = split_views(recording, settings.every_novel)
    views = with_lidar_depth(recording, source + novel)
    source, novel = views[: len(source)], views[len(source) :]
    return Lesson(seed, initialise(recording, source, settings.max_gaussians, settings.initialise), source, novel)


def street_settings(seed: int, settings: LessonSettings, device: str) -> StreetSettings:
    """The street of a seed: image size, LiDAR and traffic vary from one to the next."""
    generator = torch.Generator().manual_seed(seed)
    width_px = 16 * round(uniform(generator, float(settings.narrowest_px), float(settings.widest_px)) / 16)
    height_px = max(16, round(width_px * pick(generator, settings.heights)))
    return StreetSettings(
        seed=seed,
        duration_s=settings.duration_s,
        num_actors=whole(generator, 2, 6),
        width_px=width_px,
        height_px=height_px,
        num_cameras=1,
        displaced_every=settings.every_beside,
        lidar_rings=pick(generator, (24, 32, 48)),
        lidar_columns=pick(generator, (400, 600, 800)),
        lidar_rate_hz=5.0,
        samples_per_edge_pixel=2,
        device=device,
    )


def split_views(
    recording: MemoryRecording, every_novel: int
) -> tuple[tuple[TrainingView, ...], tuple[TrainingView, ...]]:
    """Views of the path that feed the network, and those that judge it."""
    source: list[TrainingView] = []
    novel: list[TrainingView] = []
    for mounted in recording.rig.cameras:
        poses = rig_poses_at(recording, recording.frame_stamps_ns(mounted.name)) @ mounted.rig_from_camera
        is_beside = is_ground_truth_camera(mounted.name)
        for frame, pose in zip(recording.frames(mounted.name), poses, strict=True):
            view = TrainingView(mounted.name, frame.index, frame.stamp_ns, mounted.camera, frame.rgb, pose)
            is_novel = is_beside or is_held_out(frame.index, every_novel)
            (novel if is_novel else source).append(view)
    return tuple(sorted(source, key=_moment)), tuple(sorted(novel, key=_moment))


def _moment(view: TrainingView) -> tuple[int, str]:
    return view.stamp_ns, view.camera_name
