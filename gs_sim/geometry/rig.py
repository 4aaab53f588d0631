"""The sensors a vehicle carries and where they are mounted on its `base_link`."""

from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera


@dataclass(frozen=True)
class MountedCamera:
    """One camera of the rig."""

    name: str
    camera: Camera
    """The rectified (pinhole) camera: what frames of a Recording show and what is rendered."""
    raw_camera: Camera
    """The camera as the sensor is, with its lens; equal to `camera` where the images came rectified."""
    rig_from_camera: Float64[Tensor, "4 4"]


@dataclass(frozen=True)
class MountedLidar:
    """One LiDAR of the rig."""

    name: str
    rig_from_lidar: Float64[Tensor, "4 4"]


@dataclass(frozen=True)
class Rig:
    """All sensors of the vehicle; the rig frame is `base_link` (x forward, y left, z up)."""

    cameras: tuple[MountedCamera, ...]
    lidars: tuple[MountedLidar, ...] = ()

    def camera(self, name: str) -> MountedCamera:
        """Find a camera by name.

        Raises:
            InputError: there is no such camera; the message lists those there are.
        """
        for mounted in self.cameras:
            if mounted.name == name:
                return mounted
        known = ", ".join(mounted.name for mounted in self.cameras) or "none"
        raise InputError(f"there is no camera '{name}'; this rig has: {known}")

    def lidar(self, name: str) -> MountedLidar:
        """Find a LiDAR by name.

        Raises:
            InputError: there is no such LiDAR; the message lists those there are.
        """
        for mounted in self.lidars:
            if mounted.name == name:
                return mounted
        known = ", ".join(mounted.name for mounted in self.lidars) or "none"
        raise InputError(f"there is no LiDAR '{name}'; this rig has: {known}")
