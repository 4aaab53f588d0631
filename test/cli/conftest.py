"""The tiny world as a user has it: a bag and a scene folder."""

import json
from pathlib import Path

import pytest
from tiny_world import TinyWorld, make_tiny_world

from gs_sim.geometry.pose import inverse
from gs_sim.geometry.trajectory import pose_at
from gs_sim.scene.storage import save_scene
from gs_sim.sources.bag_writer import BagWriter
from gs_sim.sources.detection import Detection


@pytest.fixture(scope="session")
def tiny_world() -> TinyWorld:
    return make_tiny_world()


@pytest.fixture(scope="session")
def tiny_bag(tiny_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recording = tiny_world.recording
    path = tmp_path_factory.mktemp("bags") / "tiny"
    with BagWriter(path) as bag:
        bag.write_static_transforms(
            [("base_link", f"{mounted.name}_optical", mounted.rig_from_camera) for mounted in recording.rig.cameras]
            + [("base_link", mounted.name, mounted.rig_from_lidar) for mounted in recording.rig.lidars]
        )
        for stamp_ns, pose in zip(
            recording.world_from_rig.stamps_ns.tolist(), recording.world_from_rig.poses, strict=True
        ):
            bag.write_odometry("/odometry", "map", "base_link", stamp_ns, pose)
        for frame in recording.all_frames:
            camera = recording.rig.camera(frame.camera_name).camera
            optical = f"{frame.camera_name}_optical"
            bag.write_image(f"/{frame.camera_name}/image_rect", optical, frame.stamp_ns, frame.rgb, "png")
            bag.write_camera_info(f"/{frame.camera_name}/camera_info", optical, frame.stamp_ns, camera)
        for sweep in recording.all_sweeps:
            bag.write_sweep("/top/points", "top", sweep)
            rig_from_world = inverse(pose_at(recording.world_from_rig, sweep.stamp_ns))
            boxes = [
                Detection(t.actor_id, t.label, t.size_m, rig_from_world @ pose_at(t.world_from_box, sweep.stamp_ns))
                for t in recording.tracks
            ]
            bag.write_detections("/tracks", "base_link", sweep.stamp_ns, boxes)
    return path


@pytest.fixture
def tiny_scene(tiny_world: TinyWorld, tmp_path: Path) -> Path:
    folder = tmp_path / "scene"
    save_scene(tiny_world.scene, folder)
    report = {"method": "optimise", "cameras": ["front"], "camera_rates_hz": {"front": 10.0}}
    (folder / "report.json").write_text(json.dumps(report))
    return folder
