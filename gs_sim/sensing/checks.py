"""What a Recording promises, checked on any implementation, as Gymnasium's environment checker does.

Tests of every source call it; authors of further sources can call it on theirs.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Int64
from torch import Tensor

from gs_sim.geometry.pose import inverse
from gs_sim.geometry.rig import MountedCamera
from gs_sim.sensing.frame import Frame
from gs_sim.sensing.recording import Recording
from gs_sim.sensing.sweep import Sweep
from gs_sim.sensing.track import Track

FAR_AWAY_M = 10_000.0
"""A world origin this far from the first pose costs float32 a millimetre."""

RIGID_TOLERANCE = 1e-6


def check_recording(recording: Recording) -> list[str]:
    """Read a recording from end to end, twice where streams must repeat, and list every promise it breaks.

    An empty list means that it keeps them all. Memory: one image or sweep at a time.
    """
    problems = check_path(recording)
    names = [camera.name for camera in recording.rig.cameras] + [lidar.name for lidar in recording.rig.lidars]
    problems += [f"two sensors are called '{name}'" for name in sorted({n for n in names if names.count(n) > 1})]
    for camera in recording.rig.cameras:
        problems += check_camera(recording, camera)
    for lidar in recording.rig.lidars:
        if not is_rigid(lidar.rig_from_lidar):
            problems.append(f"the mount of {lidar.name} is no rigid motion")
        problems += check_lidar(recording, lidar.name)
    ids = [track.actor_id for track in recording.tracks]
    problems += [f"two tracks have the id '{actor}'" for actor in sorted({i for i in ids if ids.count(i) > 1})]
    for track in recording.tracks:
        problems += check_track(track)
    for sentence, count in recording.skipped.items():
        if count < 0 or not sentence:
            problems.append(f"skipped['{sentence}'] is {count}; a sentence and a count are expected")
    return problems


def check_path(recording: Recording) -> list[str]:
    """The path of the rig is rigid, near the world's origin, and covers all frames and sweeps."""
    path, problems = recording.world_from_rig, []
    if not is_rigid(path.poses):
        problems.append("world_from_rig holds a matrix that is no rigid motion")
    if not is_rigid(recording.map_from_world):
        problems.append("map_from_world is no rigid motion")
    distance_m = float(path.poses[0, :3, 3].norm())
    if distance_m > FAR_AWAY_M:
        problems.append(f"the world's origin is {distance_m:.0f} m from the first pose; float32 needs it near")
    stamps = {camera.name: recording.frame_stamps_ns(camera.name) for camera in recording.rig.cameras}
    stamps |= {lidar.name: recording.sweep_stamps_ns(lidar.name) for lidar in recording.rig.lidars}
    for name, stamps_ns in stamps.items():
        num_outside = int(((stamps_ns < path.start_ns) | (stamps_ns > path.end_ns)).sum())
        if num_outside:
            problems.append(f"the path does not cover {num_outside} of {len(stamps_ns)} stamps of {name}")
    return problems


def check_camera(recording: Recording, mounted: MountedCamera) -> list[str]:
    """Frames are rectified, of the camera's size, in time order, numbered by position, and can be read again."""
    name, camera = mounted.name, mounted.camera
    problems = [] if camera.is_pinhole else [f"camera {name} is not rectified"]
    if not is_rigid(mounted.rig_from_camera):
        problems.append(f"the mount of {name} is no rigid motion")
    stamps_ns = recording.frame_stamps_ns(name)
    found = []
    for frame in recording.frames(name):
        found.append((frame.index, frame.stamp_ns))
        if frame.camera_name != name:
            problems.append(f"frame {frame.index} of {name} says it is of '{frame.camera_name}'")
        if tuple(frame.rgb.shape) != (camera.height_px, camera.width_px, 3) or frame.rgb.dtype != torch.uint8:
            problems.append(
                f"frame {frame.index} of {name} is {frame.rgb.dtype} {tuple(frame.rgb.shape)}; "
                f"uint8 {(camera.height_px, camera.width_px, 3)} is expected"
            )
    problems += check_sequence(name, found, stamps_ns)
    return problems + check_repeats(name, recording.frames(name, some(len(stamps_ns))), found)


