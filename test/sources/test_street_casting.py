"""Rays against the street's shapes: known answers, and the same answers without culling."""

import math

import pytest
import torch
from torch import Tensor

from gs_sim.sources.street.bundles import Bundles, Pairs, central_pairs, parallel_pairs
from gs_sim.sources.street.camera_image import ray_bundles
from gs_sim.sources.street.cast import nearest_by_scattering, nearest_by_splitting, nearest_hits
from gs_sim.sources.street.ground import ground_hits
from gs_sim.sources.street.noise import noise_bank
from gs_sim.sources.street.primitives import Material, Part, Primitives, Shape, primitives_from
from gs_sim.sources.street.road_line import height_at, line_at, poses_on_road, road_at
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import START_NS, Street, draw_street, world_at

BANK = noise_bank("cpu")


@pytest.fixture(scope="module")
def street() -> Street:
    return draw_street(StreetSettings(seed=6, duration_s=1.0, width_px=96, height_px=64, num_cameras=1))


def distance_to(part: Part, origin: tuple[float, float, float], direction: tuple[float, float, float]) -> float:
    """Cast one ray at one primitive."""
    bundles = Bundles(torch.tensor(origin).reshape(1, 3, 1), torch.tensor(direction).reshape(1, 3, 1), 1e-3)
    pair = Pairs(torch.tensor([0]), torch.tensor([0]))
    return float(nearest_hits(bundles, primitives_from([part]), pair, BANK)[0])


@pytest.mark.parametrize(
    ("shape", "expected_m"),
    [(Shape.BOX, 8.0), (Shape.WEDGE, 8.0), (Shape.CYLINDER, 8.0), (Shape.ELLIPSOID, 8.0)],
)
def test_a_ray_along_x_meets_the_near_side_of_each_shape(shape: Shape, expected_m: float) -> None:
    part = Part(shape, Material.PAINTED, (10.0, 0.0, 0.0), (2.0, 2.0, 1.0))
    assert distance_to(part, (0.0, 0.0, 0.0), (1.0, 1e-4, 1e-4)) == pytest.approx(expected_m, abs=1e-3)
    assert distance_to(part, (0.0, 2.5, 0.0), (1.0, 1e-4, 1e-4)) == math.inf
    assert distance_to(part, (0.0, 0.0, 0.0), (-1.0, 1e-4, 1e-4)) == math.inf


def test_the_front_of_a_wedge_recedes_with_height() -> None:
    wedge = Part(Shape.WEDGE, Material.PAINTED, (0.0, 0.0, 1.0), (2.0, 1.0, 1.0), lean=(0.5, 0.0, 0.0))
    low = distance_to(wedge, (10.0, 0.0, 0.2), (-1.0, 1e-5, 1e-5))
    high = distance_to(wedge, (10.0, 0.0, 1.8), (-1.0, 1e-5, 1e-5))
    assert high - low == pytest.approx(1.6 * 0.5, abs=1e-3)


def test_a_turned_box_is_met_at_its_corner() -> None:
    box = Part(Shape.BOX, Material.PAINTED, (10.0, 0.0, 0.0), (1.0, 1.0, 1.0), yaw_rad=math.pi / 4)
    assert distance_to(box, (0.0, 0.0, 0.0), (1.0, 1e-5, 1e-5)) == pytest.approx(10 - math.sqrt(2), abs=1e-3)


def test_a_crown_of_leaves_lets_some_rays_through_its_outer_shell_and_none_through_its_heart() -> None:
    crown = Part(Shape.CROWN, Material.LEAVES, (10.0, 0.0, 0.0), (2.0, 2.0, 2.0), details=(0.6, 0.0))
    y, z = torch.meshgrid(torch.linspace(-1.9, 1.9, 20), torch.linspace(-1.9, 1.9, 20), indexing="ij")
    origins = torch.stack([torch.zeros(400), y.flatten(), z.flatten()])[None]
    directions = torch.tensor([1.0, 1e-5, 1e-5]).reshape(1, 3, 1)
    pair = Pairs(torch.tensor([0]), torch.tensor([0]))
    reach_m = nearest_hits(Bundles(origins, directions, 1e-3), primitives_from([crown]), pair, BANK)[0][0]
    off_axis = torch.hypot(y, z).flatten()
    assert bool(torch.isfinite(reach_m[off_axis < 1.1]).all())
    rim = (off_axis > 1.5) & (off_axis < 1.95)
    assert 0.05 < float(torch.isinf(reach_m[rim]).float().mean()) < 0.95


def all_pairs(bundles: Bundles, primitives: Primitives) -> Pairs:
    touches = torch.ones(len(bundles.directions), len(primitives), dtype=torch.bool)
    return Pairs(*touches.nonzero(as_tuple=True))


def camera_bundles(street: Street, yaw_deg: float) -> Bundles:
    mounted = street.rig.camera("front")
    turn = torch.eye(4, dtype=torch.float64)
    angle = math.radians(yaw_deg)
    turn[0, 0] = turn[1, 1] = math.cos(angle)
    turn[1, 0], turn[0, 1] = math.sin(angle), -math.sin(angle)
    world_from_camera = street.world_from_rig.poses[0] @ turn @ mounted.rig_from_camera
    v, u = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    tiled = [x.reshape(4, 16, 6, 16).transpose(1, 2).reshape(24, 256) + 0.5 for x in (u, v)]
    return ray_bundles((mounted.camera, world_from_camera), tiled[0], tiled[1])


