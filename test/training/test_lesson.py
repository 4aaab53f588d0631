"""Lessons: drawn from a seed, split into what may be seen and what judges, kept on disk."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_lesson import SMALL_LESSONS

from gs_sim.errors import ConfigError, StorageError
from gs_sim.sensing.holdout import is_ground_truth_camera
from gs_sim.training.lesson import Lesson, LessonSettings, street_settings
from gs_sim.training.lesson_file import has_lesson, load_lesson, save_lesson
from gs_sim.training.lesson_pool import Cache, LessonPool


def test_source_views_are_of_the_path_and_judges_are_never_among_them(lesson: Lesson) -> None:
    assert not any(is_ground_truth_camera(view.camera_name) for view in lesson.source)
    fed = {(view.camera_name, view.index) for view in lesson.source}
    judges = {(view.camera_name, view.index) for view in lesson.novel}
    assert not fed & judges
    assert {view.index for view in lesson.novel if view.camera_name == "front"} == {1, 4}
    assert {view.camera_name for view in lesson.novel} >= {"front", "off_left_3m", "off_yaw_right_10"}


def test_streets_differ_with_their_seed_in_size_and_sensors() -> None:
    drawn = [street_settings(seed, LessonSettings(), "cpu") for seed in range(30)]
    assert len({each.width_px for each in drawn}) > 3
    assert len({(each.lidar_rings, each.lidar_columns) for each in drawn}) > 4
    assert all(160 <= each.width_px <= 320 for each in drawn)
    assert drawn[3] == street_settings(3, LessonSettings(), "cpu")


def test_a_lesson_on_disk_is_the_lesson_that_was_drawn(lesson: Lesson, tmp_path: Path) -> None:
    assert not has_lesson(tmp_path / "7")
    save_lesson(lesson, tmp_path / "7")
    assert has_lesson(tmp_path / "7")
    read = load_lesson(tmp_path / "7")
    assert read.seed == lesson.seed
    for before, after in ((lesson.source, read.source), (lesson.novel, read.novel)):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert (one.camera_name, one.index, one.stamp_ns) == (other.camera_name, other.index, other.stamp_ns)
            assert one.camera == other.camera
            assert torch.equal(one.rgb, other.rgb)
            assert torch.equal(one.world_from_camera, other.world_from_camera)
    assert torch.allclose(lesson.scene.background.means, read.scene.background.means)


def test_a_damaged_lesson_is_refused_and_says_what_to_do(lesson: Lesson, tmp_path: Path) -> None:
    save_lesson(lesson, tmp_path / "7")
    views = tmp_path / "7" / "views.safetensors"
    views.write_bytes(views.read_bytes()[:-50])
    with pytest.raises(StorageError, match="is no lesson .* is drawn again"):
        load_lesson(tmp_path / "7")


def test_lessons_of_other_settings_do_not_mix(tmp_path: Path) -> None:
    Cache(tmp_path, SMALL_LESSONS).claim()
    Cache(tmp_path, SMALL_LESSONS).claim()
    with pytest.raises(StorageError, match="other settings"):
        LessonPool(Cache(tmp_path, replace(SMALL_LESSONS, widest_px=64)), [1], 0)


def test_a_pool_hands_out_what_is_in_the_cache(lesson: Lesson, tmp_path: Path) -> None:
    cache = Cache(tmp_path, SMALL_LESSONS)
    with LessonPool(cache, [7], 0) as pool:
        save_lesson(lesson, cache.folder_of(7))
        assert pool.lesson(7).seed == lesson.seed
        assert pool.lesson(7) is pool.lesson(7)


def test_settings_that_no_street_can_have_are_refused() -> None:
    with pytest.raises(ConfigError, match="every_novel"):
        LessonSettings(every_novel=1)
