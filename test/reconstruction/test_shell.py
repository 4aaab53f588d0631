"""Far away: what no point fills is closed, and what no view saw continues what lies next to it."""

import math
from dataclasses import replace

import torch
from tiny_world import CAMERA, TinyWorld, grey_view, optical_from

from gs_sim.geometry.pose import pose_from_twist
from gs_sim.reconstruction.shell import BEHIND, ShellSettings, backdrop, distant_shell
from gs_sim.rendering.render import render
from gs_sim.scene.gaussians import SH_C0

SETTINGS = ShellSettings(backdrop_deg=30.0)


def test_the_shell_stands_far_away_behind_pixels_that_nothing_fills() -> None:
    filled = torch.zeros(CAMERA.height_px, CAMERA.width_px, dtype=torch.bool)
    filled[:, : CAMERA.width_px // 2] = True
    shell = distant_shell([grey_view(), grey_view(5.0)], [filled, filled], 10_000, SETTINGS)
    assert torch.allclose((shell.means - torch.tensor([2.5, 0, 0])).norm(dim=-1), torch.tensor(402.5), atol=0.1)
    assert bool((shell.means[:, 1] < 5).all())  # the right half of the image is right of the road
    assert bool((shell.means[:, 0] > 0).all())
    assert torch.allclose(0.5 + SH_C0 * shell.sh, torch.tensor(200 / 255), atol=1e-5)
    nowhere = torch.ones_like(filled)
    assert len(distant_shell([grey_view()], [nowhere], 10_000, SETTINGS)) == 0
    assert 0 < len(distant_shell([grey_view()], [~nowhere], 50, SETTINGS)) <= 50


def test_the_shell_closes_the_image_without_holes(tiny_world: TinyWorld) -> None:
    nothing = torch.zeros(CAMERA.height_px, CAMERA.width_px, dtype=torch.bool)
    shell = distant_shell([grey_view()], [nothing], 10_000, SETTINGS)
    scene = replace(tiny_world.scene, background=shell, actors=())
    rendering = render(scene, CAMERA, grey_view().world_from_camera, 0)
    assert float(rendering.opacity.min()) > 0.65


def test_the_backdrop_lies_behind_the_shell_and_reaches_beyond_the_borders_of_the_image() -> None:
    reach_deg = 20.0
    gaussians = backdrop([grey_view()], 100_000, replace(SETTINGS, backdrop_deg=reach_deg))
    unit = torch.nn.functional.normalize(gaussians.means, dim=1)
    assert torch.allclose(gaussians.means.norm(dim=1), torch.tensor(BEHIND * SETTINGS.radius_m), atol=0.1)
    border_rad = math.atan(CAMERA.width_px / 2 / CAMERA.fx)
    level = unit[unit[:, 2].abs() < 0.05]
    angle = torch.atan2(level[:, 1], level[:, 0]).abs()
    assert border_rad + math.radians(reach_deg - 3) < float(angle.max()) < border_rad + math.radians(reach_deg + 1)


def test_the_backdrop_continues_the_colours_of_the_nearest_border(tiny_world: TinyWorld) -> None:
    seen = grey_view()
    rgb = seen.rgb.clone()
    rgb[:, : CAMERA.width_px // 2] = torch.tensor([250, 10, 10], dtype=torch.uint8)
    gaussians = backdrop([replace(seen, rgb=rgb)], 100_000, SETTINGS)
    red, green, _ = (0.5 + SH_C0 * gaussians.sh[:, 0]).unbind(-1)
    is_left = gaussians.means[:, 1] > 250
    assert bool((red[is_left] > 0.9).all())
    assert bool((green[is_left] < 0.1).all())
    scene = replace(tiny_world.scene, background=gaussians, actors=())
    yaw = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.4], dtype=torch.float64)
    turned = pose_from_twist(yaw) @ optical_from()
    rendering = render(scene, CAMERA, turned, 0)
    assert float(rendering.opacity.min()) > 0.65


def test_the_backdrop_keeps_to_its_number_and_can_be_left_out() -> None:
    assert 0 < len(backdrop([grey_view()], 60, SETTINGS)) <= 60
    assert len(backdrop([grey_view()], 60, replace(SETTINGS, backdrop_deg=0.0))) == 0
