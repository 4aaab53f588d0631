"""The images a scene is made from, resized and in memory, each with its camera and pose."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float32, Float64, Int64, UInt8
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera, intrinsic_matrix, resize_camera
from gs_sim.geometry.pose import inverse
from gs_sim.geometry.trajectory import poses_at
from gs_sim.rendering.rasterize import Views
from gs_sim.sensing.holdout import is_ground_truth_camera, is_held_out
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.resize import resize_frame


@dataclass(frozen=True)
class TrainingView:
    """One resized camera image and where it was taken."""

    camera_name: str
    index: int
    stamp_ns: int
    camera: Camera
    rgb: UInt8[Tensor, "h w 3"]
    world_from_camera: Float64[Tensor, "4 4"]
    lidar_pixels: Int64[Tensor, "m"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    """Flat indices of pixels whose depth LiDAR measured at about the same moment."""
    lidar_depth_m: Float32[Tensor, "m"] = field(default_factory=lambda: torch.zeros(0))
    """Their depths: z in the camera frame."""


def choose_cameras(recording: Recording, names: Iterable[str]) -> tuple[str, ...]:
    """The cameras to reconstruct from: those named, or all but the ground-truth ones.

    Raises:
        InputError: a named camera does not exist, or none is left.
    """
    chosen = tuple(names)
    for name in chosen:
        recording.rig.camera(name)
    if not chosen:
        every = (mounted.name for mounted in recording.rig.cameras)
        chosen = tuple(name for name in every if not is_ground_truth_camera(name))
    if not chosen:
        raise InputError("the recording has no camera to reconstruct from; see `gs-sim inspect`")
    return chosen


def load_training_views(
    recording: Recording, camera_names: Iterable[str], width_px: int, holdout: int
) -> tuple[TrainingView, ...]:
    """Stream the frames that are not held out and keep them resized; `width_px` 0 keeps their size.

    Raises:
        InputError: fewer than two frames are left to reconstruct from.
    """
    views: list[TrainingView] = []
    for name in camera_names:
        mounted = recording.rig.camera(name)
        width = min(width_px, mounted.camera.width_px) if width_px else mounted.camera.width_px
        stamps_ns = recording.frame_stamps_ns(name)
        chosen = [index for index in range(len(stamps_ns)) if not is_held_out(index, holdout)]
        poses = rig_poses_at(recording, stamps_ns) @ mounted.rig_from_camera
        camera = resize_camera(mounted.camera, width)
        for frame in recording.frames(name, chosen):
            rgb = resize_frame(frame, mounted.camera, width).rgb
            views.append(TrainingView(name, frame.index, frame.stamp_ns, camera, rgb, poses[frame.index]))
    if len(views) < 2:
        raise InputError(
            f"at least 2 camera frames are needed to reconstruct, {len(views)} are left of the chosen cameras "
            f"({', '.join(camera_names)}); check `gs-sim inspect` and --holdout"
        )
    return tuple(sorted(views, key=lambda view: (view.stamp_ns, view.camera_name)))


def rig_poses_at(recording: Recording, stamps_ns: Int64[Tensor, "n"]) -> Float64[Tensor, "n 4 4"]:
    """Rig poses at sensor stamps, continued by at most one pose period beyond the trajectory's ends."""
    known = recording.world_from_rig.stamps_ns
    period_ns = int((known[-1] - known[0]) // max(1, len(known) - 1))
    return poses_at(recording.world_from_rig, stamps_ns, max_extrapolation_ns=max(period_ns, 50_000_000))


def rasterizer_views(view: TrainingView, world_from_camera: Float64[Tensor, "4 4"], device: torch.device) -> Views:
    """The camera of a view as the rasterizer wants it, at a (refined) pose."""
    return Views(
        intrinsics=intrinsic_matrix(view.camera)[None].to(device),
        camera_from_world=inverse(world_from_camera)[None].float().to(device),
        width_px=view.camera.width_px,
        height_px=view.camera.height_px,
    )


def dense_depth(view: TrainingView) -> Float32[Tensor, "1 h w"]:
    """Sparse LiDAR depths as an image; 0 where there is none."""
    image = torch.zeros(view.camera.height_px * view.camera.width_px)
    image[view.lidar_pixels] = view.lidar_depth_m
    return image.reshape(1, view.camera.height_px, view.camera.width_px)


def reduce_view(view: TrainingView, factor: int) -> TrainingView:
    """The same view at 1/factor of its size, by averaging; without LiDAR depth."""
    height, width = view.camera.height_px // factor, view.camera.width_px // factor
    planes = view.rgb.permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(planes, size=(height, width), mode="area")[0]
    camera = replace(
        view.camera,
        width_px=width,
        height_px=height,
        fx=view.camera.fx * width / view.camera.width_px,
        fy=view.camera.fy * height / view.camera.height_px,
        cx=view.camera.cx * width / view.camera.width_px,
        cy=view.camera.cy * height / view.camera.height_px,
    )
    return TrainingView(
        view.camera_name,
        view.index,
        view.stamp_ns,
        camera,
        small.permute(1, 2, 0).round().to(torch.uint8),
        view.world_from_camera,
    )
