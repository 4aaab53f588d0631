"""LiDAR of a whole drive as coloured points: motion undone, thinned, coloured by what sees them, sorted into boxes."""

from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from tiny_world import CAMERA, NUM_FRAMES, START_NS, STEP_NS, TinyWorld, optical_from, path, pose
from torch import Tensor

from gs_sim.geometry.pose import inverse, pose_from_twist, transform_points
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory, poses_at
from gs_sim.reconstruction.boxes import GROUND_CLEARANCE_M, settle_tracks
from gs_sim.reconstruction.cloud import (
    FINEST_VOXEL_M,
    Cloud,
    average_by,
    colour_points,
    gather_points,
    project,
    sweep_in_world,
    thin,
    thin_cloud,
    voxel_groups,
    with_lidar_depth,
)
from gs_sim.reconstruction.views import TrainingView, load_training_views
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track

MOUNT = pose_from_twist(torch.tensor([0.5, 0.0, 1.7, 0.02, 0.0, 0.3], dtype=torch.float64))
RIG = Rig((MountedCamera("front", CAMERA, CAMERA, optical_from()),), (MountedLidar("top", MOUNT),))
SPIN_NS = 90_000_000


def driven_path(count: int = 5) -> Trajectory:
    """Fast, and turning."""
    stamps_ns = START_NS + STEP_NS * torch.arange(count, dtype=torch.int64)
    step = pose_from_twist(torch.tensor([1.5, 0.0, 0.0, 0.0, 0.0, 0.06], dtype=torch.float64))
    poses = [pose(0.0, 0.0, 0.0)]
    while len(poses) < count:
        poses.append(poses[-1] @ step)
    return Trajectory(stamps_ns, torch.stack(poses))


def recording_of(
    sweeps: tuple[Sweep, ...], world_from_rig: Trajectory, tracks: tuple[Track, ...] = ()
) -> MemoryRecording:
    return MemoryRecording(RIG, world_from_rig, torch.eye(4, dtype=torch.float64), tracks, (), sweeps, {})


def sweep_of(
    points_world: Float32[Tensor, "n 3"], stamps_ns: Tensor, world_from_rig: Trajectory, index: int = 0
) -> Sweep:
    """What the LiDAR measures of world points, each from where it is at the point's time."""
    lidar_from_world = inverse(poses_at(world_from_rig, stamps_ns) @ MOUNT)
    points_lidar = (lidar_from_world[:, :3, :3] @ points_world.double()[:, :, None])[:, :, 0]
    points_lidar = (points_lidar + lidar_from_world[:, :3, 3]).float()
    return Sweep("top", index, START_NS + index * STEP_NS, points_lidar, stamps_ns, torch.zeros(len(points_lidar)))


def spinning(count: int, index: int = 0) -> Tensor:
    return START_NS + index * STEP_NS + torch.linspace(0, SPIN_NS, count, dtype=torch.float64).long()


def view_of(*, stamp_ns: int = START_NS, rgb: Tensor | None = None, at: Tensor | None = None) -> TrainingView:
    image = torch.zeros(CAMERA.height_px, CAMERA.width_px, 3, dtype=torch.uint8) if rgb is None else rgb
    place = pose(0.0, 0.0, 0.0) if at is None else at
    return TrainingView("front", 0, stamp_ns, CAMERA, image, place @ optical_from())


def wall(distance_m: float, count: int = 4000, seed: int = 0) -> Float32[Tensor, "n 3"]:
    generator = torch.Generator().manual_seed(seed)
    spread = torch.rand(count, 2, generator=generator) * torch.tensor([16.0, 6.0]) - torch.tensor([8.0, 3.0])
    return torch.cat([torch.full((count, 1), distance_m), spread], dim=1)


def test_a_wall_seen_by_a_spinning_lidar_from_a_moving_rig_is_flat_in_the_world() -> None:
    world_from_rig = driven_path()
    points_world = wall(30.0)
    sweep = sweep_of(points_world, spinning(len(points_world)), world_from_rig)
    recording = recording_of((sweep,), world_from_rig)
    assert float((sweep_in_world(recording, sweep) - points_world).norm(dim=-1).max()) < 0.03
    frozen = replace(sweep, point_stamps_ns=torch.full_like(sweep.point_stamps_ns, sweep.stamp_ns))
    assert float((sweep_in_world(recording, frozen) - points_world).norm(dim=-1).max()) > 0.5


def test_returns_from_the_vehicle_itself_are_left_out() -> None:
    world_from_rig = driven_path()
    sweep = Sweep(
        "top",
        0,
        START_NS,
        torch.tensor([[0.5, 0.5, -0.5], [5.0, 0.0, 0.0]]),
        torch.full((2,), START_NS),
        torch.zeros(2),
    )
    assert len(sweep_in_world(recording_of((sweep,), world_from_rig), sweep)) == 1


