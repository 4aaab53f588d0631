"""Chains of transforms, up and down, still and moving, lead to where arithmetic says."""

import math

import pytest
import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import FrameLinkError, OutsideTrajectoryError
from gs_sim.geometry.pose import inverse, pose_from_twist
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.transforms import (
    TransformTree,
    build_tree,
    is_mounted,
    islands,
    mount,
    poses_between,
    trajectory_between,
)

SECOND_NS = 10**9


def path(*poses: tuple[int, Float64[Tensor, "4 4"]]) -> Trajectory:
    return Trajectory(torch.tensor([stamp for stamp, _ in poses]), torch.stack([pose for _, pose in poses]))


def pose(*twist: float) -> Float64[Tensor, "4 4"]:
    return pose_from_twist(torch.tensor(twist, dtype=torch.float64))


BASE_FROM_MAST = pose(0.0, 0.0, 1.0, 0.0, 0.0, 0.5)
MAST_FROM_CAMERA = pose(0.3, 0.1, 0.0, 0.2, 0.1, 0.0)


def drive() -> TransformTree:
    """A map, an odom frame that creeps in it, a vehicle that drives in odom and carries a mast with a camera."""
    static = {
        ("base_link", "mast"): BASE_FROM_MAST,
        ("mast", "camera"): MAST_FROM_CAMERA,
        ("stray", "screw"): pose(0, 0, 0, 0, 0, 0),
    }
    moving = {
        ("odom", "base_link"): path(*((s * SECOND_NS, pose(10.0 * s, 0, 0, 0, 0, 0)) for s in range(5))),
        ("map", "odom"): path(*((s * SECOND_NS, pose(0, 1.0 * s, 0, 0, 0, 0)) for s in range(1, 6))),
    }
    return build_tree(static, moving)


def test_a_mount_over_several_links_is_their_product_and_turns_around() -> None:
    tree = drive()
    assert torch.allclose(mount(tree, "base_link", "camera"), BASE_FROM_MAST @ MAST_FROM_CAMERA)
    assert torch.allclose(mount(tree, "camera", "base_link"), inverse(BASE_FROM_MAST @ MAST_FROM_CAMERA))
    assert torch.equal(mount(tree, "mast", "mast"), torch.eye(4, dtype=torch.float64))


def test_moving_links_are_interpolated_link_by_link() -> None:
    stamps = torch.tensor([1_500_000_000])
    map_from_camera = poses_between(drive(), "map", "camera", stamps)[0]
    expected = pose(0, 1.5, 0, 0, 0, 0) @ pose(15.0, 0, 0, 0, 0, 0) @ BASE_FROM_MAST @ MAST_FROM_CAMERA
    assert torch.allclose(map_from_camera, expected)


def test_rotations_are_interpolated_along_the_arc() -> None:
    turning = path(*((second * SECOND_NS, pose(0, 0, 0, 0, 0, 1.0 * second)) for second in (0, 1)))
    half = poses_between(build_tree({}, {("a", "b"): turning}), "a", "b", torch.tensor([SECOND_NS // 2]))[0]
    assert math.atan2(half[1, 0], half[0, 0]) == pytest.approx(0.5)


def test_a_path_covers_the_time_that_all_its_links_cover() -> None:
    path = trajectory_between(drive(), "map", "base_link")
    assert (path.start_ns, path.end_ns) == (1 * SECOND_NS, 4 * SECOND_NS)
    assert path.poses[:, 0, 3].tolist() == [10.0, 20.0, 30.0, 40.0]
    with pytest.raises(OutsideTrajectoryError):
        poses_between(drive(), "map", "base_link", torch.tensor([0]))


def test_a_missing_link_names_both_frames_the_islands_and_a_remedy() -> None:
    with pytest.raises(FrameLinkError) as caught:
        mount(drive(), "base_link", "screw")
    sentence = str(caught.value)
    assert "'base_link' and 'screw'" in sentence
    assert "{base_link, camera, map, mast, odom}; {screw, stray}" in sentence
    assert "static_transform_publisher --frame-id base_link --child-frame-id screw" in sentence
    with pytest.raises(FrameLinkError, match="no transform at all"):
        mount(build_tree({}, {}), "base_link", "camera")


def test_a_sensor_on_a_moving_part_is_no_mount() -> None:
    assert not is_mounted(drive(), "map", "camera")
    assert is_mounted(drive(), "base_link", "camera")
    with pytest.raises(FrameLinkError, match="odom -> base_link, which moves"):
        mount(drive(), "odom", "camera")


def test_a_mount_that_is_repeated_as_if_it_moved_is_a_mount() -> None:
    repeated = path(*((second, BASE_FROM_MAST) for second in range(3)))
    tree = build_tree({}, {("base_link", "lidar"): repeated})
    assert not tree.moving
    assert torch.equal(mount(tree, "base_link", "lidar"), BASE_FROM_MAST)


def test_islands_are_the_connected_groups() -> None:
    assert islands(drive()) == [["base_link", "camera", "map", "mast", "odom"], ["screw", "stray"]]


def test_moving_links_without_common_time_are_reported() -> None:
    early = path(*((second, pose(second, 0, 0, 0, 0, 0)) for second in (0, 1)))
    late = path(*((second, pose(second, 0, 0, 0, 0, 0)) for second in (5, 6)))
    with pytest.raises(FrameLinkError, match="never published at the same time"):
        trajectory_between(build_tree({}, {("a", "b"): early, ("b", "c"): late}), "a", "c")
