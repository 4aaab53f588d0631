import math

import torch

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.rig import Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.rendering.rasterize import rasterize
from gs_sim.rendering.render import render, views_of
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import SH_C0, Gaussians, concatenate, empty_gaussians
from gs_sim.scene.scene import Scene, gaussians_at

IDENTITY = torch.eye(4, dtype=torch.float64)
PINHOLE = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)


def blob(x: float, y: float, z: float, sigma_m: float = 0.3) -> Gaussians:
    return Gaussians(
        means=torch.tensor([[x, y, z]]),
        log_scales=torch.full((1, 3), math.log(sigma_m)),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        opacity_logits=torch.tensor([3.0]),
        sh=torch.full((1, 1, 3), 0.5 / SH_C0),
    )


def still_path() -> Trajectory:
    return Trajectory(torch.tensor([0, 10]), torch.stack([IDENTITY, IDENTITY]))


def scene_with(background: Gaussians, actors: tuple[Actor, ...] = ()) -> Scene:
    rig = Rig(cameras=(), lidars=())
    return Scene(background, empty_gaussians(), actors, rig, still_path(), IDENTITY)


def test_a_scene_is_rendered_as_its_gaussians_at_that_moment() -> None:
    path = Trajectory(
        torch.tensor([0, 10]),
        torch.stack([IDENTITY, pose_from(IDENTITY[:3, :3], torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))]),
    )
    actor = Actor("1", "car", (1.0, 1.0, 1.0), blob(0.0, 0.0, 5.0), path)
    scene = scene_with(blob(-1.0, 0.0, 6.0), (actor,))
    for stamp_ns in (0, 5, 10):
        shown = render(scene, PINHOLE, IDENTITY, stamp_ns).colour
        expected = rasterize(gaussians_at(scene, stamp_ns), views_of(PINHOLE, IDENTITY[None], "cpu")).colour
        assert torch.equal(shown, expected)
    assert not torch.equal(render(scene, PINHOLE, IDENTITY, 0).colour, render(scene, PINHOLE, IDENTITY, 10).colour)
    gone = render(scene, PINHOLE, IDENTITY, 11).colour
    assert torch.equal(gone, render(scene_with(blob(-1.0, 0.0, 6.0)), PINHOLE, IDENTITY, 0).colour)


def test_a_lens_shows_a_blob_where_the_lens_puts_it() -> None:
    camera = Camera(64, 48, 50.0, 50.0, 32.0, 24.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
    scene = scene_with(blob(1.8, 0.9, 5.0, sigma_m=0.15))
    opacity = render(scene, camera, IDENTITY, 0).opacity[0]
    assert opacity.shape == (48, 64)
    rows, columns = torch.meshgrid(torch.arange(48) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    found = torch.stack([(columns * opacity).sum(), (rows * opacity).sum()]) / opacity.sum()
    x, y = 1.8 / 5, 0.9 / 5
    r2 = x * x + y * y
    stretch = 1 - 0.2 * r2 + 0.05 * r2 * r2
    expected = torch.tensor([32 + 50 * x * stretch, 24 + 50 * y * stretch])
    torch.testing.assert_close(found, expected, atol=0.3, rtol=0)


def test_a_lens_keeps_depth_and_does_not_mix_it_with_emptiness() -> None:
    camera = Camera(64, 48, 50.0, 50.0, 32.0, 24.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
    shown = render(scene_with(concatenate([blob(0.0, 0.0, 5.0), blob(1.0, 0.0, 5.0)])), camera, IDENTITY, 0)
    seen = shown.opacity > 0.01
    torch.testing.assert_close(shown.depth_m[seen], torch.full_like(shown.depth_m[seen], 5.0), atol=1e-3, rtol=0)
    assert shown.depth_m[shown.opacity == 0].abs().max() == 0


def test_the_image_does_not_depend_on_the_choice_of_the_world_frame() -> None:
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    other_from_world = pose_from(turn, torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64))
    scene = scene_with(concatenate([blob(0.2, 0.1, 5.0), blob(-0.5, 0.3, 7.0)]))
    shown = render(scene, PINHOLE, IDENTITY, 0).colour
    means = scene.background.means @ turn.float().T + torch.tensor([3.0, -2.0, 1.0])
    moved = Gaussians(means, scene.background.log_scales, scene.background.quaternions, *_rest(scene.background))
    again = render(scene_with(moved), PINHOLE, other_from_world, 0).colour
    torch.testing.assert_close(again, shown, atol=1e-5, rtol=0)


def _rest(gaussians: Gaussians) -> tuple[torch.Tensor, torch.Tensor]:
    return gaussians.opacity_logits, gaussians.sh
