"""A small scene with everything in it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import pose_from_twist
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.scene import Scene

START_NS = 1_317_042_504_957_314_930


def draw_gaussians(generator: torch.Generator, num: int, k: int) -> Gaussians:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Gaussians(draw(num, 3), draw(num, 3), draw(num, 4), draw(num), draw(num, k, 3))


def draw_trajectory(generator: torch.Generator, num: int) -> Trajectory:
    twists = torch.randn(num, 6, generator=generator, dtype=torch.float64)
    return Trajectory(START_NS + torch.arange(num) * 103_366_667, pose_from_twist(twists))


@pytest.fixture
def scene() -> Scene:
    """Two actors, a rectified camera with its lens, a LiDAR; all numbers irregular."""
    generator = torch.Generator().manual_seed(5)
    lens = Camera(640, 480, 0.1 + 0.2, 1 / 3, 321.7, 1e-17, "plumb_bob", (-0.37, 0.2, 1e-3, 1.4e-3, -0.072))
    mounts = pose_from_twist(torch.randn(3, 6, generator=generator, dtype=torch.float64))
    camera = MountedCamera("front", replace(lens, lens="none", coefficients=()), lens, mounts[0])
    actors = tuple(
        Actor(name, "car", (4.1, 1.7, 1.5 + 1e-9), draw_gaussians(generator, 3, 1), draw_trajectory(generator, 4))
        for name in ("8", "van-9")
    )
    return Scene(
        background=draw_gaussians(generator, 11, 4),
        distant=draw_gaussians(generator, 5, 1),
        actors=actors,
        rig=Rig((camera,), (MountedLidar("top", mounts[1]),)),
        world_from_rig=draw_trajectory(generator, 6),
        map_from_world=mounts[2],
    )