def check_lidar(recording: Recording, name: str) -> list[str]:
    """Sweeps are in time order, numbered by position, finite, and can be read again."""
    stamps_ns, problems = recording.sweep_stamps_ns(name), []
    found = []
    for sweep in recording.sweeps(name):
        found.append((sweep.index, sweep.stamp_ns))
        problems += check_sweep(sweep, name)
    problems += check_sequence(name, found, stamps_ns)
    return problems + check_repeats(name, recording.sweeps(name, some(len(stamps_ns))), found)


def check_sweep(sweep: Sweep, name: str) -> list[str]:
    """Points are finite and not at the origin, and have a time and an intensity each."""
    where, problems = f"sweep {sweep.index} of {name}", []
    if sweep.lidar_name != name:
        problems.append(f"{where} says it is of '{sweep.lidar_name}'")
    num = len(sweep.points_lidar)
    if len(sweep.point_stamps_ns) != num or len(sweep.intensities) != num:
        problems.append(
            f"{where} has {num} points, {len(sweep.point_stamps_ns)} times, {len(sweep.intensities)} intensities"
        )
    if not bool(sweep.points_lidar.isfinite().all()) or not bool(sweep.intensities.isfinite().all()):
        problems.append(f"{where} holds values that are not finite")
    if bool((sweep.points_lidar == 0).all(dim=1).any()):
        problems.append(f"{where} holds points at the sensor's origin, which are no measurements")
    if num and int((sweep.point_stamps_ns - sweep.stamp_ns).abs().max()) > 1_000_000_000:
        problems.append(f"{where} holds points measured more than a second from its stamp")
    return problems


def check_sequence(name: str, found: list[tuple[int, int]], stamps_ns: Int64[Tensor, "n"]) -> list[str]:
    """Positions count from 0 and stamps are those announced, strictly increasing."""
    problems = []
    if not bool((stamps_ns.diff() > 0).all()):
        problems.append(f"the stamps of {name} do not strictly increase")
    if [index for index, _ in found] != list(range(len(stamps_ns))):
        problems.append(
            f"{name} announces {len(stamps_ns)} stamps, but streams the indices {preview(i for i, _ in found)}"
        )
    elif [stamp for _, stamp in found] != stamps_ns.tolist():
        problems.append(f"the stamps that {name} streams differ from those it announces")
    return problems


def check_repeats(name: str, again: Iterable[Frame | Sweep], found: list[tuple[int, int]]) -> list[str]:
    """A second stream with chosen indices gives just those, in time order."""
    expected = [found[index] for index in some(len(found))]
    repeated = [(item.index, item.stamp_ns) for item in again]
    if repeated != sorted(expected):
        return [
            f"{name} asked again for the indices {preview(i for i, _ in sorted(expected))} gives {preview(i for i, _ in repeated)}"
        ]
    return []


def some(count: int) -> list[int]:
    """The last and the first position, on purpose not in time order."""
    return sorted({0, count - 1}, reverse=True) if count else []


def check_track(track: Track) -> list[str]:
    """A track has positive sizes and rigid poses."""
    problems = []
    if not min(track.size_m) > 0:
        problems.append(f"track '{track.actor_id}' has the size {track.size_m}; positive lengths are expected")
    if not is_rigid(track.world_from_box.poses):
        problems.append(f"track '{track.actor_id}' holds a matrix that is no rigid motion")
    return problems


def is_rigid(poses: Tensor) -> bool:
    """Whether all matrices are float64 rigid motions."""
    poses = poses.reshape(-1, 4, 4)
    if poses.dtype != torch.float64:
        return False
    identity = torch.eye(4, dtype=torch.float64).expand_as(poses)
    is_orthonormal = torch.allclose(poses @ inverse(poses), identity, atol=RIGID_TOLERANCE)
    return is_orthonormal and bool((torch.linalg.det(poses[:, :3, :3]) > 0).all())


def preview(indices: Iterable[int]) -> str:
    """A few numbers as text."""
    shown = list(indices)
    return ", ".join(str(index) for index in shown[:8]) + (", ..." if len(shown) > 8 else "") or "none"
