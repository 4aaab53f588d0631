"""`sensor_msgs/Image` and `CompressedImage` to RGB images."""

from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.sources.messages.header import buffer_of

Pixels = np.ndarray[Any, np.dtype[Any]]

PACKED = {
    "rgb8": (1, 3, None),
    "bgr8": (1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": (1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": (1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": (2, 3, None),
    "bgr16": (2, 3, cv2.COLOR_BGR2RGB),
    "rgba16": (2, 4, cv2.COLOR_RGBA2RGB),
    "bgra16": (2, 4, cv2.COLOR_BGRA2RGB),
    "mono16": (2, 1, cv2.COLOR_GRAY2RGB),
    "uyvy": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": (1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "8uc1": (1, 1, cv2.COLOR_GRAY2RGB),
    "8uc3": (1, 3, cv2.COLOR_BGR2RGB),
}
"""Encoding -> bytes per value, values per pixel, OpenCV conversion. 8UC3 is taken in OpenCV's own order."""

ALIASES = {"yuv422": "uyvy", "yuv422_yuy2": "yuyv", "yuv422_uyvy": "uyvy", "yuy2": "yuyv"}

BAYER = {
    "rggb": cv2.COLOR_BayerRGGB2RGB,
    "bggr": cv2.COLOR_BayerBGGR2RGB,
    "gbrg": cv2.COLOR_BayerGBRG2RGB,
    "grbg": cv2.COLOR_BayerGRBG2RGB,
}
PLANAR = ("nv12", "nv21", "nv24")
DEPTH_ENCODINGS = ("16uc1", "32fc1", "64fc1", "16sc1")
"""What depth cameras and disparity nodes publish: images, but not of colours."""

KNOWN = "rgb8, bgr8, rgba8, bgra8, mono8, mono16, bayer_*8/16, uyvy, yuyv, yuv422, yuv422_yuy2, nv12, nv21, nv24"


def is_depth_encoding(encoding: str) -> bool:
    """Whether images of this encoding show distances rather than colours."""
    return encoding.lower() in DEPTH_ENCODINGS


def decode_image(message: Any) -> UInt8[Tensor, "h w 3"]:
    """Decode a raw image to RGB; 16 bits keep their upper 8, grey becomes three equal channels.

    Raises:
        MessageError: the encoding is unknown, or the buffer is smaller than the size says.
    """
    encoding = message.encoding.lower()
    encoding = ALIASES.get(encoding, encoding)
    if message.width < 1 or message.height < 1:
        raise MessageError(f"an image has no pixels ({message.width}x{message.height}); check its driver")
    if encoding in PACKED:
        bytes_per_value, channels, conversion = PACKED[encoding]
        pixels = packed_rows(message, bytes_per_value, channels)
    elif encoding.startswith("bayer_") and encoding[6:10] in BAYER and encoding[10:] in {"8", "16"}:
        pixels, conversion = packed_rows(message, int(encoding[10:]) // 8, 1), BAYER[encoding[6:10]]
    elif encoding in PLANAR:
        return torch.from_numpy(decode_planar(message, encoding))
    else:
        raise MessageError(
            f"images of encoding '{message.encoding}' cannot be read; expected one of {KNOWN}, "
            "or a compressed image (JPEG, PNG)"
        )
    # a bag's buffer is read-only and torch would own it: the copy is needed where nothing is converted
    rgb = pixels.copy() if conversion is None else cv2.cvtColor(pixels, conversion)
    return torch.from_numpy(rgb)


def packed_rows(message: Any, bytes_per_value: int, channels: int) -> Pixels:
    """View the buffer as rows of `step` bytes, drop their padding, and keep the upper 8 of 16 bits."""
    row_bytes = message.width * channels * bytes_per_value
    rows = strided_rows(message, message.height, row_bytes)
    if bytes_per_value == 2:
        order = ">" if message.is_bigendian else "<"
        rows = (np.ascontiguousarray(rows).view(f"{order}u2") >> 8).astype(np.uint8)
    shape = (message.height, message.width) if channels == 1 else (message.height, message.width, channels)
    return rows.reshape(shape) if rows.flags.c_contiguous else np.ascontiguousarray(rows).reshape(shape)


def strided_rows(message: Any, num_rows: int, row_bytes: int) -> Pixels:
    """The used bytes of each row, as (rows, row_bytes); the last row may lack its padding."""
    step = message.step or row_bytes
    data = buffer_of(message.data)
    needed = step * (num_rows - 1) + row_bytes
    if step < row_bytes or len(data) < needed:
        raise MessageError(
            f"an image of {message.width}x{message.height} px, {message.encoding}, needs rows of {row_bytes} bytes and "
            f"{needed} bytes in all, but has rows of {step} and {len(data)} bytes; it is damaged, or its driver is"
        )
    rows: Pixels = np.lib.stride_tricks.as_strided(data, (num_rows, row_bytes), (step, 1), writeable=False)
    return rows


def decode_planar(message: Any, encoding: str) -> Pixels:
    """NV12 and NV21 (chroma at half size) and NV24 (at full size): a plane of brightness, then one of colour pairs."""
    height, width = message.height, message.width
    if encoding == "nv24":
        # the colour plane has two bytes per pixel: rows of twice the step
        stacked = strided_rows(message, 3 * height, width)
        luma, chroma = stacked[:height], np.ascontiguousarray(stacked[height:]).reshape(height, width, 2)
        # interleaving U and V of neighbours would lose colour: convert at full size, as ITU-R BT.601 says
        return rgb_from_video_yuv(luma, chroma[..., 0], chroma[..., 1])
    if height % 2 or width % 2:
        raise MessageError(f"an {encoding} image needs an even width and height, got {width}x{height}")
    stacked = np.ascontiguousarray(strided_rows(message, height * 3 // 2, width))
    conversion = cv2.COLOR_YUV2RGB_NV12 if encoding == "nv12" else cv2.COLOR_YUV2RGB_NV21
    converted: Pixels = cv2.cvtColor(stacked, conversion)
    return converted


def rgb_from_video_yuv(luma: Pixels, blue: Pixels, red: Pixels) -> Pixels:
    """ITU-R BT.601 with video levels (16 to 235), as OpenCV does for NV12."""
    y = 1.164 * (luma.astype(np.float32) - 16)
    u, v = blue.astype(np.float32) - 128, red.astype(np.float32) - 128
    rgb = np.stack([y + 1.596 * v, y - 0.813 * v - 0.391 * u, y + 2.018 * u], axis=-1)
    pixels: Pixels = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return pixels


def decode_compressed_image(message: Any) -> UInt8[Tensor, "h w 3"]:
    """Decode a JPEG or PNG image to RGB; the bytes decide, since `format` is often bare or empty.

    Raises:
        MessageError: it is video or compressed depth, or the bytes are no whole image.
    """
    refuse_compressed_format(message.format)
    data = buffer_of(message.data)
    is_jpeg = bytes(data[:2]) == b"\xff\xd8"
    if is_jpeg and b"\xff\xd9" not in bytes(data[-4096:]):
        raise MessageError(f"a JPEG image of {len(data)} bytes ends before its end marker; it was cut off")
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION) if len(data) else None
    if decoded is None:
        raise MessageError(
            f"a compressed image of format '{message.format}' and {len(data)} bytes starts with "
            f"{bytes(data[:4]).hex() or 'nothing'}, which is no readable JPEG or PNG"
        )
    if decoded.dtype == np.uint16:
        decoded = (decoded >> 8).astype(np.uint8)
    if decoded.ndim == 2:
        pattern = message.format.lower().removeprefix("bayer_")[:4]
        is_mosaic = message.format.lower().startswith("bayer_") and pattern in BAYER
        return torch.from_numpy(cv2.cvtColor(decoded, BAYER[pattern] if is_mosaic else cv2.COLOR_GRAY2RGB))
    conversion = cv2.COLOR_BGRA2RGB if decoded.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return torch.from_numpy(cv2.cvtColor(decoded, conversion))


def refuse_compressed_format(image_format: str) -> None:
    """Say plainly which compressed images are not read.

    Raises:
        MessageError: video, or compressed depth.
    """
    lowered = image_format.lower()
    if "compresseddepth" in lowered:
        raise MessageError(
            f"compressed depth ('{image_format}') is no colour image; name the topics of the colour cameras"
        )
    if any(codec in lowered for codec in ("h264", "h265", "hevc", "av1", "vp9", "vp8")):
        raise MessageError(
            f"video in messages ('{image_format}') is not read; convert it to JPEG images, for example with "
            "`ros2 run image_transport republish`"
        )
