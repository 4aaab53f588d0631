"""Looking around in a scene: the logged drive again, seen by a camera of a vehicle beside the path."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from gs_sim.evaluation.rig_path import rig_pose_at
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.rendering.image import to_rgb8
from gs_sim.rendering.render import render
from gs_sim.scene.scene import Scene


@dataclass(frozen=True)
class RigOffset:
    """Where the virtual vehicle stands in the logged one's `base_link` (x forward, y left, z up)."""

    x_m: float = 0.0
    y_m: float = 0.0
    z_m: float = 0.0
    yaw_rad: float = 0.0
    """About z, to the left."""


def rig_from_virtual(offset: RigOffset) -> Float64[Tensor, "4 4"]:
    """Pose of the virtual vehicle's `base_link` in the logged one's."""
    cosine, sine = math.cos(offset.yaw_rad), math.sin(offset.yaw_rad)
    rotation = [[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]
    return pose_from(
        torch.tensor(rotation, dtype=torch.float64),
        torch.tensor([offset.x_m, offset.y_m, offset.z_m], dtype=torch.float64),
    )


def drive_stamps_ns(world_from_rig: Trajectory, rate_hz: float) -> list[int]:
    """Stamps from the first to the last pose of the path at a steady rate."""
    period_ns = 1e9 / rate_hz
    count = int((world_from_rig.end_ns - world_from_rig.start_ns) / period_ns + 1e-6) + 1
    return [world_from_rig.start_ns + round(number * period_ns) for number in range(count)]


def even_camera(camera: Camera) -> Camera:
    """The camera without its last column or row where their number is odd, as video wants it."""
    return replace(camera, width_px=camera.width_px // 2 * 2, height_px=camera.height_px // 2 * 2)


def render_drive(
    scene: Scene,
    camera: Camera,
    rig_from_camera: Float64[Tensor, "4 4"],
    stamps_ns: list[int],
    offset: RigOffset,
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Render the camera at each stamp, its vehicle displaced by the offset; one image in memory at a time.

    Raises:
        OutsideTrajectoryError: the scene's path does not cover a stamp.
    """
    rig_from_displaced = rig_from_virtual(offset) @ rig_from_camera
    for stamp_ns in stamps_ns:
        world_from_camera = rig_pose_at(scene.world_from_rig, stamp_ns) @ rig_from_displaced
        with torch.no_grad():
            rendering = render(scene, camera, world_from_camera, stamp_ns)
        yield to_rgb8(rendering.colour[0])
