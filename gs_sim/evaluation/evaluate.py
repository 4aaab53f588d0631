"""Scene and Recording in, scores out: render each frame's view and compare it with what was seen.

Frames are streamed and dropped once compared; a callback may keep what it wants for a report.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from gs_sim.errors import ConfigError, InputError
from gs_sim.evaluation.actor_mask import is_moving, moving_actor_mask, moving_boxes
from gs_sim.evaluation.lidar_depth import MeasuredPoints, SweepCursor, join_points, points_of_sweep, visible_depth
from gs_sim.evaluation.metrics import depth_mae_m, psnr_db, ssim
from gs_sim.evaluation.rig_path import is_covered, rig_pose_at
from gs_sim.evaluation.summary import MIN_ACTOR_PX, Evaluation, FrameScore, summarise
from gs_sim.geometry.camera import Camera, resize_camera
from gs_sim.geometry.pose import inverse
from gs_sim.rendering.render import render
from gs_sim.scene.scene import Scene
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.holdout import is_ground_truth_camera, is_held_out
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.resize import resize_frame
from gs_sim.sensing.track import Track

MIN_OPACITY = 0.5
"""Below this a pixel is more sky than surface, and its depth says nothing."""


@dataclass(frozen=True)
class EvaluationSettings:
    """Which frames are compared, and how large."""

    cameras: tuple[str, ...] = ()
    """Names of the cameras to judge; empty means all but those named `off_*`."""
    holdout: int = 0
    """K: only frames with index % K == K // 2; 0 judges every frame."""
    width_px: int = 0
    """Width of the compared images; 0 keeps each camera's own. Never above it."""

    def __post_init__(self) -> None:
        if self.holdout < 0:
            raise ConfigError(f"holdout must be 0 (every frame) or a positive K, got {self.holdout}")
        if self.width_px < 0:
            raise ConfigError(f"width_px must be 0 (full width) or a positive width, got {self.width_px}")


@dataclass(frozen=True)
class FrameComparison:
    """One frame beside its rendering, for whoever draws pictures."""

    score: FrameScore
    truth: Float[Tensor, "h w 3"]
    image: Float[Tensor, "h w 3"]
    """Clamped to [0, 1]."""
    depth_m: Float[Tensor, "h w"]
    opacity: Float[Tensor, "h w"]


@dataclass(frozen=True)
class _CameraPlan:
    """One camera of the evaluation, resolved."""

    name: str
    full_camera: Camera
    camera: Camera
    rig_from_camera: Float64[Tensor, "4 4"]
    stamps_ns: tuple[int, ...]
    indices: tuple[int, ...]
    num_outside: int


OnFrame = Callable[[FrameComparison, int, int], None]
"""Called after each frame with the comparison, how many are done, and how many there are."""


def evaluate(scene: Scene, recording: Recording, settings: EvaluationSettings, on_frame: OnFrame) -> Evaluation:
    """Compare renderings of the scene with the recording's frames.

    Poses come from the scene (its path, and its rig where it has the camera), so a scene whose
    path was refined is judged along that path.

    Raises:
        InputError: a camera is unknown, or no frame is left to judge.
    """
    plans = [_plan(scene, recording, name, settings) for name in _choose_cameras(recording, settings.cameras)]
    total = sum(len(plan.indices) for plan in plans)
    if total == 0:
        names = ", ".join(plan.name for plan in plans)
        raise InputError(
            f"there is no frame to judge for camera {names} with --holdout {settings.holdout} "
            f"({sum(plan.num_outside for plan in plans)} frames lie outside the scene's path); "
            "check that the bag is the one the scene was made from"
        )
    scores: list[FrameScore] = []
    for plan in plans:
        for comparison in _compare_camera(scene, recording, plan):
            scores.append(comparison.score)
            on_frame(comparison, len(scores), total)
    if not scores:
        raise InputError(f"none of the {total} frames to judge could be read from the recording; see `gs-sim inspect`")
    by_camera = {plan.name: [score for score in scores if score.camera == plan.name] for plan in plans}
    return Evaluation(
        cameras=tuple(plan.name for plan in plans),
        holdout=settings.holdout,
        width_px=max(plan.camera.width_px for plan in plans),
        num_frames_outside_path=sum(plan.num_outside for plan in plans),
        total=summarise(scores),
        per_camera={name: summarise(of_camera) for name, of_camera in by_camera.items() if of_camera},
        per_frame=tuple(scores),
    )


def _choose_cameras(recording: Recording, names: Sequence[str]) -> tuple[str, ...]:
    if names:
        return tuple(dict.fromkeys(names))
    every = tuple(mounted.name for mounted in recording.rig.cameras)
    chosen = tuple(name for name in every if not is_ground_truth_camera(name))
    if not chosen:
        raise InputError(f"name the cameras to judge with --cameras; the recording has {', '.join(every) or 'none'}")
    return chosen


