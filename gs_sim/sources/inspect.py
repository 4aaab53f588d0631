"""What is in a bag, and whether a scene can be made of it: the first question of everybody with an own bag."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gs_sim.errors import GsSimError
from gs_sim.sources.bag_file import BagFile
from gs_sim.sources.bag_index import BagIndex, CameraIndex, LidarIndex
from gs_sim.sources.bag_rig import Assembly, assemble
from gs_sim.sources.bag_scan import scan_bag
from gs_sim.sources.bag_settings import BagSettings
from gs_sim.sources.bag_topics import discover
from gs_sim.sources.stamps import KeptStamps


@dataclass(frozen=True)
class StreamSummary:
    """How many messages a sensor sent, and how regularly."""

    count: int
    num_used: int
    """Those whose stamp is in order and at which the vehicle's pose is known."""
    rate_hz: float
    longest_gap_s: float


@dataclass(frozen=True)
class CameraSummary:
    """One camera."""

    name: str
    topic: str
    encoding: str
    width_px: int
    height_px: int
    lens: str
    frame: str
    stream: StreamSummary
    is_usable: bool


@dataclass(frozen=True)
class LidarSummary:
    """One LiDAR."""

    name: str
    topic: str
    fields: tuple[str, ...]
    point_time: str
    """What the time of a point means; `none` where there is none, `unknown` where its values fit no sweep."""
    frame: str
    stream: StreamSummary
    is_usable: bool


@dataclass(frozen=True)
class PoseSummary:
    """Where the vehicle's path comes from."""

    source: str
    base_frame: str
    fixed_frame: str
    count: int
    rate_hz: float
    path_length_m: float


@dataclass(frozen=True)
class BagSummary:
    """Everything `gs-sim inspect` tells."""

    path: str
    size_bytes: int
    duration_s: float
    cameras: tuple[CameraSummary, ...]
    lidars: tuple[LidarSummary, ...]
    pose: PoseSummary | None
    num_tracks: int
    problems: tuple[str, ...]
    """What has to be fixed, one sentence each; empty if the bag is ready."""
    warnings: tuple[str, ...]
    skipped: Mapping[str, int]
    """Messages that would be left out, by reason."""

    @property
    def is_ready(self) -> bool:
        """Whether the bag can be reconstructed as it is."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """`ready`, or the first sentence to fix."""
        return "ready" if self.is_ready else self.problems[0]


def summary_as_dict(summary: BagSummary) -> dict[str, Any]:
    """Plain values for JSON."""
    return asdict(summary) | {"is_ready": summary.is_ready, "verdict": summary.verdict}


def inspect_bag(path: Path | str, settings: BagSettings | None = None) -> BagSummary:
    """Look a bag through, with one pass over it; whatever is wrong is in the summary, and nothing is raised for it."""
    path, chosen = Path(path), settings or BagSettings()
    try:
        with BagFile(path) as bag:
            duration_s, notes = (bag.end_ns - bag.start_ns) * 1e-9, tuple(bag.notes)
            topics = discover(bag.topics, chosen)
            index = scan_bag(bag, topics)
    except GsSimError as error:
        return BagSummary(str(path), size_of(path), 0.0, (), (), None, 0, (str(error),), (), {})
    return summarise(path, duration_s, index, assemble(index, chosen), (*notes, *topics.warnings))


def summarise(path: Path, duration_s: float, index: BagIndex, assembly: Assembly, notes: tuple[str, ...]) -> BagSummary:
    """Put what the first pass and the assembly found into one summary."""
    cameras = {stream.mounted.name: stream for stream in assembly.cameras}
    lidars = {stream.mounted.name: stream for stream in assembly.lidars}
    return BagSummary(
        path=str(path),
        size_bytes=size_of(path),
        duration_s=duration_s,
        cameras=tuple(
            camera_summary(camera, cameras[camera.topic.name].stamps if camera.topic.name in cameras else None)
            for camera in index.cameras
        ),
        lidars=tuple(
            lidar_summary(lidar, lidars[lidar.topic.name].stamps if lidar.topic.name in lidars else None)
            for lidar in index.lidars
        ),
        pose=pose_summary(assembly),
        num_tracks=len(assembly.tracks),
        problems=tuple(str(problem) for problem in assembly.problems),
        warnings=(*notes, *assembly.warnings),
        skipped=dict(assembly.skipped),
    )


def camera_summary(camera: CameraIndex, used: KeptStamps | None) -> CameraSummary:
    """One camera; `used` is None if it is not usable."""
    height, width = camera.size_hw
    lens = "not calibrated" if camera.info is None else str(camera.info.distortion_model) or "none"
    return CameraSummary(
        name=camera.topic.name,
        topic=camera.topic.image_topic,
        encoding=camera.encoding,
        width_px=width,
        height_px=height,
        lens="rectified" if camera.topic.is_rectified and camera.info is not None else lens,
        frame=camera.frame,
        stream=stream_summary(camera.stamps, used),
        is_usable=used is not None,
    )


def lidar_summary(lidar: LidarIndex, used: KeptStamps | None) -> LidarSummary:
    """One LiDAR; `used` is None if it is not usable."""
    point_time = str(lidar.point_time) if lidar.point_time else "unknown" if lidar.has_times else "none"
    return LidarSummary(
        name=lidar.topic.name,
        topic=lidar.topic.topic,
        fields=lidar.fields,
        point_time=point_time,
        frame=lidar.frame,
        stream=stream_summary(lidar.stamps, used),
        is_usable=used is not None,
    )


def stream_summary(stamps: KeptStamps, used: KeptStamps | None) -> StreamSummary:
    """Counts, rate and gaps of one stream."""
    periods_s = stamps.stamps_ns.diff().double() * 1e-9
    return StreamSummary(
        count=len(stamps.stamps_ns) + stamps.num_dropped,
        num_used=0 if used is None else len(used.stamps_ns),
        rate_hz=float(1 / periods_s.median()) if len(periods_s) else 0.0,
        longest_gap_s=float(periods_s.max()) if len(periods_s) else 0.0,
    )


def pose_summary(assembly: Assembly) -> PoseSummary | None:
    """The vehicle's path; None if there is none."""
    vehicle = assembly.vehicle
    if vehicle is None:
        return None
    path = vehicle.world_from_rig
    periods_s = path.stamps_ns.diff().double() * 1e-9
    return PoseSummary(
        source=vehicle.source,
        base_frame=vehicle.base_frame,
        fixed_frame=vehicle.fixed_frame,
        count=len(path.stamps_ns),
        rate_hz=float(1 / periods_s.median()) if len(periods_s) else 0.0,
        path_length_m=float(path.poses[:, :3, 3].diff(dim=0).norm(dim=1).sum()),
    )


def size_of(path: Path) -> int:
    """Bytes on disk, of a file or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else 0
