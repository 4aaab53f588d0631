"""Depth from neighbouring views alone: right where there is detail, silent where there is none."""

from dataclasses import replace

import pytest
import torch
from textured_world import CAMERA, RIG_FROM_CAMERA, START_NS, driven_path, see

from gs_sim.errors import ConfigError
from gs_sim.reconstruction.cloud import Cloud, project
from gs_sim.reconstruction.stereo import StereoSettings, reduce_mask, stereo_cloud
from gs_sim.reconstruction.views import TrainingView, reduce_view

SETTINGS = StereoSettings(num_planes=48, nearest_m=4.0, farthest_m=100.0)


@pytest.fixture(scope="module")
def views() -> tuple[TrainingView, ...]:
    """A metre of driving from each to the next."""
    path = driven_path(14)
    return tuple(
        TrainingView("front", i, int(path.stamps_ns[i]), CAMERA, see(pose @ RIG_FROM_CAMERA)[0], pose @ RIG_FROM_CAMERA)
        for i, pose in enumerate(path.poses)
        if i % 2 == 0
    )


def nothing_known(views: tuple[TrainingView, ...]) -> list[torch.Tensor]:
    return [torch.zeros(CAMERA.height_px, CAMERA.width_px, dtype=torch.bool) for _ in views]


@pytest.fixture(scope="module")
def cloud(views: tuple[TrainingView, ...]) -> Cloud:
    return stereo_cloud(views, nothing_known(views), SETTINGS)


def relative_errors(cloud: Cloud, view: TrainingView) -> torch.Tensor:
    """How far the depths of points are off from what the view's pixels truly see."""
    pixels, depth_m = project(cloud.points, view)
    inside = (depth_m > 0.5) & (pixels >= 0).all(dim=-1) & (pixels[:, 0] < CAMERA.width_px)
    inside &= pixels[:, 1] < CAMERA.height_px
    true_m = see(view.world_from_camera)[1][pixels[inside, 1].long(), pixels[inside, 0].long()]
    return (depth_m[inside] / true_m - 1).abs()


def test_depths_of_textured_surfaces_are_right_within_a_few_percent(
    cloud: Cloud, views: tuple[TrainingView, ...]
) -> None:
    assert len(cloud) > 2000
    errors = relative_errors(cloud, views[0])
    assert len(errors) > 1000
    assert float(errors.median()) < 0.02
    assert float((errors < 0.1).float().mean()) > 0.85


def test_stereo_points_have_the_colour_of_what_they_are(cloud: Cloud, views: tuple[TrainingView, ...]) -> None:
    pixels, depth_m = project(cloud.points, views[2])
    inside = (depth_m > 4) & (pixels > 1).all(dim=-1) & (pixels[:, 0] < CAMERA.width_px - 1)
    inside &= pixels[:, 1] < CAMERA.height_px - 1
    seen = views[2].rgb[pixels[inside, 1].long(), pixels[inside, 0].long()].float() / 255
    assert float((seen - cloud.rgb[inside]).abs().median()) < 0.1


def test_a_wall_of_one_colour_and_the_sky_are_not_claimed(cloud: Cloud) -> None:
    """The right facade stands at y = -8 without any texture."""
    on_facade = (cloud.points[:, 1] < -7.5) & (cloud.points[:, 2] > 1.0) & (cloud.points[:, 0] < 30)
    on_other_side = (cloud.points[:, 1] > 7.5) & (cloud.points[:, 2] > 1.0) & (cloud.points[:, 0] < 30)
    assert float(on_other_side.float().mean()) > 0.08
    assert int(on_facade.sum()) < 0.05 * int(on_other_side.sum())
    assert float((cloud.points[:, 0] > 45).float().mean()) < 0.02  # nothing stands beyond the end wall


def test_faint_shading_that_fits_any_depth_is_not_claimed(views: tuple[TrainingView, ...]) -> None:
    columns = torch.arange(CAMERA.width_px)
    shading = (120 + columns // 6).to(torch.uint8)[None, :, None].expand(CAMERA.height_px, -1, 3)
    shaded = tuple(replace(view, rgb=shading) for view in views)
    assert len(stereo_cloud(shaded, nothing_known(views), SETTINGS)) == 0


def test_pixels_whose_depth_is_known_are_left_to_lidar(views: tuple[TrainingView, ...]) -> None:
    known = nothing_known(views)
    for mask in known:
        mask[:, : CAMERA.width_px // 2] = True
    right = stereo_cloud(views, known, SETTINGS)
    assert len(right) > 300
    everything = [torch.ones_like(mask) for mask in known[:3]]
    assert len(stereo_cloud(views[:3], everything, SETTINGS)) == 0
    # the vehicle looks ahead: what lies left of the image's middle lies left of the road
    assert float((right.points[:, 1] > 5.0).float().mean()) < 0.05


@pytest.mark.parametrize("count", [1, 2])
def test_views_that_stand_still_show_no_parallax_and_give_nothing(count: int) -> None:
    pose = driven_path(2).poses[0] @ RIG_FROM_CAMERA
    still = tuple(TrainingView("front", i, START_NS + i, CAMERA, see(pose)[0], pose) for i in range(count))
    assert len(stereo_cloud(still, nothing_known(still), SETTINGS)) == 0


def test_reducing_a_view_keeps_what_each_pixel_sees(views: tuple[TrainingView, ...]) -> None:
    small = reduce_view(views[0], 2)
    assert (small.camera.width_px, small.camera.height_px) == (CAMERA.width_px // 2, CAMERA.height_px // 2)
    point = torch.tensor([[10.0, 1.0, 2.0]])
    assert torch.allclose(project(point, small)[0] * 2, project(point, views[0])[0], atol=1e-4)
    block = views[0].rgb[:2, :2].float().mean(dim=(0, 1))
    assert torch.allclose(small.rgb[0, 0].float(), block, atol=0.51)


def test_a_reduced_mask_is_set_where_any_part_is() -> None:
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[3, 5] = True
    assert reduce_mask(mask, 2).nonzero().tolist() == [[1, 2]]


def test_stereo_settings_out_of_bounds_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"stereo needs 0 < nearest_m < farthest_m, got 5.0 and 4.0"):
        StereoSettings(nearest_m=5.0, farthest_m=4.0)
    with pytest.raises(ConfigError, match=r"at least 8 planes and 1 neighbour, got 4 and 4"):
        StereoSettings(num_planes=4)
