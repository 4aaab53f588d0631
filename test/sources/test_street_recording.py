"""The synthetic street as a recording and as a bag: consistent sensors, honest ground truth."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gs_sim.config import override
from gs_sim.errors import ConfigError, StorageError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, transform_points
from gs_sim.geometry.trajectory import pose_at, poses_at
from gs_sim.geometry.warp import warp_image_with_mask
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.street.camera_image import radiance_image, ray_bundles, street_image
from gs_sim.sources.street.noise import noise_bank
from gs_sim.sources.street.primitives import Material
from gs_sim.sources.street.recording import StreetRecording
from gs_sim.sources.street.rig import DISPLACED
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import START_NS, Street, draw_street, world_at
from gs_sim.sources.street.surface import points_on
from gs_sim.sources.street.trace import GROUND, SURFACES, surfaces_of, trace
from gs_sim.sources.street.write_bag import write_street_bag

TINY = StreetSettings(
    seed=2,
    duration_s=0.5,
    width_px=96,
    height_px=64,
    num_cameras=2,
    displaced_every=5,
    lidar_rings=16,
    lidar_columns=180,
)
CLEAN = replace(TINY, sensor_noise=0.0, samples_per_edge_pixel=1)
STAMP_NS = START_NS + 250_000_000


@pytest.fixture(scope="module")
def street() -> Street:
    return draw_street(TINY)


@pytest.fixture(scope="module")
def clean_street() -> Street:
    return draw_street(CLEAN)


def psnr_db(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a.double() - b.double()) / 255).square().mean()))


def view_of(street: Street, camera_name: str) -> tuple[Camera, Tensor]:
    mounted = street.rig.camera(camera_name)
    return mounted.camera, pose_at(street.world_from_rig, STAMP_NS) @ mounted.rig_from_camera


def test_the_street_keeps_every_promise_of_a_recording() -> None:
    short = draw_street(replace(TINY, duration_s=0.3, num_cameras=1, displaced_every=0))
    assert check_recording(StreetRecording(short)) == []


def test_one_seed_gives_one_street_in_whatever_order_it_is_read(street: Street) -> None:
    first, again = StreetRecording(street), StreetRecording(draw_street(TINY))
    late, early = list(again.frames("front", [3])), list(again.frames("front", [0]))
    frames = list(first.frames("front"))
    assert torch.equal(frames[0].rgb, early[0].rgb)
    assert torch.equal(frames[3].rgb, late[0].rgb)
    sweeps = list(first.sweeps("lidar", [1])), list(again.sweeps("lidar", [1]))
    assert torch.equal(sweeps[0][0].points_lidar, sweeps[1][0].points_lidar)


def test_another_seed_gives_another_street(street: Street) -> None:
    other = draw_street(replace(TINY, seed=3))
    assert other.plan != street.plan
    assert other.light != street.light
    assert other.rig.cameras[0].camera != street.rig.cameras[0].camera


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_images_are_neither_flat_nor_burnt_out(seed: int) -> None:
    street = draw_street(replace(TINY, seed=seed))
    rgb = next(StreetRecording(street).frames("front", [0])).rgb.float()
    assert 50 < float(rgb.mean()) < 200
    assert float(rgb.std()) > 20
    assert float((rgb == 255).all(-1).float().mean()) < 0.15
    assert len(torch.unique(rgb.reshape(-1, 3), dim=0)) > 1000


def test_a_tracked_box_holds_its_vehicle(street: Street) -> None:
    for mover in street.movers:
        primitives = mover.vehicle.primitives_box
        corners = torch.tensor([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]).float()
        local = corners[None] * primitives.half_m[:, None]
        points_box = local @ primitives.rotations.transpose(1, 2) + primitives.centres[:, None]
        excess_m = points_box.abs() - 0.5 * torch.tensor(mover.vehicle.size_m)
        # Mirrors stick out; the box is that of the body, as annotators draw it.
        assert float(excess_m.max()) < 0.2
        assert float(excess_m.amax((0, 1))[0]) < 0.05


def test_vehicles_never_touch_each_other_or_the_ego_vehicle() -> None:
    busy = draw_street(replace(TINY, duration_s=8.0, num_actors=8))
    assert len(busy.movers) >= 4
    stamps_ns = torch.arange(START_NS, START_NS + 8_000_000_000, 100_000_000)
    paths = [poses_at(m.world_from_box, stamps_ns)[:, :2, 3] for m in busy.movers]
    paths.append(poses_at(busy.world_from_rig, stamps_ns)[:, :2, 3])
    for i, path in enumerate(paths):
        for other in paths[:i]:
            assert float((path - other).norm(dim=1).min()) > 2.0


def test_static_points_have_the_same_colour_from_two_cameras(clean_street: Street) -> None:
    world = world_at(clean_street, STAMP_NS)
    camera, world_from_front = view_of(clean_street, "front")
    _, world_from_left = view_of(clean_street, "off_left_1m")
    v, u = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    front = ray_bundles((camera, world_from_front), u.reshape(24, 256) + 0.5, v.reshape(24, 256) + 0.5)
    hits = trace(world, front)
    near = ((hits.index == GROUND) & (hits.distance_m < 25)).nonzero()[:, 0]
    points = hits.origins[near] + hits.directions[near] * hits.distance_m[near][:, None]
    points_left = transform_points(inverse(world_from_left), points.double())
    u_left = (camera.fx * points_left[:, 0] / points_left[:, 2] + camera.cx).float()
    v_left = (camera.fy * points_left[:, 1] / points_left[:, 2] + camera.cy).float()
    left = ray_bundles((camera, world_from_left), u_left[None], v_left[None])
    seen = trace(world, left)
    is_visible = (seen.index == GROUND) & ((seen.distance_m - points_left.norm(dim=1).float()).abs() < 0.02)
    assert float(is_visible.float().mean()) > 0.6
    albedo = surfaces_of(world, hits, front.footprint).albedo[near][is_visible]
    again = surfaces_of(world, seen, left.footprint).albedo[is_visible]
    assert float((albedo - again).abs().median()) < 0.01
    assert float(albedo.std()) > 0.01


def test_textures_stick_to_a_vehicle_that_moves(clean_street: Street) -> None:
    box = clean_street.movers[0].vehicle.primitives_box
    generator = torch.Generator().manual_seed(0)
    index = torch.randint(0, len(box), (500,), generator=generator)
    local = (2 * torch.rand(500, 3, generator=generator) - 1) * box.half_m[index]
    direction = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=1)
    cone_m = torch.full((500,), 0.01)
    seen = []
    for stamp_ns in (START_NS, START_NS + 400_000_000):
        world = world_at(clean_street, stamp_ns)
        placed = index + len(clean_street.standing)
        axes = world.primitives.rotations[placed]
        positions = (axes @ local[:, :, None])[:, :, 0] + world.primitives.centres[placed]
        views = (axes @ (box.rotations[index].transpose(1, 2) @ direction[:, :, None]))[:, :, 0]
        points = points_on(world.primitives, placed, positions, views, cone_m)
        albedo = torch.zeros(500, 3)
        for material, surface_of in SURFACES.items():
            rows = world.primitives.materials[placed] == material
            albedo[rows] = surface_of(points.select(rows), noise_bank("cpu")).albedo
        seen.append(albedo)
    assert float((seen[0] - seen[1]).abs().quantile(0.95)) < 0.02
    assert float(seen[0].std()) > 0.02


def test_a_small_image_is_what_a_large_one_looks_like_from_afar() -> None:
    small = draw_street(replace(TINY, sensor_noise=0.0))
    large = draw_street(replace(TINY, sensor_noise=0.0, width_px=192, height_px=128))
    a = next(StreetRecording(small).frames("front", [0])).rgb.float()
    b = next(StreetRecording(large).frames("front", [0])).rgb.float()
    shrunk = torch.nn.functional.avg_pool2d(b.permute(2, 0, 1), 2).permute(1, 2, 0)
    assert psnr_db(a, shrunk) > 25


def test_displaced_cameras_lie_where_their_names_say(street: Street) -> None:
    front = street.rig.camera("front").rig_from_camera
    for name, (left_m, yaw_deg) in DISPLACED.items():
        moved = street.rig.camera(name).rig_from_camera
        assert torch.allclose(moved[:3, 3] - front[:3, 3], torch.tensor([0.0, left_m, 0.0]).double())
        turned = moved[:3, :3] @ front[:3, :3].T
        assert math.degrees(math.atan2(turned[1, 0], turned[0, 0])) == pytest.approx(yaw_deg, abs=1e-6)


def test_lidar_points_lie_on_what_the_camera_sees(clean_street: Street) -> None:
    recording = StreetRecording(clean_street)
    sweep = next(recording.sweeps("lidar", [2]))
    rig_from_lidar = clean_street.rig.lidar("lidar").rig_from_lidar
    world_from_lidar = poses_at(clean_street.world_from_rig, sweep.point_stamps_ns) @ rig_from_lidar
    points = transform_points(world_from_lidar, sweep.points_lidar.double()[:, None])[:, 0]
    camera, world_from_camera = view_of(clean_street, "front")
    seen = transform_points(inverse(world_from_camera), points)
    u = camera.fx * seen[:, 0] / seen[:, 2] + camera.cx
    v = camera.fy * seen[:, 1] / seen[:, 2] + camera.cy
    inside = (seen[:, 2] > 1) & (u > 0) & (u < camera.width_px) & (v > 0) & (v < camera.height_px)
    assert int(inside.sum()) > 100
    u, v, distance_m = u[inside].float(), v[inside].float(), seen[inside].norm(dim=1).float()
    world = world_at(clean_street, STAMP_NS)
    hits = trace(world, ray_bundles((camera, world_from_camera), u[None], v[None]))
    is_still = hits.index < len(clean_street.standing)
    is_leafy = world.primitives.materials[hits.index.clamp(min=0)] == Material.LEAVES
    # The LiDAR sits higher than the camera, so that it sees a little over edges, and leaves are ragged.
    behind_m = (hits.distance_m - distance_m)[is_still & ~is_leafy]
    distance_m = distance_m[is_still & ~is_leafy]
    agrees = behind_m.abs() < 0.02 + 0.005 * distance_m
    assert float(agrees.float().mean()) > 0.9
    assert float((~agrees & (behind_m > 0)).float().mean()) < 0.01


def test_every_lidar_point_has_the_time_of_its_direction(clean_street: Street) -> None:
    sweep = next(StreetRecording(clean_street).sweeps("lidar", [0]))
    azimuth = torch.atan2(sweep.points_lidar[:, 1], sweep.points_lidar[:, 0])
    share = (sweep.point_stamps_ns - sweep.stamp_ns).double() / 1e8
    assert float(((math.pi - azimuth) / (2 * math.pi) - share).abs().max()) < 0.01
    assert float(sweep.points_lidar.norm(dim=1).max()) < CLEAN.lidar_range_m


def test_sensor_noise_is_small_and_can_be_switched_off(street: Street) -> None:
    clean = draw_street(replace(TINY, sensor_noise=0.0))
    noisy = next(StreetRecording(street).frames("front", [0])).rgb
    assert 33 < psnr_db(noisy, next(StreetRecording(clean).frames("front", [0])).rgb) < 60


def test_a_bag_of_the_street_reads_back_as_the_street(street: Street, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_street_bag(street, tmp_path / "bag", lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == 2 * 5 + 8 + 5
    recording = StreetRecording(street)
    with open_bag(tmp_path / "bag") as bag:
        assert {m.name for m in bag.rig.cameras} == {m.name for m in street.rig.cameras}
        bag_from_street = inverse(bag.map_from_world)
        for name in ("front", "off_yaw_left_10"):
            stamps_ns = recording.frame_stamps_ns(name)
            assert torch.equal(bag.frame_stamps_ns(name), stamps_ns)
            ours = poses_at(street.world_from_rig, stamps_ns) @ street.rig.camera(name).rig_from_camera
            theirs = poses_at(bag.world_from_rig, stamps_ns) @ bag.rig.camera(name).rig_from_camera
            assert torch.allclose(bag_from_street @ ours, theirs, atol=1e-4)
            assert torch.equal(next(bag.frames(name, [0])).rgb, next(recording.frames(name, [0])).rgb)
        sweep, written = next(recording.sweeps("lidar", [3])), next(bag.sweeps("lidar", [3]))
        assert torch.allclose(sweep.points_lidar, written.points_lidar, atol=1e-5)
        assert int((sweep.point_stamps_ns - written.point_stamps_ns).abs().max()) < 2000
        ours_by_id = {track.actor_id: track for track in street.tracks}
        assert bag.tracks
        for track in bag.tracks:
            assert track.size_m == pytest.approx(ours_by_id[track.actor_id].size_m)
            pose = pose_at(ours_by_id[track.actor_id].world_from_box, track.world_from_box.start_ns)
            assert torch.allclose(bag_from_street @ pose, track.world_from_box.poses[0], atol=1e-4)


def test_an_existing_bag_is_not_overwritten(street: Street, tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        write_street_bag(street, tmp_path / "bag")


def test_a_distorted_raw_image_rectifies_to_the_pinhole_image() -> None:
    bent = draw_street(replace(TINY, sensor_noise=0.0, lens="plumb_bob"))
    mounted = bent.rig.camera("front")
    assert not mounted.raw_camera.is_pinhole
    world_from_camera = pose_at(bent.world_from_rig, STAMP_NS) @ mounted.rig_from_camera
    raw = street_image(bent, "front", (mounted.raw_camera, world_from_camera), STAMP_NS)
    ideal = street_image(bent, "front", (mounted.camera, world_from_camera), STAMP_NS)
    warped, is_seen = warp_image_with_mask(raw, mounted.raw_camera, mounted.camera)
    assert float(is_seen.float().mean()) > 0.9
    assert psnr_db(warped[is_seen], ideal[is_seen]) > psnr_db(raw[is_seen], ideal[is_seen]) + 3


def test_shadows_and_sunlight_differ() -> None:
    for seed in range(20):
        street = draw_street(replace(CLEAN, seed=seed))
        if street.light.cloud_cover < 0.1:
            break
    camera, world_from_camera = view_of(street, "front")
    world = world_at(street, STAMP_NS)
    night = replace(world, light=replace(world.light, sun_rgb=(0.0, 0.0, 0.0)))
    with_sun = radiance_image(street, world, (camera, world_from_camera), 1.0)
    without = radiance_image(street, night, (camera, world_from_camera), 1.0)
    gained = (with_sun - without).mean(-1)
    assert float((gained < 1e-3).float().mean()) > 0.05
    assert float((gained > 0.05).float().mean()) > 0.05


@pytest.mark.parametrize(
    ("name", "value"),
    [("duration_s", -1.0), ("num_actors", -1), ("width_px", 3), ("lens", "fisheye"), ("device", "tpu")],
)
def test_settings_out_of_bounds_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        override(TINY, {name: value}, where="test")
