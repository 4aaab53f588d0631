"""What a user chooses about a synthetic street; everything else is drawn from the seed."""

from dataclasses import dataclass

from gs_sim.errors import ConfigError

CAMERA_NAMES = ("front", "front_left", "front_right", "left", "right", "rear")
"""Cameras the rig can carry, in the order in which they are added."""


@dataclass(frozen=True)
class StreetSettings:
    """Size, length and sensors of the drive; the seed draws the rest."""

    seed: int = 0
    """Fixes the street, its traffic and all noise."""
    duration_s: float = 6.0
    """Length of the drive in seconds."""
    num_actors: int = 4
    """Moving vehicles; parked ones are drawn in addition."""
    width_px: int = 640
    """Width of every image."""
    height_px: int = 360
    """Height of every image."""
    num_cameras: int = 3
    """How many of front, front_left, front_right, left, right, rear the rig carries."""
    camera_rate_hz: float = 10.0
    """Images per second and camera."""
    displaced_every: int = 5
    """Ground-truth cameras beside the path see every n-th frame of `front`; 0 leaves them out."""
    lidar_rings: int = 48
    """Beams of the LiDAR, one above the other; 0 leaves the LiDAR out."""
    lidar_columns: int = 1200
    """Directions per revolution."""
    lidar_rate_hz: float = 10.0
    """Revolutions per second."""
    lidar_range_m: float = 80.0
    """Farthest return."""
    odometry_rate_hz: float = 50.0
    """Poses of the vehicle per second."""
    lens: str = "pinhole"
    """`pinhole`, or `plumb_bob` for bags whose raw images are distorted; recordings always show rectified images."""
    samples_per_edge_pixel: int = 4
    """Rays through a pixel where surfaces meet; 1 is fastest and leaves jagged edges."""
    sensor_noise: float = 1.0
    """Factor on the drawn image and range noise; 0 gives clean data."""
    device: str = "auto"
    """Where to cast rays: `cpu`, `cuda`, or `auto` for cuda where there is one."""

    def __post_init__(self) -> None:
        _within("duration_s", self.duration_s, 0.1, 600.0)
        _within("num_actors", self.num_actors, 0, 40)
        _within("width_px", self.width_px, 16, 4096)
        _within("height_px", self.height_px, 16, 4096)
        _within("num_cameras", self.num_cameras, 1, len(CAMERA_NAMES))
        _within("camera_rate_hz", self.camera_rate_hz, 0.5, 120.0)
        _within("displaced_every", self.displaced_every, 0, 10_000)
        _within("lidar_rings", self.lidar_rings, 0, 256)
        _within("lidar_columns", self.lidar_columns, 16, 8192)
        _within("lidar_rate_hz", self.lidar_rate_hz, 0.5, 50.0)
        _within("lidar_range_m", self.lidar_range_m, 5.0, 300.0)
        _within("odometry_rate_hz", self.odometry_rate_hz, 5.0, 1000.0)
        _within("samples_per_edge_pixel", self.samples_per_edge_pixel, 1, 16)
        _within("sensor_noise", self.sensor_noise, 0.0, 10.0)
        _one_of("lens", self.lens, ("pinhole", "plumb_bob"))
        _one_of("device", self.device, ("auto", "cpu", "cuda"))


def _within(name: str, value: float | int, low: float | int, high: float | int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"the street's {name} must lie between {low} and {high}, got {value}")


def _one_of(name: str, value: str, options: tuple[str, ...]) -> None:
    if value not in options:
        raise ConfigError(f"the street's {name} must be one of {', '.join(options)}, got '{value}'")
