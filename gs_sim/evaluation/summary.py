"""What an evaluation found: one score per frame, and their means per camera and over all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

MIN_ACTOR_PX = 64
"""A frame with fewer pixels of moving actors says too little about them to count."""

PROTOCOL = (
    "Images are compared at the stated width (ground truth resized by area averaging), clamped to [0, 1] and not "
    "quantised. psnr_db and ssim are means over frames; SSIM after Wang 2004, 11 px Gaussian window, per channel, "
    "whole windows only. psnr_actors_db is the mean, over frames with at least 64 such pixels, of the PSNR inside "
    "projected boxes of moving actors. depth_mae_m compares depth along the optical axis with the LiDAR sweep nearest "
    "in time (within half a period): static points outside the moving boxes, motion undone, nearest per pixel and "
    "not behind a neighbour, where rendered opacity exceeds 0.5; the mean over all such points. LPIPS is not computed (no weights shipped)."
)


@dataclass(frozen=True)
class FrameScore:
    """How one rendering compares with one frame."""

    camera: str
    index: int
    stamp_ns: int
    psnr_db: float
    ssim: float
    psnr_actors_db: float | None
    """Inside the boxes of moving actors; None where fewer than `MIN_ACTOR_PX` pixels show one."""
    num_actor_px: int
    depth_mae_m: float | None
    """None where no LiDAR point can be compared."""
    num_depth_points: int
    """LiDAR points compared: visible ones where the scene is not see-through."""
    num_lidar_points: int
    """LiDAR points visible in this frame; what is not compared of them are holes of the scene."""


@dataclass(frozen=True)
class Summary:
    """Means over frames; depth over all LiDAR points."""

    num_frames: int
    psnr_db: float
    ssim: float
    psnr_actors_db: float | None
    num_frames_with_actors: int
    depth_mae_m: float | None
    num_depth_points: int
    num_lidar_points: int


@dataclass(frozen=True)
class Evaluation:
    """Scores of a scene against a recording, and how they were taken."""

    cameras: tuple[str, ...]
    holdout: int
    """K of the held-out protocol; 0 means every frame."""
    width_px: int
    """The largest width among the cameras, as evaluated."""
    num_frames_outside_path: int
    """Frames not judged because the scene's path does not cover their stamp."""
    total: Summary
    per_camera: dict[str, Summary]
    per_frame: tuple[FrameScore, ...]


def summarise(scores: Sequence[FrameScore]) -> Summary:
    """Average the scores of at least one frame."""
    actors = [score.psnr_actors_db for score in scores if score.psnr_actors_db is not None]
    depths = [(s.depth_mae_m, s.num_depth_points) for s in scores if s.depth_mae_m is not None]
    num_points = sum(count for _, count in depths)
    return Summary(
        num_frames=len(scores),
        psnr_db=sum(score.psnr_db for score in scores) / len(scores),
        ssim=sum(score.ssim for score in scores) / len(scores),
        psnr_actors_db=sum(actors) / len(actors) if actors else None,
        num_frames_with_actors=len(actors),
        depth_mae_m=sum(mae * count for mae, count in depths) / num_points if num_points else None,
        num_depth_points=num_points,
        num_lidar_points=sum(score.num_lidar_points for score in scores),
    )


def evaluation_document(evaluation: Evaluation) -> dict[str, object]:
    """The evaluation as JSON-ready values; the totals stand at the top level."""
    total = asdict(evaluation.total)
    return {
        **total,
        "lpips": None,
        "cameras": list(evaluation.cameras),
        "holdout": evaluation.holdout,
        "width_px": evaluation.width_px,
        "num_frames_outside_path": evaluation.num_frames_outside_path,
        "protocol": PROTOCOL,
        "per_camera": {name: asdict(summary) for name, summary in evaluation.per_camera.items()},
        "per_frame": [asdict(score) for score in evaluation.per_frame],
    }
