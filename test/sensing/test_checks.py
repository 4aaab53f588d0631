"""The checker finds each promise broken, and nothing where none is; MemoryRecording keeps them all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from gs_sim.errors import InputError
from gs_sim.geometry.camera import Camera
from gs_sim.geometry.rig import MountedCamera, MountedLidar, Rig
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sensing.checks import check_recording
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track

EYE = torch.eye(4, dtype=torch.float64)
CAMERA = Camera(6, 4, 5.0, 5.0, 3.0, 2.0)


def path(*stamps_ns: int) -> Trajectory:
    return Trajectory(torch.tensor(stamps_ns), EYE.repeat(len(stamps_ns), 1, 1))


def frame(index: int, stamp_ns: int, name: str = "front") -> Frame:
    return Frame(name, index, stamp_ns, torch.full((4, 6, 3), index, dtype=torch.uint8))


def sweep(index: int, stamp_ns: int, points: int = 5) -> Sweep:
    stamps_ns = torch.full((points,), stamp_ns, dtype=torch.int64)
    return Sweep("top", index, stamp_ns, torch.ones(points, 3), stamps_ns, torch.zeros(points))


@pytest.fixture
def recording() -> MemoryRecording:
    cameras = tuple(MountedCamera(name, CAMERA, CAMERA, EYE) for name in ("front", "rear"))
    return MemoryRecording(
        rig=Rig(cameras, (MountedLidar("top", EYE),)),
        world_from_rig=path(0, 1000),
        map_from_world=EYE,
        tracks=(Track("1", "car", (4.0, 2.0, 1.5), path(0, 10)),),
        all_frames=(frame(0, 10), frame(0, 15, "rear"), frame(1, 20), frame(2, 30)),
        all_sweeps=(sweep(0, 12), sweep(1, 22)),
        skipped={"clouds without points": 2},
    )


def test_a_recording_that_keeps_its_promises_has_no_problems(recording: MemoryRecording) -> None:
    assert check_recording(recording) == []


def test_a_recording_in_memory_streams_in_order_and_again(recording: MemoryRecording) -> None:
    assert recording.frame_stamps_ns("front").tolist() == [10, 20, 30]
    assert [f.stamp_ns for f in recording.frames("front", [2, 0])] == [10, 30]
    assert [f.stamp_ns for f in recording.frames("front", [2, 0])] == [10, 30]
    assert [f.index for f in recording.frames("rear")] == [0]
    assert list(recording.frames("front", [])) == []
    assert recording.sweep_stamps_ns("top").tolist() == [12, 22]
    assert [s.index for s in recording.sweeps("top", [1])] == [1]


def test_a_sensor_that_is_not_there_is_named(recording: MemoryRecording) -> None:
    with pytest.raises(InputError, match="no camera 'left'"):
        list(recording.frames("left"))
    with pytest.raises(InputError, match="no LiDAR 'roof'"):
        recording.sweep_stamps_ns("roof")


def spoiled(values: torch.Tensor, index: tuple[int, ...] | int, value: float) -> torch.Tensor:
    values = values.clone()
    values[index] = value
    return values


FAR = spoiled(EYE, (0, 3), 4e6)
MIRROR = spoiled(EYE, (0, 0), -1.0)
BREAKAGES: list[tuple[str, Callable[[MemoryRecording], dict[str, Any]], str]] = [
    ("late path", lambda _: {"world_from_rig": path(11, 1000)}, "does not cover 1 of 3 stamps of front"),
    ("far path", lambda _: {"world_from_rig": Trajectory(torch.tensor([0, 99]), FAR.repeat(2, 1, 1))}, "4000000 m"),
    ("mirrored map", lambda _: {"map_from_world": MIRROR}, "map_from_world is no rigid motion"),
    ("scaled map", lambda _: {"map_from_world": 2 * EYE}, "map_from_world is no rigid motion"),
    ("wrong index", lambda r: {"all_frames": (frame(1, 10), *r.all_frames[1:])}, "streams the indices 1, 1, 2"),
    ("back in time", lambda r: {"all_frames": (*r.all_frames, frame(3, 5))}, "stamps of front do not strictly"),
    (
        "wrong size",
        lambda r: {
            "all_frames": (replace(frame(0, 10), rgb=torch.zeros(4, 5, 3, dtype=torch.uint8)), *r.all_frames[1:])
        },
        "expected",
    ),
    (
        "nan point",
        lambda _: {"all_sweeps": (replace(sweep(0, 12), points_lidar=torch.full((5, 3), torch.nan)),)},
        "not finite",
    ),
    ("origin", lambda _: {"all_sweeps": (replace(sweep(0, 12), points_lidar=torch.zeros(5, 3)),)}, "sensor's origin"),
    (
        "old point",
        lambda _: {"all_sweeps": (replace(sweep(0, 12), point_stamps_ns=torch.full((5,), -(10**10))),)},
        "more than a second",
    ),
    ("twins", lambda r: {"tracks": r.tracks * 2}, "two tracks have the id '1'"),
    ("flat box", lambda r: {"tracks": (replace(r.tracks[0], size_m=(4.0, 0.0, 1.5)),)}, "positive lengths"),
    (
        "lens",
        lambda r: {
            "rig": replace(
                r.rig,
                cameras=tuple(
                    replace(c, camera=replace(CAMERA, lens="plumb_bob", coefficients=(0.1, 0.0, 0.0, 0.0)))
                    for c in r.rig.cameras
                ),
            )
        },
        "front is not rectified",
    ),
    ("twin sensors", lambda r: {"rig": replace(r.rig, lidars=r.rig.lidars * 2)}, "two sensors are called 'top'"),
    ("mount", lambda r: {"rig": replace(r.rig, lidars=(MountedLidar("top", MIRROR),))}, "mount of top is no rigid"),
    ("count", lambda _: {"skipped": {"": 3}}, "a sentence and a count"),
]


@pytest.mark.parametrize(("change", "sentence"), [b[1:] for b in BREAKAGES], ids=[b[0] for b in BREAKAGES])
def test_each_broken_promise_is_found(
    recording: MemoryRecording, change: Callable[[MemoryRecording], dict[str, Any]], sentence: str
) -> None:
    problems = check_recording(replace(recording, **change(recording)))
    assert any(sentence in problem for problem in problems), problems


@dataclass(frozen=True)
class ReadsOnce(MemoryRecording):
    """An implementation that hands out its stream only once."""

    used: list[str] = field(default_factory=list)

    def frames(self, camera_name: str, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        if self.used.count(camera_name) < 3:
            self.used.append(camera_name)
            yield from super().frames(camera_name, indices)


def test_a_stream_that_cannot_be_read_again_is_found(recording: MemoryRecording) -> None:
    once = ReadsOnce(*(getattr(recording, name) for name in recording.__dataclass_fields__))
    assert check_recording(once) == [
        "front asked again for the indices 0, 2 gives none",
        "rear asked again for the indices 0 gives none",
    ]