@pytest.mark.parametrize("yaw_deg", [0.0, 75.0, 180.0])
def test_leaving_out_primitives_beside_a_bundle_changes_no_hit(street: Street, yaw_deg: float) -> None:
    world = world_at(street, START_NS)
    bundles = camera_bundles(street, yaw_deg)
    pairs = central_pairs(bundles, world.primitives, 1e4)
    everything = all_pairs(bundles, world.primitives)
    assert 4 * len(pairs.bundle) < len(everything.bundle)
    culled, brute = (nearest_hits(bundles, world.primitives, p, BANK) for p in (pairs, everything))
    assert torch.equal(culled[1], brute[1])
    assert torch.equal(culled[0], brute[0])


def test_leaving_out_primitives_beside_the_sun_changes_no_shadow(street: Street) -> None:
    world = world_at(street, START_NS)
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(12, 3, 1, generator=generator) * torch.tensor([60.0, 30.0, 3.0])[:, None]
    origins = centres + torch.rand(12, 3, 64, generator=generator)
    to_sun = torch.tensor(world.light.to_sun).expand(12, 3)[:, :, None].contiguous()
    bundles = Bundles(origins, to_sun, 1e-3)
    pairs = parallel_pairs(bundles, world.primitives)
    everything = all_pairs(bundles, world.primitives)
    assert 4 * len(pairs.bundle) < len(everything.bundle)
    culled, brute = (nearest_hits(bundles, world.primitives, p, BANK)[0] for p in (pairs, everything))
    assert torch.equal(culled, brute)


def test_both_ways_to_find_the_nearest_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    bundle = torch.tensor([0, 0, 0, 2, 2, 4])
    pairs = Pairs(bundle, torch.tensor([3, 9, 4, 1, 70000, 2]))
    pair_m = 100 * torch.rand(6, 50, generator=generator)
    pair_m[torch.rand(6, 50, generator=generator) < 0.5] = torch.inf
    split, scattered = nearest_by_splitting(pair_m, pairs, 5), nearest_by_scattering(pair_m, pairs, 5)
    assert torch.equal(split[0], scattered[0])
    assert torch.equal(split[1], scattered[1])
    assert bool((split[1][[1, 3]] == -1).all())


def march_slowly(street: Street, origins: Tensor, directions: Tensor) -> Tensor:
    """Distance to the sidewalks' level in steps of 5 cm."""
    reach = torch.arange(0.0, 90.0, 0.05)
    points = origins[:, None] + directions[:, None] * reach[:, None]
    height = height_at(street.road_map, *points[..., :2].reshape(-1, 2).unbind(1)).reshape(points.shape[:2])
    is_below = points[..., 2] - height - street.plan.kerb_height_m < 0
    return torch.where(is_below.any(1), reach[is_below.int().argmax(1)], torch.inf)


def test_the_ground_is_met_where_a_slow_march_meets_it(street: Street) -> None:
    generator = torch.Generator().manual_seed(1)
    origins = street.world_from_rig.poses[0, :3, 3].float() + torch.tensor([0.0, 0.0, 1.6]) + torch.zeros(400, 3)
    directions = torch.randn(400, 3, generator=generator)
    directions[:, 2] = -0.25 * torch.rand(400, generator=generator) ** 2
    directions = torch.nn.functional.normalize(directions, dim=1)
    found = ground_hits(street.plan, street.road_map, origins, directions)
    slow = march_slowly(street, origins, directions)
    is_walk = (found.beyond_kerb_m > 0) & torch.isfinite(slow) & torch.isfinite(found.distance_m)
    assert int(is_walk.sum()) > 100
    # A step of 5 cm along a ray, and what 3 mm of height mean for a grazing one.
    fall = -directions[:, 2].clamp(max=-0.01)
    assert bool(((found.distance_m - slow).abs() < 0.06 + 0.004 / fall)[is_walk].float().mean() > 0.99)
    points = origins + directions * found.distance_m[:, None]
    near = found.distance_m < 60
    height = points[near, 2] - height_at(street.road_map, points[near, 0], points[near, 1])
    on_road = found.beyond_kerb_m[near] < 0
    assert float(height[on_road].abs().max()) < 0.01
    assert float((height[~on_road & ~found.is_kerb[near]] - street.plan.kerb_height_m).abs().max()) < 0.01
    assert bool(((height > -0.01) & (height < street.plan.kerb_height_m + 0.01)).all())


def test_the_map_of_the_road_inverts_its_line(street: Street) -> None:
    s = torch.linspace(-40.0, 120.0, 50, dtype=torch.float64)
    d = torch.linspace(-12.0, 12.0, 50, dtype=torch.float64)
    positions = poses_on_road(street.line, s, d, torch.zeros(50, dtype=torch.float64))[:, :3, 3].float()
    height, s_found, d_found = road_at(street.road_map, positions[:, 0], positions[:, 1])
    assert float((s_found - s).abs().max()) < 0.05
    assert float((d_found - d).abs().max()) < 0.03
    assert float((height - line_at(street.line, s)[:, 2]).abs().max()) < 0.01
