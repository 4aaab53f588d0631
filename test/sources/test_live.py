"""A live drive: what goes in comes out of the bag, memory and disk stay bounded, and losses are counted."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_drive import NUM_FRAMES, SmallDrive, write_drive

from gs_sim.errors import InputError, StorageError
from gs_sim.sources.bag import open_bag
from gs_sim.sources.bag_file import BagFile, BagTopic, RawMessage
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_topics import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    DETECTIONS,
    IMAGE,
    ODOMETRY,
    POINT_CLOUD,
    TRANSFORMS,
)
from gs_sim.sources.bag_writer import BagWriter
from gs_sim.sources.live import LiveMessage, LiveRecorder, RecordingLimits, topics_to_record

MEGABYTE = 10**6


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("drive") / "bag", SmallDrive(has_detections=True))


def messages_of(bag: Path) -> list[RawMessage]:
    with BagFile(bag) as file:
        topics = [topic.name for topic in file.topics]
        return [message._replace(data=bytes(message.data)) for message in file.messages(topics)]


def live(topic: str, log_ns: int, size: int = 1000) -> LiveMessage:
    return LiveMessage(topic, ODOMETRY, log_ns, bytes(size))


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that takes nothing before the event is set."""
    is_ready = threading.Event()
    write = BagWriter.write_serialized

    def wait_and_write(bag: BagWriter, topic: str, type_name: str, stamp_ns: int, data: bytes) -> None:
        assert is_ready.wait(10)
        write(bag, topic, type_name, stamp_ns, data)

    monkeypatch.setattr(BagWriter, "write_serialized", wait_and_write)
    yield is_ready
    is_ready.set()


def test_a_live_drive_is_the_same_recording_as_the_bag_it_came_from(tmp_path: Path, drive: Path) -> None:
    sent = messages_of(drive)
    with LiveRecorder(tmp_path / "live", RecordingLimits()) as recorder:
        for message in sent:
            recorder.add(LiveMessage(message.topic, message.type_name, message.log_ns, bytes(message.data)))
    assert messages_of(tmp_path / "live") == sent
    assert recorder.skipped == {}
    with open_bag(drive) as expected, open_bag(tmp_path / "live") as found:
        assert torch.equal(found.world_from_rig.poses, expected.world_from_rig.poses)
        assert [track.actor_id for track in found.tracks] == ["car 1"]
        for name in ("left", "right"):
            pairs = list(zip(expected.frames(name), found.frames(name), strict=True))
            assert len(pairs) == NUM_FRAMES
            assert all(torch.equal(a.rgb, b.rgb) and a.stamp_ns == b.stamp_ns for a, b in pairs)
        assert len(list(found.sweeps("lidar"))) == NUM_FRAMES


def test_what_does_not_fit_into_memory_is_dropped_and_counted(tmp_path: Path, slow_disk: threading.Event) -> None:
    with LiveRecorder(tmp_path / "live", RecordingLimits(max_buffer_mb=1)) as recorder:
        for index in range(25):
            recorder.add(live("/odom", index, MEGABYTE // 10))
            assert recorder.waiting_bytes <= MEGABYTE
        recorder.add(live("/small", 25, 1))
        slow_disk.set()
    assert recorder.waiting_bytes == 0
    assert recorder.counts == {"/odom": 10}
    reason = "that did not fit into the buffer of 1 MB while the disk was busy"
    assert recorder.skipped == {f"messages on /odom {reason}": 15, f"messages on /small {reason}": 1}
    assert [message.log_ns for message in messages_of(tmp_path / "live")] == list(range(10))


def test_a_recording_ends_at_its_limit_with_what_it_has(tmp_path: Path) -> None:
    with LiveRecorder(tmp_path / "live", RecordingLimits(max_recording_mb=1)) as recorder:
        for index in range(15):
            recorder.add(live("/odom", index, MEGABYTE // 10))
        assert "reached its limit of 1 MB" in recorder.ended_early
    assert len(messages_of(tmp_path / "live")) == 10


def test_a_clock_that_jumps_back_ends_the_recording_but_disorder_does_not(tmp_path: Path) -> None:
    with LiveRecorder(tmp_path / "live", RecordingLimits()) as recorder:
        for log_ns in (10**10, 10**10 - 10**8, 10**10 + 1):
            recorder.add(live("/odom", log_ns))
        assert recorder.ended_early == ""
        recorder.add(live("/odom", 10**9))
        assert "clock went back by 9.0 s" in recorder.ended_early
        recorder.add(live("/odom", 10**10 + 2))
    assert [message.log_ns for message in messages_of(tmp_path / "live")] == [10**10 - 10**8, 10**10, 10**10 + 1]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has_failed = threading.Event()

    def fail(*_: object) -> None:
        has_failed.set()
        raise StorageError("the bag cannot be written (No space left on device); free some space and try again")

    def record() -> None:
        with LiveRecorder(tmp_path / "live", RecordingLimits()) as recorder:
            recorder.add(live("/odom", 1))
            assert has_failed.wait(10)
            while not recorder.ended_early:
                pass
            recorder.add(live("/odom", 2))

    monkeypatch.setattr(BagWriter, "write_serialized", fail)
    with pytest.raises(StorageError, match="No space left"):
        record()
    assert list(tmp_path.iterdir()) == []
    assert "gs_sim live recorder" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_recording_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def record() -> None:
        with LiveRecorder(tmp_path / "live", RecordingLimits()) as recorder:
            recorder.add(live("/odom", 1))
            raise error

    with pytest.raises(error):
        record()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_without_a_message_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not one message"), LiveRecorder(tmp_path / "live", RecordingLimits()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_exists_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("mine")
    with pytest.raises(StorageError, match="exists"), LiveRecorder(tmp_path / "live", RecordingLimits()):
        pass
    assert (tmp_path / "live").read_text() == "mine"


PUBLISHED = (
    BagTopic("/cam/image_raw", IMAGE, 1),
    BagTopic("/cam/image_raw/compressed", COMPRESSED_IMAGE, 1),
    BagTopic("/cam/camera_info", CAMERA_INFO, 1),
    BagTopic("/points", POINT_CLOUD, 1),
    BagTopic("/silent", POINT_CLOUD, 0),
    BagTopic("/tf", TRANSFORMS[0], 1),
    BagTopic("/odom", ODOMETRY, 1),
    BagTopic("/gps", ODOMETRY, 1),
    BagTopic("/boxes", DETECTIONS, 1),
    BagTopic("/chatter", "std_msgs/msg/String", 1),
)


def test_live_topics_are_chosen_by_type_and_of_each_camera_the_best() -> None:
    names = {topic.name for topic in topics_to_record(PUBLISHED, BagSettings())}
    assert names == {"/cam/image_raw", "/cam/camera_info", "/points", "/tf", "/odom", "/gps", "/boxes"}


def test_named_live_topics_replace_the_discovered_ones() -> None:
    settings = BagSettings(
        image_topics=("/cam/image_raw/compressed",), lidar_topics=("/other",), pose_topic="/gps", detection_topic="/x"
    )
    names = {topic.name for topic in topics_to_record(PUBLISHED, settings)}
    assert names == {"/cam/image_raw/compressed", "/cam/camera_info", "/tf", "/gps"}
    assert "/odom" not in {topic.name for topic in topics_to_record(PUBLISHED, BagSettings(pose_topic="/tf"))}
