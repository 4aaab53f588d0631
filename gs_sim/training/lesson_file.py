"""Lessons on disk, so that a second training, or one that goes on, need not draw them again: a scene folder and its views."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gs_sim.errors import StorageError
from gs_sim.geometry.camera import Camera
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.storage import load_scene, save_scene
from gs_sim.scene.tensor_file import save_tensors
from gs_sim.training.lesson import Lesson

VIEWS = "views.safetensors"


def save_lesson(lesson: Lesson, folder: Path) -> None:
    """Write a lesson; the views come last, so that a folder that has them is whole.

    Raises:
        StorageError: it cannot be written.
    """
    save_scene(lesson.scene, folder / "scene")
    tensors: dict[str, Tensor] = {}
    facts = []
    for number, (is_novel, view) in enumerate(
        [*((False, v) for v in lesson.source), *((True, v) for v in lesson.novel)]
    ):
        tensors[f"rgb.{number}"] = view.rgb
        tensors[f"world_from_camera.{number}"] = view.world_from_camera
        tensors[f"lidar_pixels.{number}"] = view.lidar_pixels
        tensors[f"lidar_depth_m.{number}"] = view.lidar_depth_m
        camera = {key: value for key, value in asdict(view.camera).items() if key not in ("lens", "coefficients")}
        facts.append(
            {
                "camera_name": view.camera_name,
                "index": view.index,
                "stamp_ns": view.stamp_ns,
                "is_novel": is_novel,
                "camera": camera,
            }
        )
    save_tensors(tensors, folder / VIEWS, {"seed": str(lesson.seed), "views": json.dumps(facts)}, "the lesson")


def load_lesson(folder: Path) -> Lesson:
    """Read a lesson.

    Raises:
        StorageError: there is none, or it is damaged.
    """
    path = folder / VIEWS
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            facts = json.loads(metadata["views"])
            views = [(fact["is_novel"], _view(fact, file, number)) for number, fact in enumerate(facts)]
        seed = int(metadata["seed"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path} is no lesson ({error}); delete {folder} and it is drawn again") from None
    return Lesson(seed, load_scene(folder / "scene"), _those(views, False), _those(views, True))


def has_lesson(folder: Path) -> bool:
    """Whether a whole lesson lies there."""
    return (folder / VIEWS).is_file()


def _view(fact: dict[str, object], file: object, number: int) -> TrainingView:
    get = file.get_tensor  # type: ignore[attr-defined]  # safe_open has no stubs
    return TrainingView(
        str(fact["camera_name"]),
        int(str(fact["index"])),
        int(str(fact["stamp_ns"])),
        Camera(**fact["camera"]),  # type: ignore[arg-type]
        get(f"rgb.{number}"),
        get(f"world_from_camera.{number}").to(torch.float64),
        get(f"lidar_pixels.{number}"),
        get(f"lidar_depth_m.{number}"),
    )


def _those(views: Iterable[tuple[bool, TrainingView]], is_novel: bool) -> tuple[TrainingView, ...]:
    return tuple(view for novel, view in views if novel == is_novel)
