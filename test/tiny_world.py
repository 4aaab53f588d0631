"""A tiny world with a known answer: a textured wall, a red car passing before it, and a recording rendered from it."""

from dataclasses import dataclass

import torch

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import inverse, pose_from, transform_points
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory, pose_at
from gs_sim.reconstruction.views import TrainingView
from gs_sim.rendering.render import render
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import SH_C0, Gaussians, empty_gaussians
from gs_sim.scene.scene import Scene
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track

CAMERA = Camera(width_px=96, height_px=64, fx=80.0, fy=80.0, cx=48.0, cy=32.0)
WALL_M = 12.0
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
NUM_FRAMES = 8


@dataclass(frozen=True)
class TinyWorld:
    """The scene, and the recording that it renders exactly."""

    scene: Scene
    recording: MemoryRecording


def pose(x: float, y: float, z: float) -> torch.Tensor:
    return pose_from(torch.eye(3, dtype=torch.float64), torch.tensor([x, y, z], dtype=torch.float64))


def path(positions: list[tuple[float, float, float]]) -> Trajectory:
    stamps_ns = START_NS + torch.arange(len(positions), dtype=torch.int64) * STEP_NS
    return Trajectory(stamps_ns, torch.stack([pose(*position) for position in positions]))


def grey_view(x: float = 0.0) -> TrainingView:
    """An all grey image, taken looking ahead from this far along x."""
    rgb = torch.full((CAMERA.height_px, CAMERA.width_px, 3), 200, dtype=torch.uint8)
    return TrainingView("front", 0, 0, CAMERA, rgb, pose(x, 0.0, 0.0) @ optical_from())


def splats(means: torch.Tensor, rgb: torch.Tensor, scale_m: float) -> Gaussians:
    count = len(means)
    return Gaussians(
        means=means.float(),
        log_scales=torch.full((count, 3), scale_m).log(),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(count, 4).clone(),
        opacity_logits=torch.full((count,), 4.0),
        sh=((rgb - 0.5) / SH_C0)[:, None].float(),
    )


def optical_from(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> torch.Tensor:
    """A forward-looking camera at a place of the rig: optical x is right (-y), optical y is down (-z)."""
    rotation = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], dtype=torch.float64)
    return pose_from(rotation, torch.tensor([x, y, z], dtype=torch.float64))


def make_rig() -> Rig:
    cameras = (
        MountedCamera("front", CAMERA, CAMERA, optical_from()),
        MountedCamera("off_left_1m", CAMERA, CAMERA, optical_from(y=1.0)),
    )
    return Rig(cameras, (MountedLidar("top", pose(0.0, 0.0, 0.5)),))


def make_scene(rig: Rig, world_from_rig: Trajectory, world_from_car: Trajectory) -> Scene:
    generator = torch.Generator().manual_seed(5)
    across, up = torch.meshgrid(torch.arange(-14, 14, 0.4), torch.arange(-8, 8, 0.4), indexing="ij")
    wall = torch.stack([torch.full_like(across, WALL_M), across, up], dim=-1).reshape(-1, 3)
    background = splats(wall, torch.rand(len(wall), 3, generator=generator), 0.22)
    body = torch.cartesian_prod(*[torch.linspace(-0.5, 0.5, 4)] * 3) * torch.tensor([2.0, 2.0, 1.4])
    red = torch.tensor([[0.9, 0.1, 0.1]]).expand(len(body), 3)
    car = Actor("car-1", "car", (2.4, 2.4, 1.8), splats(body, red, 0.25), world_from_car)
    return Scene(background, empty_gaussians(), (car,), rig, world_from_rig, torch.eye(4, dtype=torch.float64))


def make_sweep(index: int, world_from_rig: Trajectory, rig: Rig, world_from_car: Trajectory) -> Sweep:
    """What a LiDAR sees: the car's box where a ray meets it, the wall elsewhere."""
    stamp_ns = START_NS + index * STEP_NS
    world_from_lidar = pose_at(world_from_rig, stamp_ns) @ rig.lidar("top").rig_from_lidar
    origin = world_from_lidar[:3, 3]
    across, up = torch.meshgrid(torch.linspace(-6, 6, 90), torch.linspace(-4, 4, 60), indexing="ij")
    on_wall = torch.stack([torch.full_like(across, WALL_M), across, up], dim=-1).reshape(-1, 3).double()
    rays = on_wall - origin
    half = torch.tensor([1.2, 1.2, 0.9], dtype=torch.float64)
    centre = pose_at(world_from_car, stamp_ns)[:3, 3]
    ends = torch.stack([(centre - half - origin) / rays, (centre + half - origin) / rays])
    enters, leaves = ends.amin(dim=0).amax(dim=-1), ends.amax(dim=0).amin(dim=-1)
    share = torch.where((enters < leaves) & (enters > 0), enters, 1.0)
    points_world = origin + rays * share[:, None]
    points_lidar = transform_points(inverse(world_from_lidar), points_world).float()
    stamps_ns = torch.full((len(points_lidar),), stamp_ns, dtype=torch.int64)
    return Sweep("top", index, stamp_ns, points_lidar, stamps_ns, torch.zeros(len(points_lidar)))


def make_tiny_world() -> TinyWorld:
    rig = make_rig()
    world_from_rig = path([(0.1 * i, 0.0, 0.0) for i in range(NUM_FRAMES)])
    world_from_car = path([(8.0, 3.0 - 0.8 * i, 0.0) for i in range(NUM_FRAMES)])
    scene = make_scene(rig, world_from_rig, world_from_car)
    frames = []
    for mounted in rig.cameras:
        for index in range(NUM_FRAMES):
            world_from_camera = world_from_rig.poses[index] @ mounted.rig_from_camera
            colour = render(scene, CAMERA, world_from_camera, START_NS + index * STEP_NS).colour[0]
            rgb = (colour.clamp(0, 1) * 255).round().to(torch.uint8)
            frames.append(Frame(mounted.name, index, START_NS + index * STEP_NS, rgb))
    tracks = (
        Track("car-1", "car", (2.4, 2.4, 1.8), world_from_car),
        Track("parked", "car", (2.0, 2.0, 2.0), path([(9.0, -3.0, 0.0)] * NUM_FRAMES)),
    )
    sweeps = tuple(make_sweep(index, world_from_rig, rig, world_from_car) for index in range(NUM_FRAMES))
    map_from_world = torch.eye(4, dtype=torch.float64)
    recording = MemoryRecording(rig, world_from_rig, map_from_world, tracks, tuple(frames), sweeps, {})
    return TinyWorld(scene, recording)
