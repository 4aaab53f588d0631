"""An mcap file that was never closed is read up to where it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_drive import NUM_FRAMES, SmallDrive, picture, write_drive
from torch import Tensor

from gs_sim.errors import BagError
from gs_sim.sensing.checks import check_recording
from gs_sim.sources.bag import open_bag
from gs_sim.sources.mcap_repair import repair_mcap


def large_picture(name: str, index: int) -> Tensor:
    """Large enough that the bag has many chunks."""
    return picture(name, index, (300, 400))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from gs_sim.geometry.camera import Camera

    drive = SmallDrive(picture=large_picture, camera=Camera(400, 300, 350.0, 350.0, 200.0, 150.0))
    folder = write_drive(tmp_path_factory.mktemp("whole") / "bag", drive)
    return (folder / "bag.mcap").read_bytes()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.95])
def test_what_was_recorded_before_the_end_is_read(tmp_path: Path, whole: bytes, share: float) -> None:
    (tmp_path / "cut.mcap").write_bytes(whole[: int(share * len(whole))])
    with open_bag(tmp_path / "cut.mcap") as recording:
        assert check_recording(recording) == []
        frames = list(recording.frames("left"))
        assert share * NUM_FRAMES - 3.5 <= len(frames) <= share * NUM_FRAMES + 0.5
        assert all(torch.equal(frame.rgb, large_picture("left", frame.index)) for frame in frames)
        assert len(list(recording.sweeps("lidar"))) >= len(frames) - 3
        assert "was not closed properly" in recording.warnings[0]
        assert "mcap recover cut.mcap" in recording.warnings[0]


def test_a_folder_whose_only_file_was_cut_is_read(tmp_path: Path) -> None:
    folder = write_drive(tmp_path / "bag")
    data = (folder / "bag.mcap").read_bytes()
    (folder / "bag.mcap").write_bytes(data[:-200])
    with open_bag(folder) as recording:
        assert len(list(recording.frames("left"))) == NUM_FRAMES


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2] + bytes(len(data) // 2),
        lambda data: data[:100] + b"\xff" * 1000 + data[1100:],
        lambda data: data[:20],
        lambda data: data[:8],
    ],
)
def test_a_file_with_holes_is_read_or_refused_but_never_a_traceback(
    tmp_path: Path, whole: bytes, damage: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "bad.mcap").write_bytes(damage(whole))
    try:
        with open_bag(tmp_path / "bad.mcap") as recording:
            list(recording.frames("left"))
    except BagError as error:
        message = str(error)
    else:
        message = "read"
    assert message == "read" or "mcap recover bad.mcap" in message


def test_a_file_of_another_kind_is_not_repaired(tmp_path: Path) -> None:
    (tmp_path / "bad.mcap").write_bytes(b"PK" * 1000)
    with pytest.raises(BagError, match="is no mcap file"):
        repair_mcap(tmp_path / "bad.mcap")
