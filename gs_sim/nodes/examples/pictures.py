"""Images of a run as a video and single pictures, for people to look at."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from gs_sim.evaluation.video import write_png, write_video
from gs_sim.sources.messages.header import stamp_ns
from gs_sim.sources.messages.image import decode_image


class Pictures:
    """Counts images as they come, and keeps them if asked to."""

    def __init__(self, *, is_keeping: bool) -> None:
        self._is_keeping = is_keeping
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self.num_images = 0
        self._kept: list[tuple[int, UInt8[np.ndarray, "h w 3"]]] = []

    def add(self, message: Any) -> None:
        """Take the next image."""
        self.num_images += 1
        if self._is_keeping:
            self._kept.append((stamp_ns(message.header), decode_image(message).numpy()))

    def save(self, folder: Path, name: str) -> None:
        """Write `<name>.mp4` at the images' own rate, and the first and the last of them as PNG.

        Raises:
            StorageError: the disk refuses it.
        """
        if len(self._kept) < 2:
            return
        span_s = (self._kept[-1][0] - self._kept[0][0]) / 1e9
        images = [rgb for _, rgb in self._kept]
        # H.264 in yuv420p wants even sizes
        even = [rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2] for rgb in images]
        write_video(folder / f"{name}.mp4", even, (len(images) - 1) / span_s)
        write_png(folder / f"{name}_first.png", images[0])
        write_png(folder / f"{name}_last.png", images[-1])
