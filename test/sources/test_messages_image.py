"""Images of every encoding show the colours they were made of."""

from array import array
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gs_sim.errors import MessageError
from gs_sim.sources.messages.image import decode_compressed_image, decode_image

COLOUR = (200, 120, 40)


def flat(height: int = 8, width: int = 12) -> np.ndarray:
    return np.tile(np.array(COLOUR, dtype=np.uint8), (height, width, 1))


def message(encoding: str, pixels: np.ndarray, *, padding: int = 0, big: bool = False, size: Any = None) -> Any:
    """Pixels as a message with padded rows in an `array.array`, as rclpy gives it."""
    height, width = size or pixels.shape[:2]
    typed = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = np.ascontiguousarray(typed).view(np.uint8).reshape(pixels.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=padded.shape[1],
        is_bigendian=int(big),
        data=array("B", padded.tobytes()),
    )


def mosaic(pattern: str) -> np.ndarray:
    single = np.zeros((8, 12), dtype=np.uint8)
    for index, letter in enumerate(pattern):
        single[index // 2 :: 2, index % 2 :: 2] = COLOUR["rgb".index(letter)]
    return single


def yuv(conversion: int) -> np.ndarray:
    """OpenCV's own colours in YUV, which its conversions back must undo."""
    return cv2.cvtColor(flat(), conversion)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgb8", (0, 1, 2)), ("bgr8", (2, 1, 0)), ("rgba8", (0, 1, 2, 0)), ("bgra8", (2, 1, 0, 0))],
)
def test_packed_colours_come_back_in_order(encoding: str, channels: tuple[int, ...], padding: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    decoded = decode_image(message(encoding, rgb[..., channels], padding=padding))
    assert torch.equal(decoded, torch.from_numpy(rgb))


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bits_keep_the_upper_eight(big: bool) -> None:
    grey = np.array([[0x1234, 0xFF00], [0x00FF, 0x8001]], dtype=np.uint16)
    decoded = decode_image(message("mono16", grey, padding=4, big=big))
    assert decoded[..., 0].tolist() == [[0x12, 0xFF], [0x00, 0x80]]
    assert torch.equal(decoded[..., 0], decoded[..., 2])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_mosaics_give_their_colour(pattern: str, depth: int) -> None:
    single = mosaic(pattern) if depth == 8 else mosaic(pattern).astype(np.uint16) * 256 + 99
    decoded = decode_image(message(f"bayer_{pattern}{depth}", single))
    assert decoded[4, 6].tolist() == list(COLOUR)


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("uyvy", "uyvy"), ("yuv422", "uyvy"), ("yuyv", "yuyv"), ("yuv422_yuy2", "yuyv"), ("yuv422_uyvy", "uyvy")],
)
def test_yuv422_gives_its_colour(encoding: str, order: str) -> None:
    planes = yuv(cv2.COLOR_RGB2YUV_I420)
    values = {"y": planes[0, 0], "u": planes[8, 0], "v": planes[10, 0]}
    pair = np.array([values[letter] for letter in order], dtype=np.uint8)
    pixels = np.tile(pair, (8, 6)).reshape(8, 12, 2)
    decoded = decode_image(message(encoding, pixels, padding=2)).int()
    assert (decoded - torch.tensor(COLOUR)).abs().max() <= 3


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
def test_planar_yuv_gives_its_colour(encoding: str) -> None:
    planes = yuv(cv2.COLOR_RGB2YUV_I420)
    chroma = (planes[8, 0], planes[10, 0]) if encoding != "nv21" else (planes[10, 0], planes[8, 0])
    rows = 16 if encoding == "nv24" else 4
    below = np.tile(np.array(chroma, dtype=np.uint8), (rows, 6))
    stacked = np.concatenate([planes[:8], below])
    decoded = decode_image(message(encoding, stacked, size=(8, 12))).int()
    assert (decoded - torch.tensor(COLOUR)).abs().max() <= 3


def test_grey_has_three_equal_channels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    decoded = decode_image(message("mono8", grey, padding=1))
    assert torch.equal(decoded, torch.from_numpy(grey)[..., None].expand(3, 4, 3))


def test_a_read_only_buffer_is_not_aliased() -> None:
    rgb = flat()
    raw = message("rgb8", rgb)
    raw.data = np.frombuffer(bytes(raw.data), dtype=np.uint8)
    decoded = decode_image(raw)
    decoded[0, 0, 0] = 1
    assert raw.data[0] == COLOUR[0]


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(MessageError, match="'32FC1'.*expected one of rgb8"):
        decode_image(message("32FC1", flat()))


@pytest.mark.parametrize(("height", "width"), [(8, 13), (9, 12), (2**31, 12)])
def test_a_buffer_that_is_too_small_is_refused(height: int, width: int) -> None:
    with pytest.raises(MessageError, match="bytes"):
        decode_image(message("rgb8", flat(), size=(height, width)))


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(MessageError, match="no pixels"):
        decode_image(message("rgb8", flat(), size=(0, 0)))


@pytest.mark.parametrize("image_format", ["jpeg", "", "rgb8; jpeg compressed bgr8", "png"])
@pytest.mark.parametrize("ending", ["jpeg", "png"])
def test_the_bytes_decide_what_a_compressed_image_is(image_format: str, ending: str) -> None:
    data = cv2.imencode(f".{ending}", flat()[..., ::-1])[1]
    decoded = decode_compressed_image(SimpleNamespace(format=image_format, data=array("B", data.tobytes())))
    assert (decoded.int() - torch.tensor(COLOUR)).abs().max() <= 3


def test_a_compressed_mosaic_gives_its_colour() -> None:
    data = cv2.imencode(".png", mosaic("gbrg"))[1].reshape(-1)
    decoded = decode_compressed_image(SimpleNamespace(format="bayer_gbrg8; png compressed ", data=data))
    assert decoded[4, 6].tolist() == list(COLOUR)


@pytest.mark.parametrize("image_format", ["h264", "16UC1; compressedDepth png", "hevc"])
def test_video_and_compressed_depth_are_refused(image_format: str) -> None:
    with pytest.raises(MessageError, match=image_format.split(maxsplit=1)[0]):
        decode_compressed_image(SimpleNamespace(format=image_format, data=b"\0\0\0\1"))


@pytest.mark.parametrize("keep", [0, 3, 100])
def test_a_cut_off_jpeg_is_refused(keep: int) -> None:
    data = cv2.imencode(".jpeg", flat(64, 64))[1].tobytes()[:keep]
    with pytest.raises(MessageError, match=f"{keep} bytes"):
        decode_compressed_image(SimpleNamespace(format="jpeg", data=data))
