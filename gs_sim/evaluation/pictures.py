"""Pictures for a report: ground truth, rendering, error and depth side by side, as small JPEGs.

Encoded as soon as they are seen, so a long evaluation keeps kilobytes per frame, not images.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from gs_sim.errors import StorageError
from gs_sim.evaluation.evaluate import FrameComparison
from gs_sim.evaluation.summary import FrameScore
from gs_sim.rendering.image import to_rgb8

ERROR_GAIN = 4.0
"""Errors are drawn this much brighter than they are; a quarter of the full range is already white-hot."""
NEAR_M = 2.0
FAR_M = 80.0
"""Depth colours run logarithmically from near to far."""
MAX_PANEL_WIDTH_PX = 720
JPEG_QUALITY = 85


@dataclass(frozen=True)
class Picture:
    """The four panels of one frame, each a JPEG file's bytes."""

    score: FrameScore
    truth: bytes
    image: bytes
    error: bytes
    depth: bytes


class PictureBook:
    """Keeps a few frames per camera, evenly spread however many come, and the best and the worst of all."""

    def __init__(self, max_per_camera: int = 4) -> None:
        self._max_per_camera = max_per_camera
        self._kept: dict[str, list[Picture]] = {}
        self._stride: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._best: Picture | None = None
        self._worst: Picture | None = None

    def add(self, comparison: FrameComparison) -> None:
        """Look at one more frame; those of a camera come in time order."""
        score = comparison.score
        seen = self._seen.get(score.camera, 0)
        self._seen[score.camera] = seen + 1
        stride = self._stride.setdefault(score.camera, 1)
        is_best = self._best is None or score.psnr_db > self._best.score.psnr_db
        is_worst = self._worst is None or score.psnr_db < self._worst.score.psnr_db
        is_kept = seen % stride == 0
        if not (is_best or is_worst or is_kept):
            return
        picture = draw_picture(comparison)
        self._best = picture if is_best else self._best
        self._worst = picture if is_worst else self._worst
        if is_kept:
            kept = self._kept.setdefault(score.camera, [])
            kept.append(picture)
            if len(kept) >= 2 * self._max_per_camera:
                # Twice as many as wanted: drop every other one and look at half as many from here on.
                self._kept[score.camera] = kept[::2]
                self._stride[score.camera] = 2 * stride

    @property
    def spread(self) -> tuple[Picture, ...]:
        """Frames evenly spread over each camera's time."""
        chosen: list[Picture] = []
        for kept in self._kept.values():
            count = min(self._max_per_camera, len(kept))
            places = np.linspace(0, len(kept) - 1, count).round().astype(int)
            chosen.extend(kept[place] for place in places)
        return tuple(chosen)

    @property
    def best(self) -> Picture | None:
        """The frame of highest PSNR."""
        return self._best

    @property
    def worst(self) -> Picture | None:
        """The frame of lowest PSNR."""
        return self._worst


def draw_picture(comparison: FrameComparison) -> Picture:
    """Draw and encode the four panels of a frame."""
    return Picture(
        score=comparison.score,
        truth=encode_jpeg(to_rgb8(comparison.truth)),
        image=encode_jpeg(to_rgb8(comparison.image)),
        error=encode_jpeg(colour_error(comparison.image, comparison.truth)),
        depth=encode_jpeg(colour_depth(comparison.depth_m, comparison.opacity)),
    )


def colour_error(image: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Mean absolute error over the channels times `ERROR_GAIN`, from black over red to pale yellow."""
    error = (image - truth).abs().mean(dim=-1) * ERROR_GAIN
    return _colour_map(error, cv2.COLORMAP_INFERNO)


def colour_depth(depth_m: Float[Tensor, "h w"], opacity: Float[Tensor, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Depth on a logarithmic scale, warm near and cold far; dark where the scene is see-through."""
    near, far = np.log(NEAR_M), np.log(FAR_M)
    closeness = 1.0 - (depth_m.clamp(min=1e-3).log() - near) / (far - near)
    coloured = _colour_map(closeness, cv2.COLORMAP_TURBO)
    faded: UInt8[np.ndarray, "h w 3"] = (coloured * opacity.clamp(0, 1)[..., None].numpy()).astype(np.uint8)
    return faded


def _colour_map(values: Float[Tensor, "h w"], table: int) -> UInt8[np.ndarray, "h w 3"]:
    grey = (values.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    rgb: UInt8[np.ndarray, "h w 3"] = np.ascontiguousarray(cv2.applyColorMap(grey, table)[..., ::-1])
    return rgb


def encode_jpeg(rgb: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode as JPEG, reduced to `MAX_PANEL_WIDTH_PX` if wider.

    Raises:
        StorageError: the encoder refuses the image.
    """
    height, width = rgb.shape[:2]
    if width > MAX_PANEL_WIDTH_PX:
        size = (MAX_PANEL_WIDTH_PX, max(1, round(height * MAX_PANEL_WIDTH_PX / width)))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    is_encoded, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not is_encoded:
        raise StorageError(f"a {width}x{height} picture could not be encoded as JPEG")
    return bytes(data)
