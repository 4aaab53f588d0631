"""Corrections of the rig's poses: nothing at first, smooth in time, learned through the images."""

import math

import pytest
import torch
from tiny_world import CAMERA, NUM_FRAMES, START_NS, STEP_NS, WALL_M, TinyWorld, optical_from, path, splats

from gs_sim.errors import ConfigError
from gs_sim.geometry.pose import inverse, pose_from_twist, transform_points
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.reconstruction.refine_poses import (
    ROTATION_SCALE,
    PoseKnots,
    PoseSettings,
    corrections_at,
    knots_over,
    refined_trajectory,
    roughness,
)
from gs_sim.rendering.rasterize import rasterize
from gs_sim.rendering.render import views_of

END_NS = START_NS + (NUM_FRAMES - 1) * STEP_NS


def stamps(*seconds: float) -> torch.Tensor:
    return torch.tensor([START_NS + round(s * 1e9) for s in seconds])


def knots_of(*twists: list[float]) -> PoseKnots:
    return PoseKnots(START_NS, 200_000_000, torch.tensor(twists))


def test_knots_begin_as_the_identity_everywhere() -> None:
    knots = knots_over(START_NS, END_NS, PoseSettings())
    corrections = corrections_at(knots, stamps(-1.0, 0.0, 0.13, 0.7, 5.0))
    assert torch.equal(corrections, torch.eye(4, dtype=torch.float64).expand(5, 4, 4))
    assert float(roughness(knots)) == 0


def test_knots_cover_the_whole_span() -> None:
    for spacing_s in (0.05, 0.2, 0.3, 100.0):
        knots = knots_over(START_NS, END_NS, PoseSettings(knot_spacing_s=spacing_s))
        assert len(knots.twists) >= 2
        assert knots.start_ns + (len(knots.twists) - 1) * knots.spacing_ns >= END_NS
    assert len(knots_over(START_NS, START_NS, PoseSettings()).twists) == 2


def test_corrections_go_straight_from_knot_to_knot_and_hold_beyond_the_ends() -> None:
    still, ahead = [0.0] * 6, [0.4, 0.0, 0.0, 0.0, 0.0, 0.0]
    knots = knots_of(still, ahead, still)
    shifts = corrections_at(knots, stamps(-1.0, 0.0, 0.05, 0.2, 0.3, 0.4, 9.0))[:, 0, 3]
    assert shifts.tolist() == pytest.approx([0.0, 0.0, 0.1, 0.4, 0.2, 0.0, 0.0], abs=1e-6)


def test_knots_hold_rotations_in_tenths_of_a_radian() -> None:
    turn = [0.0, 0.0, 0.0, 0.0, 0.0, 0.5]
    rotation = corrections_at(knots_of(turn, turn), stamps(0.1))[0, :3, :3]
    assert float(rotation[1, 0]) == pytest.approx(math.sin(0.5 * ROTATION_SCALE), abs=1e-6)


def test_a_bent_path_of_knots_is_rough_and_a_drift_at_constant_speed_is_not() -> None:
    bent = knots_of([0.0] * 6, [0.1] * 6, [0.0] * 6)
    steady = knots_of([-0.1] * 6, [0.0] * 6, [0.1] * 6)
    assert float(roughness(bent)) > 0.1
    assert float(roughness(steady)) < 1e-6


def test_the_refined_path_has_the_logged_stamps_and_those_of_the_views(tiny_world: TinyWorld) -> None:
    straight = tiny_world.recording.world_from_rig
    turned = pose_from_twist(torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 1.2], dtype=torch.float64))
    logged = Trajectory(straight.stamps_ns, turned @ straight.poses)
    knots = knots_over(START_NS, END_NS, PoseSettings())
    between_ns = stamps(0.05, 0.3, 0.72)
    same = refined_trajectory(logged, knots, between_ns, 10**9)
    assert set(same.stamps_ns.tolist()) == set(logged.stamps_ns.tolist()) | set(between_ns.tolist())
    assert torch.allclose(same.poses, poses_at(logged, same.stamps_ns, 10**9), atol=1e-12)
    knots.twists[:, 1] = 0.25
    left = refined_trajectory(logged, knots, between_ns, 10**9)
    shifted_m = (inverse(same.poses) @ left.poses)[:, :3, 3]
    assert torch.allclose(shifted_m, torch.tensor([0.0, 0.25, 0.0], dtype=torch.float64).expand_as(shifted_m))


def test_a_small_pose_error_is_found_from_the_images() -> None:
    # not on one plane, where the slightest turn changes which splat lies in front
    generator = torch.Generator().manual_seed(3)
    means = torch.rand(1500, 3, generator=generator) * torch.tensor([6.0, 16.0, 10.0]) + torch.tensor([8.0, -8.0, -5.0])
    gaussians = splats(means, torch.rand(1500, 3, generator=generator), 0.25)
    true = path([(0.1 * index, 0.0, 0.0) for index in range(NUM_FRAMES)])
    error = pose_from_twist(torch.tensor([0.0, 0.06, -0.04, 0.0, 0.0, 0.005], dtype=torch.float64))
    logged = Trajectory(true.stamps_ns, true.poses @ error)
    rig_from_camera = optical_from()
    views = views_of(CAMERA, true.poses @ rig_from_camera, "cpu")
    images = rasterize(gaussians, views).colour
    knots = knots_over(START_NS, END_NS, PoseSettings())
    optimiser = torch.optim.Adam([knots.twists.requires_grad_(True)], lr=5e-3)
    for step in range(120):
        index = step * 3 % NUM_FRAMES
        correction = corrections_at(knots, logged.stamps_ns[index : index + 1])[0]
        world_from_camera = logged.poses[index] @ correction @ rig_from_camera
        rendering = rasterize(gaussians, views_of(CAMERA, world_from_camera[None], "cpu"))
        loss = (rendering.colour - images[index]).abs().mean() + roughness(knots)
        loss.backward()
        if step == 0:
            assert knots.twists.grad is not None
            assert float(knots.twists.grad.abs().max()) > 0
        optimiser.step()
        optimiser.zero_grad()
    refined = refined_trajectory(logged, knots, logged.stamps_ns, 0)
    assert pixel_error(logged, true) > 0.5
    assert pixel_error(refined, true) < 0.1


def pixel_error(found: Trajectory, true: Trajectory) -> float:
    """How far points of the wall are displaced in the images, on average; a shift and a turn may cancel there."""
    across, up = torch.meshgrid(torch.linspace(-4, 4, 5), torch.linspace(-3, 3, 5), indexing="ij")
    points_world = torch.stack([torch.full_like(across, WALL_M), across, up], dim=-1).reshape(-1, 3).double()

    def pixels(path: Trajectory) -> torch.Tensor:
        points_camera = transform_points(inverse(path.poses @ optical_from()), points_world.expand(NUM_FRAMES, -1, 3))
        return CAMERA.fx * points_camera[..., :2] / points_camera[..., 2:]

    return float((pixels(found) - pixels(true)).norm(dim=-1).mean())


def test_pose_settings_out_of_bounds_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"poses.knot_spacing_s must be positive, got 0.0"):
        PoseSettings(knot_spacing_s=0.0)
    with pytest.raises(ConfigError, match=r"poses.learning_rate must not be negative, got -1.0"):
        PoseSettings(learning_rate=-1.0)
