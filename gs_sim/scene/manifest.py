"""`scene.json`: what of a scene is not Gaussians, as JSON, and back.

Numbers are written with the shortest digits that read back to the same float64, so nothing is lost.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import InputError, StorageError
from gs_sim.geometry.camera import COEFFICIENT_COUNTS, Camera
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.scene import Scene

FORMAT = "gs_sim scene"
VERSION = 1
"""Raised when an older gs_sim could not read what is written; readers refuse higher numbers."""

Json = dict[str, Any]  # JSON is untyped until it is checked


@dataclass(frozen=True)
class ActorEntry:
    """An actor without its Gaussians."""

    actor_id: str
    label: str
    size_m: tuple[float, float, float]
    file: str
    """Path of its PLY file inside the scene's folder."""
    world_from_box: Trajectory


@dataclass(frozen=True)
class Manifest:
    """The content of scene.json."""

    rig: Rig
    world_from_rig: Trajectory
    map_from_world: Float64[Tensor, "4 4"]
    actors: tuple[ActorEntry, ...]
    num_backdrop: int
    """See `Scene.num_backdrop`."""


def manifest_of(scene: Scene, actor_files: list[str]) -> Json:
    """The manifest of a scene, ready for JSON."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "map_from_world": scene.map_from_world.tolist(),
        "rig": {
            "cameras": [
                {
                    "name": mounted.name,
                    "camera": camera_to_json(mounted.camera),
                    "raw_camera": camera_to_json(mounted.raw_camera),
                    "rig_from_camera": mounted.rig_from_camera.tolist(),
                }
                for mounted in scene.rig.cameras
            ],
            "lidars": [
                {"name": mounted.name, "rig_from_lidar": mounted.rig_from_lidar.tolist()}
                for mounted in scene.rig.lidars
            ],
        },
        "world_from_rig": trajectory_to_json(scene.world_from_rig),
        "num_backdrop": scene.num_backdrop,
        "actors": [
            {
                "actor_id": actor.actor_id,
                "label": actor.label,
                "size_m": list(actor.size_m),
                "file": file,
                "world_from_box": trajectory_to_json(actor.world_from_box),
            }
            for actor, file in zip(scene.actors, actor_files, strict=True)
        ],
    }


def parse_manifest(text: str, path: Path) -> Manifest:
    """Read a manifest strictly.

    Raises:
        StorageError: it is no manifest, a newer version wrote it, or an entry is missing or of the wrong kind.
    """
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise StorageError(f"{path} is no JSON ({error}); it is damaged or truncated") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StorageError(f"{path} is no scene manifest: the entry 'format' must be '{FORMAT}'")
    version = content.get("version")
    if not isinstance(version, int) or version < 1:
        raise StorageError(f"{path}: a version number is expected, found {version!r}")
    if version > VERSION:
        raise StorageError(
            f"{path} was written by a newer gs_sim (scene version {version}, this one reads up to {VERSION}); update gs_sim"
        )
    try:
        return Manifest(
            rig=Rig(
                cameras=tuple(camera_entry(entry) for entry in content["rig"]["cameras"]),
                lidars=tuple(
                    MountedLidar(text_of(entry["name"]), pose_of(entry["rig_from_lidar"]))
                    for entry in content["rig"]["lidars"]
                ),
            ),
            world_from_rig=trajectory_from_json(content["world_from_rig"]),
            map_from_world=pose_of(content["map_from_world"]),
            actors=tuple(actor_entry(entry) for entry in content["actors"]),
            num_backdrop=count_of(content.get("num_backdrop", 0)),
        )
    except KeyError as error:
        raise StorageError(f"{path} lacks the entry {error}; it is damaged") from error
    except (TypeError, ValueError, AttributeError, OverflowError, RuntimeError, InputError) as error:
        # everything that torch, the core types and plain indexing say about values of the wrong kind
        raise StorageError(f"{path} is damaged: {error}") from error


def camera_entry(entry: Json) -> MountedCamera:
    """One camera of the rig."""
    return MountedCamera(
        text_of(entry["name"]),
        camera_from_json(entry["camera"]),
        camera_from_json(entry["raw_camera"]),
        pose_of(entry["rig_from_camera"]),
    )


def actor_entry(entry: Json) -> ActorEntry:
    """One actor."""
    length, width, height = (number_of(value) for value in entry["size_m"])
    return ActorEntry(
        text_of(entry["actor_id"]),
        text_of(entry["label"]),
        (length, width, height),
        text_of(entry["file"]),
        trajectory_from_json(entry["world_from_box"]),
    )


def camera_to_json(camera: Camera) -> Json:
    """A camera's fields by their names."""
    names = ("width_px", "height_px", "fx", "fy", "cx", "cy", "lens")
    return {name: getattr(camera, name) for name in names} | {"coefficients": list(camera.coefficients)}


def camera_from_json(entry: Json) -> Camera:
    """A camera from its fields; the Camera itself checks their values."""
    width_px, height_px = int(number_of(entry["width_px"])), int(number_of(entry["height_px"]))
    fx, fy, cx, cy = (number_of(entry[name]) for name in ("fx", "fy", "cx", "cy"))
    coefficients = tuple(number_of(value) for value in entry["coefficients"])
    known = [lens for lens in COEFFICIENT_COUNTS if lens == entry["lens"]]
    if not known:
        raise InputError(f"unknown lens model {entry['lens']!r:.60}; known are {', '.join(COEFFICIENT_COUNTS)}")
    return Camera(width_px, height_px, fx, fy, cx, cy, known[0], coefficients)


def trajectory_to_json(trajectory: Trajectory) -> Json:
    """Stamps, and for each the upper three rows of the pose one after the other."""
    return {
        "stamps_ns": trajectory.stamps_ns.tolist(),
        "poses": trajectory.poses[:, :3].reshape(-1, 12).tolist(),
    }


def trajectory_from_json(entry: Json) -> Trajectory:
    """The way back from `trajectory_to_json`."""
    if not all(type(stamp) is int for stamp in entry["stamps_ns"]):
        raise InputError("the stamps of a trajectory must be whole nanoseconds")
    stamps_ns = torch.tensor(entry["stamps_ns"], dtype=torch.int64)
    rows = torch.tensor(entry["poses"], dtype=torch.float64).reshape(-1, 12).reshape(-1, 3, 4)
    if len(rows) != len(stamps_ns):
        raise InputError(f"a trajectory has {len(stamps_ns)} stamps but {len(rows)} poses")
    last = torch.tensor([[[0.0, 0.0, 0.0, 1.0]]], dtype=torch.float64).expand(len(rows), 1, 4)
    return Trajectory(stamps_ns, torch.cat([rows, last], dim=1))


def pose_of(value: Any) -> Float64[Tensor, "4 4"]:
    """A finite 4x4 matrix."""
    pose = torch.tensor(value, dtype=torch.float64)
    if pose.shape != (4, 4) or not bool(pose.isfinite().all()):
        raise InputError("a pose must be a finite 4x4 matrix")
    return pose


def text_of(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise InputError(f"a text is expected, found {value!r:.60}")
    return value


def count_of(value: Any) -> int:
    """A whole number, zero or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"a count is expected, found {value!r:.60}")
    return value


def number_of(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise InputError(f"a finite number is expected, found {value!r:.60}")
    return float(value)
