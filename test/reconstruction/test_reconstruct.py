"""Recording in, Scene out: better with every step, the same for the same seed, stopped when asked, refused in words."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
import torch
from textured_world import make_rig
from tiny_world import CAMERA, START_NS, STEP_NS, TinyWorld

from gs_sim.errors import ConfigError, InputError, MissingFeatureError
from gs_sim.evaluation.evaluate import EvaluationSettings, evaluate
from gs_sim.evaluation.metrics import psnr_db
from gs_sim.evaluation.summary import Evaluation
from gs_sim.reconstruction.correct_path import PathSettings
from gs_sim.reconstruction.densify import DensifySettings
from gs_sim.reconstruction.initialise import InitialiseSettings
from gs_sim.reconstruction.optimise import OptimiseSettings
from gs_sim.reconstruction.reconstruct import (
    Hooks,
    Progress,
    Reconstruction,
    ReconstructionSettings,
    choose_device,
    count_gaussians,
    reconstruct,
)
from gs_sim.reconstruction.stereo import StereoSettings
from gs_sim.rendering.render import render
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.scene import Scene
from gs_sim.sensing.recording import MemoryRecording, Recording

HOLDOUT = 4
QUICK_STEREO = InitialiseSettings(stereo=StereoSettings(num_planes=32, nearest_m=4.0, farthest_m=60.0))


def settings_of(steps: int, **changes: Any) -> ReconstructionSettings:
    optimise = OptimiseSettings(steps=steps, densify=DensifySettings(every_steps=max(2, steps // 5)))
    path = PathSettings(correct_with_lidar=False)
    chosen = {"holdout": HOLDOUT, "device": "cpu", "path": path, "optimise": optimise, "initialise": QUICK_STEREO}
    return ReconstructionSettings(**{**chosen, **changes})


@dataclass
class TickingClock:
    """Each look at it takes half a second."""

    seconds: float = 0.0

    def __call__(self) -> float:
        self.seconds += 0.5
        return self.seconds


@dataclass
class Watcher:
    """Keeps what it is told, and asks to stop after so many steps."""

    stop_after: float = math.inf
    heard: list[Progress] = field(default_factory=list)

    def hooks(self, clock: Callable[[], float] = time.monotonic) -> Hooks:
        return Hooks(clock, self.heard.append, lambda: self.steps >= self.stop_after)

    @property
    def steps(self) -> int:
        return sum(progress.stage == "refine" for progress in self.heard)


@dataclass(frozen=True)
class Run:
    """A finished reconstruction and what was heard of it."""

    result: Reconstruction
    heard: tuple[Progress, ...]


def run(recording: Recording, settings: ReconstructionSettings, stop_after: float = math.inf) -> Run:
    watcher = Watcher(stop_after)
    return Run(reconstruct(recording, settings, watcher.hooks()), tuple(watcher.heard))


def held_out(scene: Scene, recording: Recording) -> Evaluation:
    return evaluate(scene, recording, EvaluationSettings(holdout=HOLDOUT), lambda *_: None)


@pytest.fixture(scope="module")
def first(tiny_world: TinyWorld) -> Run:
    """Stopped before the first step: the initial scene."""
    return run(tiny_world.recording, settings_of(60), stop_after=0)


@pytest.fixture(scope="module")
def whole(tiny_world: TinyWorld) -> Run:
    return run(tiny_world.recording, settings_of(60))


def test_optimisation_explains_frames_it_never_saw_far_better_than_the_first_scene(
    tiny_world: TinyWorld, first: Run, whole: Run
) -> None:
    before = held_out(first.result.scene, tiny_world.recording).total
    after = held_out(whole.result.scene, tiny_world.recording).total
    assert after.psnr_db > before.psnr_db + 6
    assert after.ssim > before.ssim
    assert after.psnr_actors_db is not None
    assert before.psnr_actors_db is not None
    assert after.psnr_actors_db > before.psnr_actors_db + 3


def test_a_report_can_be_written_from_what_a_reconstruction_returns(whole: Run) -> None:
    result = whole.result
    assert result.cameras == ("front",)  # ground-truth cameras are for judging only
    assert (result.device, result.path, result.num_views, result.steps) == ("cpu", "logged", 6, 60)
    assert result.num_gaussians == count_gaussians(result.scene)
    assert not result.was_interrupted
    assert result.seconds_refine > 0
    assert result.checkpoints[-1].step == 60
    assert result.checkpoints[-1].psnr_db > result.checkpoints[0].psnr_db + 3
    seconds = [checkpoint.seconds for checkpoint in result.checkpoints]
    assert seconds == sorted(seconds)


def test_progress_names_each_stage_and_counts_every_step(whole: Run) -> None:
    stages = list(dict.fromkeys(progress.stage for progress in whole.heard))
    assert stages == ["register sweeps", "read images", "initialise", "refine"]
    steps = [progress for progress in whole.heard if progress.stage == "refine"]
    assert [progress.step for progress in steps] == list(range(1, 61))
    assert {progress.num_steps for progress in steps} == {60}
    assert steps[-1].num_gaussians == whole.result.num_gaussians


def test_the_background_behind_a_moving_actor_is_the_wall_and_not_the_actor(tiny_world: TinyWorld, whole: Run) -> None:
    scene, truth = whole.result.scene, tiny_world.scene
    assert [actor.actor_id for actor in scene.actors] == ["car-1"]
    world_from_camera = truth.world_from_rig.poses[3] @ truth.rig.camera("front").rig_from_camera
    stamp_ns = START_NS + 3 * STEP_NS
    expected = render(replace(truth, actors=()), CAMERA, world_from_camera, stamp_ns).colour[0]
    with_car = render(truth, CAMERA, world_from_camera, stamp_ns).colour[0]
    is_car = (with_car - expected).abs().amax(dim=-1) > 0.3
    assert int(is_car.sum()) > 200
    without = render(replace(scene, actors=()), CAMERA, world_from_camera, stamp_ns).colour[0]
    assert psnr_db(without, expected, is_car) > psnr_db(with_car, expected, is_car) + 8
    assert psnr_db(without, expected, is_car) > 18


def test_every_gaussian_of_the_result_is_finite(whole: Run) -> None:
    scene = whole.result.scene
    parts = [scene.background, scene.distant, *(actor.gaussians_box for actor in scene.actors)]
    assert all(bool(getattr(part, f.name).isfinite().all()) for part in parts for f in fields(Gaussians))


def all_tensors(scene: Scene) -> list[torch.Tensor]:
    parts = [scene.background, scene.distant, *(actor.gaussians_box for actor in scene.actors)]
    return [getattr(part, f.name) for part in parts for f in fields(Gaussians)] + [scene.world_from_rig.poses]


def are_equal(one: Scene, other: Scene) -> bool:
    pairs = zip(all_tensors(one), all_tensors(other), strict=True)
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


def test_equal_seeds_give_the_same_scene_to_the_last_bit(tiny_world: TinyWorld) -> None:
    one, same, other = (run(tiny_world.recording, settings_of(12, seed=seed)).result.scene for seed in (3, 3, 4))
    assert are_equal(one, same)
    assert not are_equal(one, other)


def test_stopping_early_leaves_a_usable_scene(tiny_world: TinyWorld, first: Run) -> None:
    stopped = run(tiny_world.recording, settings_of(1000), stop_after=8).result
    assert stopped.was_interrupted
    assert stopped.steps == 8
    assert len(stopped.checkpoints) >= 1
    before = held_out(first.result.scene, tiny_world.recording).total
    assert held_out(stopped.scene, tiny_world.recording).total.psnr_db > before.psnr_db


def test_stopping_before_the_first_step_leaves_the_first_scene(first: Run) -> None:
    assert first.result.was_interrupted
    assert (first.result.steps, first.result.checkpoints) == (0, ())
    assert first.result.num_gaussians > 1000


def test_a_snapshot_shows_the_scene_as_it_stands(tiny_world: TinyWorld) -> None:
    snapshots = []

    def listen(progress: Progress) -> None:
        if progress.step in (1, 6) and progress.snapshot is not None:
            snapshots.append(progress.snapshot())

    result = reconstruct(tiny_world.recording, settings_of(6), Hooks(time.monotonic, listen))
    early, late = snapshots
    assert are_equal(late, result.scene)
    assert not are_equal(early, late)


def test_a_budget_bounds_the_loop_whatever_the_steps(tiny_world: TinyWorld) -> None:
    optimise = OptimiseSettings(steps=1, budget_s=6.0)
    watcher = Watcher()
    result = reconstruct(tiny_world.recording, settings_of(1, optimise=optimise), watcher.hooks(TickingClock()))
    assert 4 <= result.steps <= 12  # a step looks at the clock once or twice
    assert result.seconds_refine <= 9.0
    assert not result.was_interrupted
    assert watcher.heard[-1].num_steps == result.steps


def test_the_bound_on_gaussians_holds_to_the_end(tiny_world: TinyWorld) -> None:
    greedy = DensifySettings(every_steps=3, from_fraction=0.0, until_fraction=1.0, grow_fraction=1.0, min_gradient=0.0)
    optimise = OptimiseSettings(steps=12, densify=greedy)
    result = run(tiny_world.recording, settings_of(12, max_gaussians=1000, optimise=optimise)).result
    counts = [checkpoint.num_gaussians for checkpoint in result.checkpoints]
    assert max(counts) == 1000
    assert result.num_gaussians <= 1000


def test_without_lidar_stereo_gives_the_first_scene(textured: MemoryRecording) -> None:
    blind = replace(textured, rig=make_rig(has_lidar=False), all_sweeps=())
    finished = run(blind, settings_of(40))
    first_step = next(progress for progress in finished.heard if progress.stage == "refine")
    assert first_step.num_gaussians > 2000
    assert finished.result.path == "logged"
    after = held_out(finished.result.scene, blind).total
    assert after.psnr_db > first_step_psnr_db(finished) + 2
    assert after.depth_mae_m is None


def first_step_psnr_db(finished: Run) -> float:
    """How well the first scene explains the first training view."""
    psnr = next(progress.psnr_db for progress in finished.heard if progress.stage == "refine")
    assert psnr is not None
    return psnr


def test_the_path_can_be_refined_with_the_scene_or_left_as_logged(tiny_world: TinyWorld, whole: Run) -> None:
    logged = tiny_world.recording.world_from_rig
    assert whole.result.scene.world_from_rig.stamps_ns.tolist() == logged.stamps_ns.tolist()
    moved_m = (whole.result.scene.world_from_rig.poses - logged.poses)[:, :3, 3].norm(dim=-1)
    assert 0 < float(moved_m.max()) < 0.1
    still = OptimiseSettings(steps=4, poses=replace(OptimiseSettings().poses, learning_rate=0.0))
    fixed = run(tiny_world.recording, settings_of(4, optimise=still)).result.scene.world_from_rig
    assert torch.allclose(fixed.poses, logged.poses, atol=1e-12)


def test_cuda_is_refused_in_words_where_there_is_none(tiny_world: TinyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(MissingFeatureError, match=r"device cuda was asked for, but torch finds no CUDA device; use"):
        run(tiny_world.recording, settings_of(1, device="cuda"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ReconstructionSettings(holdout=1), r"holdout 1 would keep every frame out; use 2 or more"),
        (lambda: ReconstructionSettings(holdout=-1), r"holdout must be between 0 and 1000000, got -1"),
        (lambda: ReconstructionSettings(max_gaussians=10), r"max_gaussians must be between 1000 and 100000000, got 10"),
        (lambda: OptimiseSettings(steps=0), r"steps must be between 1 and 10000000, got 0"),
        (lambda: OptimiseSettings(sh_degree=4), r"sh_degree must be between 0 and 3, got 4"),
        (lambda: OptimiseSettings(ssim_weight=1.5), r"ssim_weight must be between 0 and 1, got 1.5"),
        (lambda: OptimiseSettings(budget_s=-1.0), r"budget_s must be between 0 and 1000000, got -1.0"),
    ],
)
def test_settings_out_of_bounds_are_refused_in_words(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()


def test_a_camera_that_does_not_exist_is_refused_with_those_that_do(tiny_world: TinyWorld) -> None:
    with pytest.raises(InputError, match=r"there is no camera 'rear'; this rig has: front, off_left_1m"):
        run(tiny_world.recording, settings_of(1, cameras=("rear",)))


def test_too_few_frames_are_refused_in_words(tiny_world: TinyWorld) -> None:
    alone = replace(tiny_world.recording, all_frames=tiny_world.recording.all_frames[:1])
    with pytest.raises(InputError, match=r"at least 2 camera frames are needed to reconstruct, 1 are left"):
        run(alone, settings_of(1))
