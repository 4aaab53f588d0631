"""A drive through the street written as a bag, as a vehicle's recorder would have left it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gs_sim.geometry.trajectory import pose_at
from gs_sim.sources.bag_writer import BagWriter
from gs_sim.sources.detection import Detection
from gs_sim.sources.street.camera_image import street_image
from gs_sim.sources.street.lidar import street_sweep
from gs_sim.sources.street.recording import camera_stamps_ns, lidar_stamps_ns
from gs_sim.sources.street.street import Street

FIXED_FRAME, RIG_FRAME = "odom", "base_link"
SEEN_M = 70.0
"""Vehicles farther away than this from the ego vehicle have no box."""

Progress = Callable[[int, int], None]
"""Told how many images and sweeps are written, and how many there will be."""


@dataclass(frozen=True)
class Event:
    """One thing to write."""

    stamp_ns: int
    kind: str
    """`pose`, `boxes`, `sweep` or `image`."""
    sensor: str
    index: int


def write_street_bag(
    street: Street, path: Path | str, progress: Progress | None = None, *, overwrite: bool = False
) -> None:
    """Render the whole drive into a bag, messages in time order.

    Images are as the sensors deliver them, lens included; `/tf_static` places every camera, the
    displaced ground-truth ones (`off_*`) too.

    Raises:
        StorageError: the bag exists already or cannot be written; nothing is left behind then.
    """
    events = sorted(_events(street), key=lambda event: event.stamp_ns)
    num_total = sum(event.kind in ("image", "sweep") for event in events)
    num_done = 0
    with BagWriter(path, overwrite=overwrite) as bag:
        bag.write_static_transforms(
            [(RIG_FRAME, f"{mounted.name}_optical_frame", mounted.rig_from_camera) for mounted in street.rig.cameras]
            + [(RIG_FRAME, mounted.name, mounted.rig_from_lidar) for mounted in street.rig.lidars]
        )
        for event in events:
            _write(street, bag, event)
            if event.kind in ("image", "sweep"):
                num_done += 1
                if progress is not None:
                    progress(num_done, num_total)


def _events(street: Street) -> Iterator[Event]:
    for index, stamp_ns in enumerate(street.world_from_rig.stamps_ns.tolist()):
        yield Event(stamp_ns, "pose", RIG_FRAME, index)
    for index, stamp_ns in enumerate(camera_stamps_ns(street, "front").tolist()):
        yield Event(stamp_ns, "boxes", "tracks", index)
    for lidar in street.rig.lidars:
        for index, stamp_ns in enumerate(lidar_stamps_ns(street).tolist()):
            yield Event(stamp_ns, "sweep", lidar.name, index)
    for camera in street.rig.cameras:
        for index, stamp_ns in enumerate(camera_stamps_ns(street, camera.name).tolist()):
            yield Event(stamp_ns, "image", camera.name, index)


def _write(street: Street, bag: BagWriter, event: Event) -> None:
    stamp_ns = event.stamp_ns
    if event.kind == "pose":
        odom_from_rig = street.world_from_rig.poses[event.index]
        bag.write_transform(FIXED_FRAME, RIG_FRAME, stamp_ns, odom_from_rig)
        bag.write_odometry("/odom", FIXED_FRAME, RIG_FRAME, stamp_ns, odom_from_rig)
    elif event.kind == "boxes":
        bag.write_detections("/tracks", FIXED_FRAME, stamp_ns, _boxes_near(street, stamp_ns))
    elif event.kind == "sweep":
        sweep = street_sweep(street, event.sensor, event.index, stamp_ns)
        bag.write_sweep(f"/{event.sensor}/points", event.sensor, sweep)
    else:
        mounted = street.rig.camera(event.sensor)
        world_from_camera = pose_at(street.world_from_rig, stamp_ns) @ mounted.rig_from_camera
        rgb = street_image(street, mounted.name, (mounted.raw_camera, world_from_camera), stamp_ns)
        frame_id = f"{mounted.name}_optical_frame"
        bag.write_image(f"/{mounted.name}/image_raw", frame_id, stamp_ns, rgb)
        bag.write_camera_info(f"/{mounted.name}/camera_info", frame_id, stamp_ns, mounted.raw_camera)


def _boxes_near(street: Street, stamp_ns: int) -> list[Detection]:
    position = pose_at(street.world_from_rig, stamp_ns)[:3, 3]
    boxes = [
        Detection(track.actor_id, track.label, track.size_m, pose_at(track.world_from_box, stamp_ns))
        for track in street.tracks
    ]
    return [box for box in boxes if float((box.frame_from_box[:3, 3] - position).norm()) < SEEN_M]
