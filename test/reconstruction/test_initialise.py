"""The first scene: where Gaussians stand, how wide they are, and that there are never too many."""

from dataclasses import replace

import pytest
import torch
from tiny_world import CAMERA, TinyWorld, grey_view

from gs_sim.errors import ConfigError, InputError
from gs_sim.geometry.pose import rotation_from_quaternion
from gs_sim.reconstruction.cloud import Cloud, with_lidar_depth
from gs_sim.reconstruction.initialise import (
    InitialiseSettings,
    covered_pixels,
    gaussians_on,
    initialise,
    thin_to,
)
from gs_sim.reconstruction.reconstruct import count_gaussians
from gs_sim.reconstruction.views import load_training_views
from gs_sim.scene.gaussians import SH_C0
from gs_sim.scene.scene import Scene
from gs_sim.sensing.recording import MemoryRecording

SETTINGS = InitialiseSettings()


def grid(spacing_m: float, distance_m: float = 10.0, count: int = 20) -> Cloud:
    steps = (torch.arange(count) - count / 2) * spacing_m
    across, up = torch.meshgrid(steps, steps, indexing="ij")
    points = torch.stack([torch.full_like(across, distance_m), across, up], dim=-1).reshape(-1, 3)
    return Cloud(points, torch.full_like(points, 0.25), torch.full((len(points),), distance_m))


def first_scene(recording: MemoryRecording, max_gaussians: int = 400_000) -> Scene:
    views = with_lidar_depth(recording, load_training_views(recording, ("front",), 0, 0))
    return initialise(recording, views, max_gaussians, SETTINGS)


def test_gaussians_on_a_wall_are_as_wide_as_its_spacing_and_flat_along_its_normal() -> None:
    cloud = grid(0.2)
    gaussians = gaussians_on(cloud, CAMERA.fx, 0.7, 0.2)
    scales_m = gaussians.scales_m.sort(dim=-1).values
    assert torch.allclose(scales_m[:, 1:].median(), torch.tensor(0.2), atol=0.02)
    assert torch.allclose(scales_m[:, 0], 0.2 * scales_m[:, 2], atol=1e-4)
    thinnest = gaussians.log_scales.argmin(dim=-1)
    normals = rotation_from_quaternion(gaussians.quaternions)[torch.arange(len(cloud)), :, thinnest]
    assert float(normals[:, 0].abs().min()) > 0.99
    assert torch.allclose(gaussians.opacities, torch.tensor(0.7))
    assert torch.allclose(0.5 + SH_C0 * gaussians.sh[:, 0], cloud.rgb)


def test_a_lone_point_does_not_become_a_giant() -> None:
    cloud = grid(30.0, count=3)
    widest_m = float(gaussians_on(cloud, CAMERA.fx, 0.7, 1.0).scales_m.max())
    assert widest_m <= 4 * 10.0 / CAMERA.fx + 0.051


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_points_make_no_surface(count: int) -> None:
    assert len(gaussians_on(grid(0.1, count=count), CAMERA.fx, 0.7, 0.2)) == 0


def test_thinning_respects_its_bound_and_the_density_of_pixels() -> None:
    cloud = grid(0.05, count=60)
    by_pixel = thin_to(cloud, CAMERA.fx, 1.0, 10**6)
    assert 0.5 < len(by_pixel) / (3.0 * CAMERA.fx / 10.0) ** 2 < 2.0  # 3 m wide and high, one point in a pixel
    for most in (400, 37, 1, 0):
        assert len(thin_to(cloud, CAMERA.fx, 1.0, most)) <= most


@pytest.mark.parametrize("max_gaussians", [1000, 3000])
def test_the_first_scene_never_has_more_gaussians_than_allowed(tiny_world: TinyWorld, max_gaussians: int) -> None:
    scene = first_scene(tiny_world.recording, max_gaussians)
    assert 300 < count_gaussians(scene) <= max_gaussians
    assert len(scene.actors) == 1


def test_many_actors_share_what_is_theirs(tiny_world: TinyWorld) -> None:
    car = tiny_world.recording.tracks[0]
    tracks = tuple(replace(car, actor_id=f"car-{number}") for number in range(6))
    scene = first_scene(replace(tiny_world.recording, tracks=tracks), 3000)
    counts = [len(actor.gaussians_box) for actor in scene.actors]
    assert len(counts) == 6
    assert min(counts) > 20
    assert sum(counts) <= 3000 // 8
    assert count_gaussians(scene) <= 3000


def test_pixels_around_points_are_covered_and_no_others() -> None:
    cloud = Cloud(torch.tensor([[10.0, 0.0, 0.0]]), torch.zeros(1, 3), torch.zeros(1))
    covered = covered_pixels(cloud, grey_view(), margin_px=2)
    assert covered.nonzero().amin(dim=0).tolist() == [30, 46]
    assert int(covered.sum()) == 25
    assert not bool(covered_pixels(Cloud(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0)), grey_view()).any())


def test_the_first_scene_has_walls_where_they_are_and_actors_in_their_boxes(tiny_world: TinyWorld) -> None:
    scene = first_scene(tiny_world.recording)
    assert float((scene.background.means[:, 0] - 12.0).abs().median()) < 0.05
    assert [actor.actor_id for actor in scene.actors] == ["car-1"]  # nothing was measured of the parked one
    assert float(scene.actors[0].gaussians_box.means.abs().max()) < 1.3
    rgb = (0.5 + SH_C0 * scene.actors[0].gaussians_box.sh[:, 0]).median(dim=0).values
    assert float(rgb[0]) > 0.6
    assert float(rgb[1]) < 0.3


def test_cameras_that_see_neither_points_nor_parallax_are_refused_in_words(tiny_world: TinyWorld) -> None:
    recording = replace(tiny_world.recording, all_sweeps=(), rig=replace(tiny_world.recording.rig, lidars=()))
    with pytest.raises(InputError, match=r"no camera sees any LiDAR point and stereo finds no depth either; check"):
        first_scene(recording)


def test_settings_out_of_bounds_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"first opacities lie between 0 and 1, got 1.0 and 0.4"):
        InitialiseSettings(lidar_opacity=1.0)
    with pytest.raises(ConfigError, match=r"must be positive"):
        InitialiseSettings(points_per_pixel=0.0)
