"""Virtual cameras, and the YAML files that describe a rig of them.

cameras:
front:                       # also the namespace of its topics
width_px: 640
height_px: 360
horizontal_fov_deg: 90.0   # or intrinsics: [fx, fy, cx, cy] as in CameraInfo
x_m: 1.5                   # where it sits on base_link, and where it looks
z_m: 1.6
rate_hz: 10.0
wide:
like: image_02             # as a camera that recorded the scene
rate_hz: 5.0
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import transforms3d
import yaml
from jaxtyping import Float64
from torch import Tensor

from gs_sim.config import Range, check_ranges, override
from gs_sim.errors import ConfigError, InputError
from gs_sim.geometry.camera import Camera, resize_camera
from gs_sim.geometry.pose import pose_from
from gs_sim.geometry.rig import Rig

BODY_FROM_OPTICAL = ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
"""A camera's body looks along x, its optical frame along z (REP 103)."""

DEFAULT_RATE_HZ = 10.0

BESIDE_LIKE = {"like", "width_px", "rate_hz", "has_depth"}
"""What a camera that is like another one may say of itself."""


@dataclass(frozen=True)
class VirtualCamera:
    """A camera that exists only in the simulation."""

    name: str
    """Lower snake case: the namespace of its topics."""
    camera: Camera
    rig_from_camera: Float64[Tensor, "4 4"]
    """Pose of the optical frame in `base_link`."""
    rate_hz: float = DEFAULT_RATE_HZ
    """Images per second; 0 renders only when asked."""
    has_depth: bool = False
    """Whether it also gives depth."""


@dataclass(frozen=True)
class CameraSettings:
    """One camera of a rig file."""

    like: str = ""
    """Intrinsics, lens and mount of this camera of the scene; only width_px, rate_hz and has_depth change it."""
    width_px: Annotated[int, Range(0, 100_000)] = 0
    """Width of the image; with `like`, 0 keeps that camera's size."""
    height_px: Annotated[int, Range(0, 100_000)] = 0
    """Height of the image; with `like` it follows the width."""
    horizontal_fov_deg: Annotated[float, Range(0.0, 179.0)] = 0.0
    """Angle between the left and right edge of a pinhole image; 0 where `intrinsics` are given."""
    intrinsics: tuple[float, ...] = ()
    """fx, fy, cx, cy in pixels, as CameraInfo has them in k (the first pixel's centre is 0, 0)."""
    lens: Literal["none", "plumb_bob", "rational_polynomial", "equidistant"] = "none"
    """Distortion model, as CameraInfo names it."""
    coefficients: tuple[float, ...] = ()
    """Distortion coefficients, in the order of CameraInfo's d."""
    x_m: float = 0.0
    """Forward of base_link."""
    y_m: float = 0.0
    """Left of base_link."""
    z_m: float = 0.0
    """Above base_link."""
    roll_deg: float = 0.0
    """About the line of sight, to the right."""
    pitch_deg: float = 0.0
    """Downwards."""
    yaw_deg: float = 0.0
    """To the left."""
    rate_hz: Annotated[float, Range(0.0, 1000.0)] = DEFAULT_RATE_HZ
    """Images per second; 0 renders only when asked."""
    has_depth: bool = False
    """Also publish depth (32FC1, metres along z)."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.like:
            return
        if not (self.width_px and self.height_px):
            raise ConfigError("a camera needs width_px and height_px, or `like: <a camera of the scene>`")
        if bool(self.horizontal_fov_deg) == bool(self.intrinsics):
            raise ConfigError("a camera needs either horizontal_fov_deg or intrinsics: [fx, fy, cx, cy]")
        if self.intrinsics and len(self.intrinsics) != 4:
            raise ConfigError(f"intrinsics are four numbers fx, fy, cx, cy; got {len(self.intrinsics)}")


@dataclass(frozen=True)
class _AnyCamera(CameraSettings):
    """Defaults of a camera that a file is laid over."""

    like: str = "?"


def load_rig(path: Path, recorded: Rig) -> tuple[VirtualCamera, ...]:
    """Read a rig file.

    Args:
        path: the YAML file.
        recorded: the rig of the scene, whose cameras `like` may name.

    Raises:
        ConfigError: the file cannot be read, or describes no usable rig.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the rig file {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the rig file {path} is no valid YAML: {' '.join(str(error).split())}") from error
    cameras = document.get("cameras") if isinstance(document, Mapping) and set(document) == {"cameras"} else None
    if not isinstance(cameras, Mapping) or not cameras:
        raise ConfigError(f"{path}: expected `cameras:` with one entry for each camera, by its name, and nothing else")
    return tuple(_camera(str(name), entry, recorded, f"{path}: {name}") for name, entry in cameras.items())


def _camera(name: str, entry: object, recorded: Rig, where: str) -> VirtualCamera:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"{where}: a camera's name is lower snake case, since its topics are named after it")
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: expected settings of a camera, got {entry!r}")
    given: dict[str, Any] = {"like": "", **entry}
    # the checks that need several settings at once run when all are there
    settings = override(_AnyCamera(), given, where=where)
    if settings.like and (ignored := sorted(set(given) - BESIDE_LIKE)):
        raise ConfigError(
            f"{where}: beside `like` only width_px, rate_hz and has_depth count, not {', '.join(ignored)}"
        )
    try:
        if settings.like:
            return _like(name, settings, recorded)
        camera = camera_of(settings)
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from error
    return VirtualCamera(name, camera, mount_of(settings), settings.rate_hz, settings.has_depth)