def test_voxels_of_unlike_size_never_share_a_group() -> None:
    points = torch.tensor([[0.01, 0.01, 0.01], [0.02, 0.02, 0.02], [0.03, 0.01, 0.02], [-0.01, 0.01, 0.01]])
    same = voxel_groups(points, 0.1)
    assert same[0] == same[1] == same[2] != same[3]
    mixed = voxel_groups(points, torch.tensor([0.1, 0.1, 0.2, 0.1]))
    assert mixed[0] == mixed[1]
    assert len({int(mixed[0]), int(mixed[2]), int(mixed[3])}) == 3


@pytest.mark.parametrize("far_m", [0.0, 5_000.0])
def test_thinning_keeps_one_mean_point_in_each_occupied_voxel(far_m: float) -> None:
    points = torch.rand(3000, 3, generator=torch.Generator().manual_seed(1)) * 2 + far_m
    thinned = thin(points, 0.25)
    cells = torch.floor(points.double() / 0.25).long()
    expected = {tuple(cell): points[(cells == cell).all(dim=-1)].mean(dim=0) for cell in cells.unique(dim=0)}
    assert len(thinned) == len(expected)
    distance = torch.cdist(torch.stack(list(expected.values())).double(), thinned.double()).amin(dim=1)
    assert float(distance.max()) < 2e-3


def test_a_thinned_cloud_averages_colour_with_place() -> None:
    cloud = Cloud(
        points=torch.tensor([[0.1, 0.1, 0.1], [0.3, 0.1, 0.1], [5.0, 0.0, 0.0]]),
        rgb=torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.2]]),
        depth_m=torch.tensor([2.0, 4.0, 9.0]),
    )
    thinned = thin_cloud(cloud, torch.tensor([1.0, 1.0, 1.0]))
    order = thinned.points[:, 0].argsort()
    assert torch.allclose(thinned.points[order], torch.tensor([[0.2, 0.1, 0.1], [5.0, 0.0, 0.0]]))
    assert torch.allclose(thinned.rgb[order], torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.2, 0.2]]))
    assert torch.allclose(thinned.depth_m[order], torch.tensor([3.0, 9.0]))


def test_a_projected_point_lands_on_the_pixel_whose_ray_meets_it() -> None:
    pixels, depth_m = project(torch.tensor([[10.0, -1.0, 2.0], [-10.0, 0.0, 0.0]]), view_of())
    assert torch.allclose(pixels[0], torch.tensor([80.0 * 0.1 + 48.0, 80.0 * -0.2 + 32.0]))
    assert float(depth_m[0]) == pytest.approx(10.0)
    assert float(depth_m[1]) < 0


def test_points_behind_a_wall_do_not_take_its_colour() -> None:
    red = torch.zeros(CAMERA.height_px, CAMERA.width_px, 3, dtype=torch.uint8)
    red[..., 0] = 255
    behind = torch.tensor([[20.0, 0.0, 0.0], [20.0, 1.0, 0.5], [20.0, -1.0, -0.5]])
    front = wall(8.0)
    coloured = colour_points(torch.cat([front, behind]), [view_of(rgb=red)])
    assert float(coloured.points[:, 0].max()) == pytest.approx(8.0)
    assert bool((coloured.rgb == torch.tensor([1.0, 0.0, 0.0])).all())
    assert torch.allclose(coloured.depth_m, torch.full((len(coloured),), 8.0))
    alone = colour_points(behind, [view_of(rgb=red)])
    assert len(alone) == 3


def test_a_nearer_view_says_more_about_a_colour() -> None:
    images = [torch.full((CAMERA.height_px, CAMERA.width_px, 3), value, dtype=torch.uint8) for value in (0, 255)]
    views = [view_of(rgb=images[0]), view_of(rgb=images[1], at=pose(5.0, 0.0, 0.0))]
    coloured = colour_points(torch.tensor([[10.0, 0.0, 0.0]]), views)
    assert float(coloured.rgb[0, 0]) == pytest.approx(0.04 / (0.04 + 0.01))
    assert float(coloured.depth_m[0]) == pytest.approx(5.0)