def _plan(scene: Scene, recording: Recording, name: str, settings: EvaluationSettings) -> _CameraPlan:
    mounted = recording.rig.camera(name)
    in_scene = [known for known in scene.rig.cameras if known.name == name]
    width_px = min(settings.width_px or mounted.camera.width_px, mounted.camera.width_px)
    stamps_ns = tuple(int(stamp) for stamp in recording.frame_stamps_ns(name))
    wanted = [i for i in range(len(stamps_ns)) if settings.holdout == 0 or is_held_out(i, settings.holdout)]
    covered = tuple(i for i in wanted if is_covered(scene.world_from_rig, stamps_ns[i]))
    return _CameraPlan(
        name=name,
        full_camera=mounted.camera,
        camera=resize_camera(mounted.camera, width_px),
        rig_from_camera=(in_scene[0] if in_scene else mounted).rig_from_camera,
        stamps_ns=tuple(stamps_ns[i] for i in covered),
        indices=covered,
        num_outside=len(wanted) - len(covered),
    )


def _compare_camera(scene: Scene, recording: Recording, plan: _CameraPlan) -> Iterator[FrameComparison]:
    """Stream one camera's frames beside the sweeps nearest to them."""
    stamps_ns = torch.tensor(plan.stamps_ns, dtype=torch.int64)
    lidars = {lidar.name: SweepCursor(recording, lidar.name, stamps_ns) for lidar in recording.rig.lidars}
    moving = [track for track in recording.tracks if is_moving(track)]
    for frame in recording.frames(plan.name, plan.indices):
        small = resize_frame(frame, plan.full_camera, plan.camera.width_px)
        measured = _points_at(scene, recording, lidars, moving, frame.stamp_ns)
        yield _compare_frame(scene, recording, plan, small, (measured, moving))


def _points_at(
    scene: Scene, recording: Recording, lidars: dict[str, SweepCursor], moving: Sequence[Track], stamp_ns: int
) -> MeasuredPoints:
    """LiDAR points around a moment, in the scene's world."""
    parts = []
    for name, cursor in lidars.items():
        sweep = cursor.nearest(stamp_ns)
        if sweep is None or not is_covered(scene.world_from_rig, sweep.stamp_ns):
            continue
        boxes = []
        if is_covered(recording.world_from_rig, sweep.stamp_ns):
            boxes = moving_boxes(recording, moving, sweep.stamp_ns)
        rig_from_lidar = recording.rig.lidar(name).rig_from_lidar
        parts.append(points_of_sweep(sweep, rig_from_lidar, scene.world_from_rig, boxes))
    return join_points(parts)


def _compare_frame(
    scene: Scene,
    recording: Recording,
    plan: _CameraPlan,
    frame: Frame,
    seen: tuple[MeasuredPoints, Sequence[Track]],
) -> FrameComparison:
    measured, moving = seen
    world_from_camera = rig_pose_at(scene.world_from_rig, frame.stamp_ns) @ plan.rig_from_camera
    with torch.no_grad():
        rendering = render(scene, plan.camera, world_from_camera, frame.stamp_ns)
    image = rendering.colour[0].cpu().clamp(0, 1)
    truth = frame.rgb.float() / 255.0
    depth_m, opacity = rendering.depth_m[0].cpu(), rendering.opacity[0].cpu()
    lidar_m, is_seen = visible_depth(plan.camera, inverse(world_from_camera), measured)
    actor_mask = _actor_mask(recording, plan, moving, frame.stamp_ns)
    is_seen &= ~actor_mask
    is_compared = is_seen & (opacity > MIN_OPACITY)
    num_actor_px = int(actor_mask.sum())
    score = FrameScore(
        camera=plan.name,
        index=frame.index,
        stamp_ns=frame.stamp_ns,
        psnr_db=psnr_db(image, truth),
        ssim=ssim(image, truth),
        psnr_actors_db=psnr_db(image, truth, actor_mask) if num_actor_px >= MIN_ACTOR_PX else None,
        num_actor_px=num_actor_px,
        depth_mae_m=depth_mae_m(depth_m, lidar_m, is_compared),
        num_depth_points=int(is_compared.sum()),
        num_lidar_points=int(is_seen.sum()),
    )
    return FrameComparison(score, truth, image, depth_m, opacity)


def _actor_mask(recording: Recording, plan: _CameraPlan, moving: Sequence[Track], stamp_ns: int) -> Bool[Tensor, "h w"]:
    boxes = moving_boxes(recording, moving, stamp_ns) if is_covered(recording.world_from_rig, stamp_ns) else []
    return moving_actor_mask(plan.camera, inverse(plan.rig_from_camera), boxes)