def _like(name: str, settings: CameraSettings, recorded: Rig) -> VirtualCamera:
    mounted = recorded.camera(settings.like)
    camera = resize_camera(mounted.camera, settings.width_px) if settings.width_px else mounted.camera
    return VirtualCamera(name, camera, mounted.rig_from_camera, settings.rate_hz, settings.has_depth)


def camera_of(settings: CameraSettings) -> Camera:
    """The camera that settings describe; half a pixel is added to the principal point here."""
    if settings.intrinsics:
        fx, fy, cx, cy = settings.intrinsics
        cx, cy = cx + 0.5, cy + 0.5
    else:
        fx = fy = settings.width_px / 2 / math.tan(math.radians(settings.horizontal_fov_deg) / 2)
        cx, cy = settings.width_px / 2, settings.height_px / 2
    return Camera(settings.width_px, settings.height_px, fx, fy, cx, cy, settings.lens, settings.coefficients)


def mount_of(settings: CameraSettings) -> Float64[Tensor, "4 4"]:
    """Pose of the optical frame in `base_link`: yaw, then pitch, then roll, about the body's own axes."""
    angles = (math.radians(angle) for angle in (settings.yaw_deg, settings.pitch_deg, settings.roll_deg))
    rig_from_body = torch.from_numpy(transforms3d.euler.euler2mat(*angles, axes="rzyx"))
    rotation = rig_from_body @ torch.tensor(BODY_FROM_OPTICAL, dtype=torch.float64)
    return pose_from(rotation, torch.tensor([settings.x_m, settings.y_m, settings.z_m], dtype=torch.float64))


def recorded_cameras(rig: Rig, names: tuple[str, ...], width_px: int) -> tuple[VirtualCamera, ...]:
    """The cameras that recorded a scene, as virtual ones.

    Args:
        rig: of the scene.
        names: which cameras; empty takes all.
        width_px: reduce images to this width; 0 keeps each camera's own.
    """
    chosen = [mounted for mounted in rig.cameras if not names or mounted.name in names]
    return tuple(
        VirtualCamera(
            re.sub(r"[^a-z0-9_]", "_", mounted.name.lower()),
            resize_camera(mounted.camera, min(width_px or mounted.camera.width_px, mounted.camera.width_px)),
            mounted.rig_from_camera,
        )
        for mounted in chosen
    )
