"""The scene that sensor_sim and learned steps are timed on: as many Gaussians as asked for, distributed as in a street."""

from pathlib import Path

import torch

from gs_sim.benchmark.rasterizer import street_like_gaussians
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.rig import MountedCamera, Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.gaussians import empty_gaussians
from gs_sim.scene.scene import Scene
from gs_sim.scene.storage import save_scene

START_NS = 1_700_000_000_000_000_000
CAMERA_NAME = "front"
RIG_FILE = "rig.yaml"
MAX_RATE_HZ = 1000.0
"""Every pose is rendered."""


def simulation_scene(num_gaussians: int, size_px: tuple[int, int], generator: torch.Generator) -> Scene:
    """A scene, and a rig with one camera of this width and height that looks along the street."""
    width_px, height_px = size_px
    identity = torch.eye(4, dtype=torch.float64)
    focal = 0.9 * width_px
    camera = Camera(width_px, height_px, focal, focal, width_px / 2, height_px / 2)
    stamps_ns = torch.tensor([START_NS, START_NS + 10**9], dtype=torch.int64)
    return Scene(
        background=street_like_gaussians(num_gaussians, 0, generator),
        distant=empty_gaussians(),
        actors=(),
        rig=Rig((MountedCamera(CAMERA_NAME, camera, camera, identity),)),
        world_from_rig=Trajectory(stamps_ns, identity.repeat(2, 1, 1)),
        map_from_world=identity,
    )


def write_simulation_scene(folder: Path, num_gaussians: int, size_px: tuple[int, int], seed: int) -> Path:
    """Save a scene and, beside it, a rig file with its camera.

    Args:
        folder: where the scene goes.
        num_gaussians: size of the scene.
        size_px: width and height of the image.
        seed: draws the scene.

    Returns:
        The rig file.
    """
    save_scene(simulation_scene(num_gaussians, size_px, torch.Generator().manual_seed(seed)), folder)
    rig = folder / RIG_FILE
    rig.write_text(f"cameras: {{{CAMERA_NAME}: {{like: {CAMERA_NAME}, rate_hz: {MAX_RATE_HZ}}}}}\n", encoding="utf-8")
    return rig
