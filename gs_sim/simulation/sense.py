"""World and vehicle in, camera images out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor

from gs_sim.rendering.image import to_rgb8
from gs_sim.rendering.render import render_gaussians
from gs_sim.scene.gaussians import Gaussians
from gs_sim.simulation.virtual_camera import VirtualCamera

MIN_OPACITY = 0.5
"""Below this a pixel sees more of nothing than of a surface, and has no depth."""


@dataclass(frozen=True)
class SensorImage:
    """What one virtual camera saw."""

    camera: VirtualCamera
    stamp_ns: int
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "h w"]
    """Along z; 0 where nothing is."""


def sense(
    gaussians: Gaussians, cameras: Sequence[VirtualCamera], world_from_rig: Float64[Tensor, "4 4"], stamp_ns: int
) -> Iterator[SensorImage]:
    """Render cameras of one vehicle at one moment, one after the other.

    Each image equals `gs_sim.rendering.render.render` of the same view, rounded to 8 bit.
    """
    for camera in cameras:
        with torch.no_grad():
            rendering = render_gaussians(gaussians, camera.camera, world_from_rig @ camera.rig_from_camera)
        is_surface = rendering.opacity[0] > MIN_OPACITY
        depth_m: Float32[np.ndarray, "h w"] = torch.where(is_surface, rendering.depth_m[0], 0.0).cpu().numpy()
        yield SensorImage(camera, stamp_ns, to_rgb8(rendering.colour[0]), depth_m)
