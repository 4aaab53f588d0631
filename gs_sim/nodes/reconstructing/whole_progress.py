"""How far a reconstruction is as a whole, from what its stages say."""

import math
from dataclasses import dataclass

from gs_sim.reconstruction.reconstruct import Progress

SHARES = {
    "record": 0.0,
    "start": 0.02,
    "open bag": 0.02,
    "LiDAR odometry": 0.02,
    "register sweeps": 0.05,
    "read images": 0.04,
    "initialise": 0.30,
    "refine": 0.50,
    "save": 0.02,
    "evaluate": 0.03,
}
"""What each stage usually takes of the whole, in their order."""
LIVE_SHARE = 0.2
"""What recording takes where it comes first."""
MIN_FRACTION = 0.02
"""Before so much of the refining loop was done, nobody knows how long it will take."""


@dataclass(frozen=True)
class Standing:
    """Where the whole stands."""

    stage: str = "start"
    fraction: float = 0.0
    """0 to 1; never goes back."""
    num_gaussians: int = 0
    psnr_db: float = math.nan
    time_left_s: float = math.nan
    """Of the refining loop, by far the longest part; NaN before and after it."""


class WholeProgress:
    """Follows one reconstruction."""

    def __init__(self, *, is_live: bool) -> None:
        self._record_share = LIVE_SHARE if is_live else 0.0
        self._stage_start_s = 0.0
        self.standing = Standing()

    def update(self, progress: Progress, now_s: float) -> Standing:
        """Take in what a stage says at a moment of a monotonic clock."""
        if progress.stage != self.standing.stage:
            self._stage_start_s = now_s
        done = min(1.0, progress.step / max(progress.num_steps, 1))
        elapsed_s = now_s - self._stage_start_s
        is_known = progress.stage == "refine" and done >= MIN_FRACTION
        self.standing = Standing(
            stage=progress.stage,
            fraction=max(self.standing.fraction, self._fraction(progress.stage, done)),
            num_gaussians=max(progress.num_gaussians, 0 if progress.num_gaussians else self.standing.num_gaussians),
            psnr_db=self.standing.psnr_db if progress.psnr_db is None else progress.psnr_db,
            time_left_s=elapsed_s * (1 - done) / done if is_known else math.nan,
        )
        return self.standing

    def _fraction(self, stage: str, done: float) -> float:
        if stage == "record":
            return self._record_share * done
        names = list(SHARES)
        before = sum(SHARES[name] for name in names[: names.index(stage)]) if stage in SHARES else 0.0
        fraction = (before + SHARES.get(stage, 0.0) * done) / sum(SHARES.values())
        return self._record_share + (1 - self._record_share) * fraction
