"""A real drive, small and short: the whole way from files to a scene that explains frames it never saw."""

import math
import time
from pathlib import Path

import pytest

from gs_sim.evaluation.evaluate import EvaluationSettings, evaluate
from gs_sim.evaluation.summary import Summary
from gs_sim.reconstruction.initialise import InitialiseSettings
from gs_sim.reconstruction.optimise import OptimiseSettings
from gs_sim.reconstruction.reconstruct import Hooks, Progress, ReconstructionSettings, reconstruct
from gs_sim.reconstruction.stereo import StereoSettings
from gs_sim.scene.scene import Scene
from gs_sim.sources.kitti.drive import KittiDrive
from gs_sim.sources.kitti.raw import KittiSettings, read_kitti_raw

WIDTH_PX, HOLDOUT, STEPS = 207, 4, 120


@pytest.fixture(scope="module")
def drive(data_dir: Path) -> KittiDrive:
    folder = data_dir / "kitti_raw_0009"
    if not folder.is_dir():
        pytest.skip(f"no drive at {folder}; GS_SIM_TEST_DATA names its parent")
    settings = KittiSettings(("image_02",), (0, 12), folder / "tracking_labels" / "0001.txt")
    return read_kitti_raw(folder / "2011_09_26" / "2011_09_26_drive_0009_sync", settings)


def held_out(scene: Scene, drive: KittiDrive) -> Summary:
    settings = EvaluationSettings(cameras=("image_02",), holdout=HOLDOUT, width_px=WIDTH_PX)
    return evaluate(scene, drive, settings, lambda *_: None).total


def quick_settings() -> ReconstructionSettings:
    """As a user has them, but for the short loop and a coarser search for depth."""
    return ReconstructionSettings(
        width_px=WIDTH_PX,
        holdout=HOLDOUT,
        device="cpu",
        initialise=InitialiseSettings(stereo=StereoSettings(num_planes=48)),
        optimise=OptimiseSettings(steps=STEPS),
    )


@pytest.mark.slow
def test_a_real_drive_becomes_a_scene_that_explains_frames_it_never_saw(drive: KittiDrive) -> None:
    first: list[Scene] = []

    def keep_first(progress: Progress) -> None:
        if progress.snapshot is not None and not first:
            first.append(progress.snapshot())

    result = reconstruct(drive, quick_settings(), Hooks(time.monotonic, keep_first))
    before, after = held_out(first[0], drive), held_out(result.scene, drive)
    assert after.num_frames == 3
    assert math.isfinite(after.psnr_db)
    assert result.path == "corrected by LiDAR"
    assert len(result.scene.actors) >= 5
    assert {actor.label for actor in result.scene.actors} <= {"car", "van"}
    assert after.psnr_db > 21.5
    assert after.psnr_db > before.psnr_db + 4
    assert after.ssim > max(0.8, before.ssim)
    assert after.depth_mae_m is not None
    assert after.depth_mae_m < 1.0
