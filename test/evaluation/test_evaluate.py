"""A scene judged against a recording that was rendered from it."""

import json
from dataclasses import replace

import pytest
import torch
from tiny_world import TinyWorld

from gs_sim.errors import ConfigError, InputError
from gs_sim.evaluation.evaluate import EvaluationSettings, FrameComparison, evaluate
from gs_sim.evaluation.pictures import PictureBook
from gs_sim.evaluation.report import ReportSource, report_page
from gs_sim.evaluation.summary import Evaluation, evaluation_document
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.scene import Scene


def judged(world: TinyWorld, settings: EvaluationSettings | None = None, scene: Scene | None = None) -> Evaluation:
    return evaluate(scene or world.scene, world.recording, settings or EvaluationSettings(), ignore)


@pytest.fixture(scope="module")
def whole(tiny_world: TinyWorld) -> Evaluation:
    """The scene as it is, judged on every frame."""
    return judged(tiny_world)


def ignore(_comparison: FrameComparison, _done: int, _total: int) -> None:
    """Keep nothing."""


def moved(trajectory: Trajectory, x: float, y: float) -> Trajectory:
    shift = pose_from(torch.eye(3, dtype=torch.float64), torch.tensor([x, y, 0.0], dtype=torch.float64))
    return Trajectory(trajectory.stamps_ns, shift @ trajectory.poses)


def test_a_scene_explains_the_images_that_were_rendered_from_it(whole: Evaluation) -> None:
    evaluation = whole
    assert evaluation.cameras == ("front",)
    assert evaluation.total.num_frames == 8
    assert evaluation.total.psnr_db > 50  # only the rounding of the images to 8 bit is left
    assert evaluation.total.ssim > 0.995
    assert evaluation.total.psnr_actors_db is not None
    assert evaluation.total.psnr_actors_db > 50


def test_a_displaced_scene_scores_lower(tiny_world: TinyWorld) -> None:
    scene = replace(tiny_world.scene, world_from_rig=moved(tiny_world.scene.world_from_rig, 0.0, 0.3))
    assert judged(tiny_world, scene=scene).total.psnr_db < 30


def test_depth_agrees_with_lidar_where_the_scene_stands_where_it_was_measured(whole: Evaluation) -> None:
    evaluation = whole
    assert evaluation.total.num_depth_points > 1000
    assert evaluation.total.depth_mae_m is not None
    assert evaluation.total.depth_mae_m < 0.2  # the soft edges of the car reach a little beyond its box


def test_a_scene_pushed_away_by_a_metre_is_a_metre_deeper_than_lidar_says(tiny_world: TinyWorld) -> None:
    background = tiny_world.scene.background
    away = replace(background, means=background.means + torch.tensor([1.0, 0.0, 0.0]))
    scene = replace(tiny_world.scene, background=away, actors=())
    assert judged(tiny_world, scene=scene).total.depth_mae_m == pytest.approx(1.0, abs=0.1)


def test_an_empty_scene_has_no_depth_to_compare_and_says_how_many_points_it_missed(tiny_world: TinyWorld) -> None:
    nothing = torch.zeros(len(tiny_world.scene.background), dtype=torch.bool)
    scene = replace(tiny_world.scene, background=tiny_world.scene.background.select(nothing), actors=())
    total = judged(tiny_world, scene=scene).total
    assert total.depth_mae_m is None
    assert total.num_depth_points == 0
    assert total.num_lidar_points > 1000


def test_only_held_out_frames_are_judged_when_asked(tiny_world: TinyWorld) -> None:
    evaluation = judged(tiny_world, EvaluationSettings(holdout=4))
    assert [score.index for score in evaluation.per_frame] == [2, 6]


def test_a_scene_without_its_actor_loses_where_the_actor_is(tiny_world: TinyWorld, whole: Evaluation) -> None:
    without = judged(tiny_world, scene=replace(tiny_world.scene, actors=())).total
    assert without.psnr_actors_db is not None
    assert whole.total.psnr_actors_db is not None
    assert without.psnr_actors_db < 15 < whole.total.psnr_actors_db
    assert without.psnr_actors_db < without.psnr_db  # the rest of the image is still right


def test_parked_actors_do_not_count_as_moving(tiny_world: TinyWorld) -> None:
    parked = tuple(track for track in tiny_world.recording.tracks if track.actor_id == "parked")
    world = replace(tiny_world, recording=replace(tiny_world.recording, tracks=parked))
    total = judged(world).total
    assert total.psnr_actors_db is None
    assert total.num_frames_with_actors == 0


def test_ground_truth_cameras_are_judged_only_when_named_and_reported_one_by_one(tiny_world: TinyWorld) -> None:
    evaluation = judged(tiny_world, EvaluationSettings(cameras=("off_left_1m", "front")))
    assert list(evaluation.per_camera) == ["off_left_1m", "front"]
    assert evaluation.per_camera["off_left_1m"].psnr_db > 50
    assert evaluation.total.num_frames == 16


