"""A scene folder as commands use it: the scene on a device, and the report.json beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gs_sim.errors import StorageError
from gs_sim.evaluation.video import write_atomically
from gs_sim.scene.scene import Scene
from gs_sim.scene.storage import load_scene

REPORT = "report.json"


@dataclass(frozen=True)
class SceneFolder:
    """A stored scene and how it was made."""

    path: Path
    scene: Scene
    report: Mapping[str, object]
    """Contents of report.json; empty where there is none."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras it was reconstructed from; empty if unknown."""
        names = self.report.get("cameras")
        return tuple(str(name) for name in names) if isinstance(names, list) else ()

    @property
    def width_px(self) -> int:
        """Width it was reconstructed at; 0 if full or unknown."""
        configuration = self.report.get("configuration")
        width = configuration.get("width_px") if isinstance(configuration, Mapping) else None
        return width if isinstance(width, int) else 0

    def rate_hz(self, camera_name: str) -> float | None:
        """Images per second of a camera; None if unknown."""
        rates = self.report.get("camera_rates_hz")
        rate = rates.get(camera_name) if isinstance(rates, Mapping) else None
        return float(rate) if isinstance(rate, (int, float)) and rate > 0 else None


def open_scene(path: Path, device: str) -> SceneFolder:
    """Load a scene onto a device, with its report if it has one.

    Raises:
        StorageError: there is no scene, or it or its report is damaged.
    """
    return SceneFolder(path, move_scene(load_scene(path), device), read_report(path))


def read_report(path: Path) -> Mapping[str, object]:
    """Read `report.json` of a scene folder; empty where there is none.

    Raises:
        StorageError: it is no JSON object.
    """
    file = path / REPORT
    if not file.is_file():
        return {}
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{file} cannot be read as JSON ({error}); remove it or reconstruct again") from error
    if not isinstance(report, dict):
        raise StorageError(f"{file} should hold a JSON object, found a {type(report).__name__}; remove it")
    return report


def write_json(path: Path, document: object) -> None:
    """Write a JSON file atomically.

    Raises:
        StorageError: the disk refuses it.
    """
    write_atomically(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def move_scene(scene: Scene, device: str) -> Scene:
    """The same scene with its Gaussians on another device."""
    return replace(
        scene,
        background=scene.background.to(device),
        distant=scene.distant.to(device),
        actors=tuple(replace(actor, gaussians_box=actor.gaussians_box.to(device)) for actor in scene.actors),
    )
