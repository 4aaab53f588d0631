"""Pictures and video on disk: whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gs_sim.errors import StorageError
from gs_sim.evaluation.video import write_atomically, write_png, write_video


def grey_images(count: int, height: int = 32, width: int = 48) -> Iterator[np.ndarray]:
    for number in range(count):
        yield np.full((height, width, 3), 20 * number, dtype=np.uint8)


def test_a_png_holds_exactly_the_pixels_it_was_given(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    write_png(tmp_path / "new" / "a.png", rgb)
    stored = cv2.imread(str(tmp_path / "new" / "a.png"))
    assert stored is not None
    assert np.array_equal(stored[..., ::-1], rgb)


def test_a_video_has_the_frames_size_rate_and_brightness_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "drive.mp4"
    assert write_video(path, grey_images(8), rate_hz=12.5) == 8
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.width, stream.height, stream.codec_context.name) == (48, 32, "h264")
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 12.5
    assert len(frames) == 8
    assert [round(float(frame.mean())) for frame in frames] == pytest.approx([20 * n for n in range(8)], abs=2)


def test_a_video_can_play_before_it_is_loaded_whole(tmp_path: Path) -> None:
    write_video(tmp_path / "drive.mp4", grey_images(5), rate_hz=10.0)
    data = (tmp_path / "drive.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_an_interrupted_video_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "drive.mp4"
    path.write_bytes(b"old")

    def interrupted() -> Iterator[np.ndarray]:
        yield from grey_images(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(path, interrupted(), rate_hz=10.0)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["drive.mp4"]


def test_a_video_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no image"):
        write_video(tmp_path / "drive.mp4", iter(()), rate_hz=10.0)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(_self: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="report.html cannot be written: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_full_disk_under_a_video_is_a_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "drive.mp4"
    path.write_bytes(b"old")
    (tmp_path / ".drive.mp4.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="drive.mp4 cannot be written: No space left on device"):
        write_video(path, grey_images(12, 256, 256), rate_hz=10.0)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["drive.mp4"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        write_video(tmp_path / "taken" / "x.mp4", grey_images(3), rate_hz=10.0)
