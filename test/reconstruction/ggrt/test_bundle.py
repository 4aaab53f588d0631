"""Bundle adjustment: exact correspondences lead back to the true poses and depths; what is not seen does not move."""

import torch

from gs_sim.geometry.pose import inverse, pose_from_twist
from gs_sim.reconstruction.ggrt.bundle import Anchors, Block, Links, adjust, project

HEIGHT, WIDTH = 9, 16


def true_block(num_views: int = 3) -> Block:
    generator = torch.Generator().manual_seed(0)
    depth_m = 4 + 20 * torch.rand(num_views, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    motion = torch.tensor([0.05, -0.02, -0.8, 0.004, 0.01, -0.003], dtype=torch.float64)
    poses = pose_from_twist(motion * torch.arange(num_views, dtype=torch.float64)[:, None])
    return Block(poses, 1 / depth_m, torch.tensor([15.0, 15.0, 8.0, 4.5], dtype=torch.float64))


def all_links(block: Block) -> Links:
    count = len(block.inverse_depth)
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    of, found_in = (torch.tensor(ends) for ends in zip(*pairs, strict=True))
    place = project(block, of, found_in).place
    return Links(of, found_in, place, torch.ones_like(place))


def no_anchors(block: Block, num_fixed: int = 1) -> Anchors:
    return Anchors(num_fixed, torch.ones_like(block.inverse_depth), torch.zeros_like(block.inverse_depth))


def shaken(block: Block, size: float = 0.02, depth: float = 0.1) -> Block:
    generator = torch.Generator().manual_seed(1)
    twists = size * torch.randn(len(block.inverse_depth), 6, generator=generator, dtype=torch.float64)
    twists[0] = 0
    noise = torch.randn(block.inverse_depth.shape, generator=generator, dtype=torch.float64)
    return Block(
        pose_from_twist(twists) @ block.camera_from_world, block.inverse_depth * (1 + depth * noise), block.intrinsics
    )


def test_exact_correspondences_and_some_known_depths_lead_back_to_the_truth() -> None:
    truth = true_block()
    links, block = all_links(truth), shaken(truth)
    known = torch.zeros_like(truth.inverse_depth)
    known[:, ::3, ::3] = 1e4
    for _ in range(10):
        block = adjust(block, links, Anchors(1, truth.inverse_depth, known))
    torch.testing.assert_close(block.camera_from_world, truth.camera_from_world, atol=1e-4, rtol=0)
    torch.testing.assert_close(block.inverse_depth, truth.inverse_depth, atol=1e-3, rtol=1e-2)


def test_without_known_depths_the_shape_is_right_up_to_scale() -> None:
    truth = true_block()
    links, block = all_links(truth), shaken(truth)
    for _ in range(15):
        block = adjust(block, links, no_anchors(truth))
    moved, true = (inverse(each.camera_from_world)[1:, :3, 3] for each in (block, truth))
    scale = (moved * true).sum() / true.square().sum()
    assert 0.5 < float(scale) < 2
    torch.testing.assert_close(moved, scale * true, atol=1e-3, rtol=1e-2)


def test_a_step_is_the_derivative_of_the_projection() -> None:
    """One step from near the truth closes almost all of the distance: every Jacobian is right."""
    truth = true_block()
    links, block = all_links(truth), shaken(truth, 1e-3, 1e-3)
    known = torch.full_like(truth.inverse_depth, 1e8)
    after = adjust(block, links, Anchors(1, truth.inverse_depth, known))
    before_error = (block.camera_from_world - truth.camera_from_world).abs().max()
    after_error = (after.camera_from_world - truth.camera_from_world).abs().max()
    assert float(after_error) < 0.02 * float(before_error)


def test_gradients_reach_places_and_weights() -> None:
    truth = true_block(2)
    links, block = all_links(truth), shaken(truth)
    place, weight = (t.clone().requires_grad_(True) for t in (links.place, links.weight))
    after = adjust(block, Links(links.of, links.found_in, place, weight), no_anchors(truth))
    (after.camera_from_world - truth.camera_from_world).square().sum().backward()
    for leaf in (place, weight):
        assert leaf.grad is not None
        assert float(leaf.grad.abs().sum()) > 0


def test_views_without_links_stay_where_they_are() -> None:
    truth = true_block()
    links = all_links(truth)
    silent = Links(links.of, links.found_in, links.place + 3, torch.zeros_like(links.weight))
    after = adjust(truth, silent, no_anchors(truth))
    torch.testing.assert_close(after.camera_from_world, truth.camera_from_world)
    torch.testing.assert_close(after.inverse_depth, truth.inverse_depth)
