"""What the action `Reconstruct` says back."""

import math

from gs_sim.nodes.reconstructing.whole_progress import Standing
from gs_sim.nodes.reconstructing.work import Finished, Scores
from gs_sim.nodes.ros.interfaces import Reconstruct, SceneInfo


def feedback_message(standing: Standing) -> Reconstruct.Feedback:
    """How far it is."""
    return Reconstruct.Feedback(
        stage=standing.stage,
        progress=standing.fraction,
        num_gaussians=standing.num_gaussians,
        psnr_db=standing.psnr_db,
        time_left_s=standing.time_left_s,
    )


def failure_message(sentence: str) -> Reconstruct.Result:
    """Why there is no scene."""
    return Reconstruct.Result(success=False, message=sentence, psnr_db=math.nan, ssim=math.nan)


def success_message(
    finished: Finished, scores: Scores, info: SceneInfo, remarks: tuple[str, ...]
) -> Reconstruct.Result:
    """The scene, how long it took, how good it is, and what was left out."""
    return Reconstruct.Result(
        success=True,
        scene=info,
        seconds=finished.seconds,
        seconds_refine=finished.seconds_refine,
        psnr_db=math.nan if scores.psnr_db is None else scores.psnr_db,
        ssim=math.nan if scores.ssim is None else scores.ssim,
        num_skipped=sum(finished.skipped.values()),
        skipped_reasons=[*remarks, *(f"{count} {sentence}" for sentence, count in finished.skipped.items())],
    )
