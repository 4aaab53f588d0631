"""Image files and H.264 video, written under a temporary name and then renamed: never half a file."""

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from gs_sim.errors import StorageError

QUALITY_CRF = 18
"""Constant rate factor of x264: 18 is close to indistinguishable, 23 its default, lower is larger."""


def write_png(path: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write one picture.

    Raises:
        StorageError: the encoder refuses it, or the disk does.
    """
    is_encoded, data = cv2.imencode(".png", rgb[..., ::-1])
    if not is_encoded:
        raise StorageError(f"a {rgb.shape[1]}x{rgb.shape[0]} picture could not be encoded as PNG for {path}")
    write_atomically(path, bytes(data))


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there once it is whole; folders are made as needed.

    Raises:
        StorageError: the disk refuses it: no space, no permission, ...
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        _remove(part)
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


def write_video(path: Path, images: Iterable[UInt8[np.ndarray, "h w 3"]], rate_hz: float) -> int:
    """Encode images of one even size as H.264 (yuv420p, playable while it loads) and return how many there were.

    If anything stops it, an interrupt included, the file at `path` stays as it was.

    Raises:
        StorageError: the disk or the encoder refuses it, or there was no image.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = _encode(part, images, rate_hz)
        if count == 0:
            raise StorageError(f"{path} was not written: there was no image to put in it")
        part.replace(path)
    except (OSError, av.error.FFmpegError) as error:
        raise StorageError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error
    finally:
        _remove(part)
    return count


def _remove(part: Path) -> None:
    """Take an unfinished file away; where even that fails, the error that is on its way says more."""
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)


def _encode(path: Path, images: Iterable[UInt8[np.ndarray, "h w 3"]], rate_hz: float) -> int:
    count = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1000))
        stream.options = {"crf": str(QUALITY_CRF), "preset": "medium"}
        stream.pix_fmt = "yuv420p"
        for rgb in images:
            if count == 0:
                stream.height, stream.width = rgb.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
            count += 1
        if count:
            container.mux(stream.encode())
    return count