def test_points_of_an_actor_are_coloured_where_it_is_and_only_while_it_is_there() -> None:
    rgb = torch.zeros(CAMERA.height_px, CAMERA.width_px, 3, dtype=torch.uint8)
    rgb[:, : CAMERA.width_px // 2, 0] = 255  # the left half is red
    track = Track("1", "car", (2.0, 2.0, 2.0), path([(10.0, 3.0, 0.0), (10.0, 1.0, 0.0)]))
    (actor,) = settle_tracks((track,), driven_path())
    points = torch.zeros(1, 3)
    at_left = colour_points(points, [view_of(rgb=rgb), view_of(rgb=255 - rgb, stamp_ns=START_NS + 3 * STEP_NS)], actor)
    assert torch.allclose(at_left.rgb[0], torch.tensor([1.0, 0.0, 0.0]))


def test_a_view_takes_the_depths_of_the_sweep_nearest_in_time() -> None:
    standing = path([(0.0, 0.0, 0.0)] * 5)
    sweeps = tuple(
        sweep_of(wall(distance_m), torch.full((4000,), START_NS + i * STEP_NS), standing, i)
        for i, distance_m in enumerate((10.0, 12.0, 14.0))
    )
    recording = recording_of(sweeps, standing)
    view = with_lidar_depth(recording, [view_of(stamp_ns=START_NS + STEP_NS + 30_000_000)])[0]
    assert len(view.lidar_depth_m) > 1000
    assert torch.allclose(view.lidar_depth_m, torch.full((len(view.lidar_depth_m),), 12.0), atol=1e-3)
    assert int(view.lidar_pixels.max()) < CAMERA.width_px * CAMERA.height_px


def test_a_sweep_more_than_a_tenth_of_a_second_away_says_nothing_about_depth() -> None:
    standing = path([(0.0, 0.0, 0.0)] * 5)
    recording = recording_of((sweep_of(wall(10.0), torch.full((4000,), START_NS), standing),), standing)
    near, far = with_lidar_depth(
        recording, [view_of(stamp_ns=START_NS + 90_000_000), view_of(stamp_ns=START_NS + 110_000_000)]
    )
    assert len(near.lidar_depth_m) > 1000
    assert len(far.lidar_depth_m) == 0


def test_points_are_sorted_into_boxes_and_the_static_world(tiny_world: TinyWorld) -> None:
    recording = tiny_world.recording
    actors = settle_tracks(recording.tracks, recording.world_from_rig)
    gathered = gather_points(recording, actors)
    # the car drives before the wall: its points lie in its box, and what is left of its way is as low as a road
    assert len(gathered.points_box[0]) > 200
    assert float(gathered.points_box[0].abs().amax()) < 1.35
    above = gathered.points_world[:, 2] > -0.9 + GROUND_CLEARANCE_M + FINEST_VOXEL_M
    assert float(gathered.points_world[above, 0].min()) > 11.9


def test_points_of_a_fast_car_stay_in_its_box_while_the_lidar_spins() -> None:
    """A car crossing at 20 m/s moves almost two metres within a sweep."""
    standing = path([(0.0, 0.0, 0.0)] * 4)
    crossing = path([(12.0, -3.0 + 2.0 * i, 1.0) for i in range(4)])
    track = Track("1", "car", (2.0, 4.0, 2.0), crossing)
    generator = torch.Generator().manual_seed(0)
    sweeps = []
    for index in range(3):
        stamps_ns = spinning(2000, index)
        points_box = (torch.rand(2000, 3, generator=generator) - 0.5) * torch.tensor([1.9, 3.9, 1.7])
        world_from_box = poses_at(crossing, stamps_ns)
        sweeps.append(sweep_of((points_box + world_from_box[:, :3, 3]).float(), stamps_ns, standing, index))
    recording = recording_of(tuple(sweeps), standing, (track,))
    gathered = gather_points(recording, settle_tracks((track,), standing))
    assert len(gathered.points_world) == 0
    assert float(gathered.points_box[0][:, 1].abs().max()) < 2.0


def test_empty_sweeps_and_a_rig_without_lidar_give_no_points() -> None:
    standing = path([(0.0, 0.0, 0.0)] * 3)
    empty = Sweep("top", 0, START_NS, torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    track = Track("1", "car", (4.0, 2.0, 1.5), path([(10.0, 0.0, 0.0)] * 3))
    actors = settle_tracks((track,), standing)
    for recording in (
        recording_of((empty,), standing),
        recording_of((), standing),
        replace(recording_of((), standing), rig=Rig(RIG.cameras, ())),
    ):
        gathered = gather_points(recording, actors)
        assert len(gathered.points_world) == 0
        assert [len(points) for points in gathered.points_box] == [0]
        assert len(colour_points(gathered.points_world, [view_of()])) == 0
        assert len(with_lidar_depth(recording, [view_of()])[0].lidar_depth_m) == 0
    assert average_by(voxel_groups(torch.zeros(0, 3), 0.1), torch.zeros(0, 3)).shape == (0, 3)


def test_training_views_leave_out_held_out_frames_and_stay_in_time_order(tiny_world: TinyWorld) -> None:
    views = load_training_views(tiny_world.recording, ("front", "off_left_1m"), 48, 4)
    assert len(views) == 2 * (NUM_FRAMES - 2)
    assert {view.index for view in views} == {0, 1, 3, 4, 5, 7}
    assert [view.stamp_ns for view in views] == sorted(view.stamp_ns for view in views)
    assert all(view.rgb.shape == (32, 48, 3) and view.camera.fx == 40.0 for view in views)
    mount = tiny_world.recording.rig.camera("off_left_1m").rig_from_camera
    of_left = next(view for view in views if view.camera_name == "off_left_1m" and view.index == 5)
    expected = tiny_world.recording.world_from_rig.poses[5] @ mount
    assert torch.allclose(of_left.world_from_camera, expected)
    points_camera = transform_points(inverse(of_left.world_from_camera), torch.tensor([[12.0, 1.0, 0.0]]))
    assert torch.allclose(points_camera, torch.tensor([[0.0, 0.0, 11.5]]), atol=1e-5)