def test_images_are_compared_at_the_width_asked_for(tiny_world: TinyWorld) -> None:
    sizes = []
    settings = EvaluationSettings(width_px=48)
    evaluation = evaluate(tiny_world.scene, tiny_world.recording, settings, lambda c, *_: sizes.append(c.truth.shape))
    assert set(sizes) == {(32, 48, 3)}
    assert evaluation.width_px == 48


def test_a_recording_in_another_world_frame_is_judged_along_the_scenes_own_path(
    tiny_world: TinyWorld, whole: Evaluation
) -> None:
    recording = tiny_world.recording
    elsewhere = replace(
        recording,
        world_from_rig=moved(recording.world_from_rig, 40.0, -7.0),
        tracks=tuple(replace(t, world_from_box=moved(t.world_from_box, 40.0, -7.0)) for t in recording.tracks),
    )
    there = judged(replace(tiny_world, recording=elsewhere))
    assert there.total.psnr_db == pytest.approx(whole.total.psnr_db, abs=0.05)
    assert there.total.psnr_actors_db == pytest.approx(whole.total.psnr_actors_db, abs=0.05)
    assert there.total.depth_mae_m == pytest.approx(whole.total.depth_mae_m, abs=0.01)


def test_frames_beyond_the_scenes_path_are_counted_not_judged(tiny_world: TinyWorld) -> None:
    path = tiny_world.scene.world_from_rig
    scene = replace(tiny_world.scene, world_from_rig=Trajectory(path.stamps_ns[:4], path.poses[:4]))
    evaluation = judged(tiny_world, scene=scene)
    assert evaluation.total.num_frames == 5  # four, and one within a pose period
    assert evaluation.num_frames_outside_path == 3


def test_a_bag_of_another_time_is_refused_with_a_hint(tiny_world: TinyWorld) -> None:
    path = tiny_world.scene.world_from_rig
    scene = replace(tiny_world.scene, world_from_rig=Trajectory(path.stamps_ns + 10**15, path.poses))
    with pytest.raises(InputError, match="8 frames lie outside the scene's path.*check that the bag"):
        judged(tiny_world, scene=scene)


def test_an_unknown_camera_is_refused_with_the_known_ones(tiny_world: TinyWorld) -> None:
    with pytest.raises(InputError, match="no camera 'rear'.*front, off_left_1m"):
        judged(tiny_world, EvaluationSettings(cameras=("rear",)))


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="holdout"):
        EvaluationSettings(holdout=-1)
    with pytest.raises(ConfigError, match="width_px"):
        EvaluationSettings(width_px=-5)


def test_the_document_holds_the_promised_keys_and_is_json(tiny_world: TinyWorld) -> None:
    document = json.loads(json.dumps(evaluation_document(judged(tiny_world, EvaluationSettings(holdout=4)))))
    promised = {"psnr_db", "ssim", "num_frames", "psnr_actors_db", "depth_mae_m", "per_frame"}
    assert promised <= set(document)
    assert document["num_frames"] == len(document["per_frame"]) == 2
    assert document["psnr_db"] == pytest.approx(sum(f["psnr_db"] for f in document["per_frame"]) / 2)
    assert {"camera", "index", "stamp_ns", "psnr_db", "ssim"} <= set(document["per_frame"][0])


def test_the_report_is_one_file_with_pictures_numbers_and_curves(tiny_world: TinyWorld) -> None:
    book = PictureBook(max_per_camera=2)
    settings = EvaluationSettings(cameras=("front", "off_left_1m"))
    evaluation = evaluate(tiny_world.scene, tiny_world.recording, settings, lambda comparison, *_: book.add(comparison))
    reconstruction = {
        "method": "optimise",
        "num_gaussians": 1234567,
        "configuration": {"optimise": {"steps": 7}},
        "checkpoints": [{"seconds": 1.0, "psnr_db": 18.0}, {"seconds": 2.0, "psnr_db": 20.5}],
    }
    source = ReportSource("<my> scene", "drive.mcap", reconstruction, "a laptop")
    page = report_page(evaluation, book, source)
    assert "&lt;my&gt; scene" in page
    assert "<my>" not in page
    assert page.count("data:image/jpeg;base64,") % 4 == 0
    assert 4 * 4 <= page.count("data:image/jpeg;base64,") <= 4 * (2 * 2 + 2)
    assert f"{evaluation.total.psnr_db:.2f}" in page
    assert page.count("<svg") == 2
    assert "configuration.optimise.steps" in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_picture_book_keeps_few_frames_spread_over_the_drive(tiny_world: TinyWorld) -> None:
    book = PictureBook(max_per_camera=3)
    settings = EvaluationSettings(cameras=("front",))
    evaluate(tiny_world.scene, tiny_world.recording, settings, lambda comparison, *_: book.add(comparison))
    kept = [picture.score.index for picture in book.spread]
    assert len(kept) == 3
    assert kept[0] == 0
    assert kept[-1] >= 4
    assert book.best is not None
    assert book.worst is not None
    assert book.worst.score.psnr_db <= book.best.score.psnr_db
