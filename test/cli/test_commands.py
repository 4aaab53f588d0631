"""Commands from a bag to a scene to pictures, each as a user runs it."""

import json
import signal
from pathlib import Path

import av
import cv2
import pytest
import yaml
from small_drive import SmallDrive, write_drive
from small_lesson import SMALL_TRAINING
from tiny_world import TinyWorld

from gs_sim.cli.main import main
from gs_sim.config import to_dict
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.jobs import recordings
from gs_sim.reconstruction import optimise
from gs_sim.reconstruction.g3r.weights import load_networks
from gs_sim.scene.ply import save_ply
from gs_sim.scene.storage import load_scene

FAST = ["--steps", "4", "--max-gaussians", "3000", "--seed", "1"]


@pytest.fixture(scope="module")
def made(tiny_bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene that `reconstruct` made of the tiny bag."""
    folder = tmp_path_factory.mktemp("made") / "scene"
    assert main(["reconstruct", str(tiny_bag), "-o", str(folder), "--width", "64", "--holdout", "4", *FAST]) == 0
    return folder


def test_reconstruct_writes_a_scene_and_a_report_with_the_promised_keys(made: Path) -> None:
    scene = load_scene(made)
    report = json.loads((made / "report.json").read_text())
    promised = {"method", "device", "seconds", "seconds_refine", "num_gaussians", "peak_memory_mb", "seed"}
    assert promised <= set(report)
    actors = sum(len(actor.gaussians_box) for actor in scene.actors)
    assert report["num_gaussians"] == len(scene.background) + len(scene.distant) + actors
    assert 0 < report["seconds_refine"] < report["seconds"]
    assert (report["method"], report["seed"], report["steps"], report["cameras"]) == ("optimise", 1, 4, ["front"])
    assert report["configuration"]["width_px"] == 64
    assert report["configuration"]["optimise"]["steps"] == 4
    assert report["num_views"] == 6  # 8 frames, of which 2 and 6 are held out
    assert report["camera_rates_hz"]["front"] == pytest.approx(10.0)


def test_reconstruct_by_learned_steps_says_so_in_its_report(tiny_bag: Path, tmp_path: Path) -> None:
    scene = tmp_path / "scene"
    command = ["reconstruct", str(tiny_bag), "-o", str(scene), "--method", "g3r", "--width", "64", *FAST]
    assert main(command) == 0
    report = json.loads((scene / "report.json").read_text())
    assert (report["method"], report["steps"]) == ("g3r", 4)
    assert report["configuration"]["g3r"]["steps"] == 4
    assert load_scene(scene).background.sh.shape[1] == 1


def test_reconstruct_with_weights_that_are_none_writes_nothing(
    tiny_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"method: g3r\ng3r: {{weights: {settings}}}\n")
    command = ["reconstruct", str(tiny_bag), "-o", str(tmp_path / "scene"), "--config", str(settings)]
    assert main(command) == 2
    assert "is no readable safetensors file" in capsys.readouterr().err
    assert not (tmp_path / "scene").exists()


def test_train_learns_stops_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump(to_dict(SMALL_TRAINING)))
    command = ["train", "g3r", "-o", str(tmp_path / "run"), "--config", str(settings), "--device", "cpu"]
    assert main([*command, "--iterations", "1"]) == 0
    assert main([*command, "--iterations", "2"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "after the last" in line]
    assert [line.split()[0] for line in lines] == ["1/1", "2/2"]
    load_networks(tmp_path / "run" / "weights.safetensors")


def test_inspect_of_a_good_bag_lists_its_sensors_and_says_ready(
    tiny_bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(tiny_bag)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ready"
    assert any(line.startswith("  camera  front: 8 of 8 used, 10.0 Hz; 96x64") for line in lines)
    assert any(line.startswith("  lidar   top: 8 of 8 used") for line in lines)


def test_inspect_prints_json_for_programs(tiny_bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tiny_bag), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["is_ready"], document["verdict"], document["num_tracks"]) == (True, "ready", 2)


def test_inspect_of_a_bag_without_calibration_says_what_to_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_drive(tmp_path / "bag", SmallDrive(has_info=False))
    assert main(["inspect", str(bag)]) == 2
    captured = capsys.readouterr()
    assert "CameraInfo" in captured.err
    assert captured.err.strip().count("\n") == 0
    assert "camera" in captured.out
    assert main(["inspect", str(bag), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["is_ready"] is False


def test_evaluate_takes_cameras_and_width_from_the_scene_and_writes_page_and_scores(
    made: Path, tiny_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "deep" / "scores.json"
    assert main(["evaluate", str(made), str(tiny_bag), "--holdout", "4", "--json", str(scores)]) == 0
    document = json.loads(scores.read_text())
    assert {"psnr_db", "ssim", "num_frames", "psnr_actors_db", "depth_mae_m", "per_frame"} <= set(document)
    assert [frame["index"] for frame in document["per_frame"]] == [2, 6]
    assert document["width_px"] == 64
    assert document["cameras"] == ["front"]
    assert document["psnr_db"] > 12
    assert document["psnr_actors_db"] is not None
    assert "data:image/jpeg" in (made / "report.html").read_text()
    assert str(made / "report.html") in capsys.readouterr().out


def test_a_known_scene_is_judged_perfect_from_its_bag_displaced_camera_included(
    tiny_scene: Path, tiny_bag: Path, tmp_path: Path
) -> None:
    scores = tmp_path / "scores.json"
    command = ["evaluate", str(tiny_scene), str(tiny_bag), "--cameras", "front,off_left_1m", "--json", str(scores)]
    assert main(command) == 0
    document = json.loads(scores.read_text())
    assert set(document["per_camera"]) == {"front", "off_left_1m"}
    assert document["num_frames"] == 16
    assert document["psnr_db"] > 45
    assert document["psnr_actors_db"] > 40
    assert document["depth_mae_m"] < 0.2


def test_ctrl_c_while_optimising_saves_the_scene_as_it_stands(
    tiny_bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = optimise.Optimisation._step
    done = 0

    def step_then_interrupt(self: optimise.Optimisation, *arguments: object) -> object:
        nonlocal done
        done += 1
        if done == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments)  # type: ignore[arg-type]  # passed through as they came

    monkeypatch.setattr(optimise.Optimisation, "_step", step_then_interrupt)
    command = ["reconstruct", str(tiny_bag), "-o", str(tmp_path / "scene"), "--width", "48", "--steps", "500"]
    assert main([*command, "--max-gaussians", "3000"]) == 130
    assert len(load_scene(tmp_path / "scene").background) > 0
    report = json.loads((tmp_path / "scene" / "report.json").read_text())
    assert report["was_interrupted"] is True
    assert 0 < report["steps"] < 500
    assert "the scene is usable" in capsys.readouterr().err


def test_command_line_options_win_over_the_settings_file(tiny_bag: Path, tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("seed: 5\nmax_gaussians: 2000\noptimise:\n  steps: 900\n  sh_degree: 0\nbag:\n  lidars: [top]\n")
    scene = tmp_path / "scene"
    command = ["reconstruct", str(tiny_bag), "-o", str(scene), "--config", str(config), "--steps", "2", "--width", "48"]
    assert main(command) == 0
    configuration = json.loads((scene / "report.json").read_text())["configuration"]
    assert (configuration["seed"], configuration["max_gaussians"]) == (5, 2000)
    assert (configuration["optimise"]["steps"], configuration["optimise"]["sh_degree"]) == (2, 0)
    assert configuration["bag"]["lidars"] == ["top"]


def test_a_scene_along_a_path_found_by_lidar_is_judged_on_frames_it_never_saw(
    tiny_bag: Path, tiny_world: TinyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The odometry stands in for KISS-ICP and misses the first two frames by more than it may continue.
    path = tiny_world.recording.world_from_rig
    found = Trajectory(path.stamps_ns[3:], path.poses[3:])
    monkeypatch.setattr(recordings, "estimate_trajectory", lambda _recording, _name: found)
    scene, scores = tmp_path / "scene", tmp_path / "scores.json"
    command = ["reconstruct", str(tiny_bag), "-o", str(scene), "--poses", "lidar", "--holdout", "3", "--width", "48"]
    assert main([*command, *FAST]) == 0
    report = json.loads((scene / "report.json").read_text())
    assert report["poses"] == "lidar"
    assert report["frames_left_out"]["front"] == path.stamps_ns[:2].tolist()
    assert main(["evaluate", str(scene), str(tiny_bag), "--holdout", "3", "--json", str(scores)]) == 0
    judged = [frame["stamp_ns"] for frame in json.loads(scores.read_text())["per_frame"]]
    # Counted from the third frame on: index % 3 == 1.
    assert judged == [int(path.stamps_ns[index]) for index in (3, 6)]
    assert report["num_views"] == 6 - len(judged)


def test_render_writes_a_numbered_picture_per_moment_of_the_drive(tiny_scene: Path, tmp_path: Path) -> None:
    assert main(["render", str(tiny_scene), "-o", str(tmp_path / "pictures")]) == 0
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == [f"front_{number:06d}.png" for number in range(8)]


def test_render_shows_what_the_camera_recorded(tiny_scene: Path, tiny_world: TinyWorld, tmp_path: Path) -> None:
    assert main(["render", str(tiny_scene), "-o", str(tmp_path / "one"), "--stamp-s", "0.3"]) == 0
    picture = cv2.imread(str(tmp_path / "one" / "front_000000.png"))
    assert picture is not None
    truth = next(iter(tiny_world.recording.frames("front", [3]))).rgb.numpy()
    assert abs(picture[..., ::-1].astype(int) - truth).max() <= 1


def test_an_offset_moves_the_camera_as_the_displaced_camera_is_mounted(
    tiny_scene: Path, tiny_world: TinyWorld, tmp_path: Path
) -> None:
    command = ["render", str(tiny_scene), "-o", str(tmp_path / "one"), "--stamp-s", "0.5", "--offset", "0,1,0,0"]
    assert main(command) == 0
    picture = cv2.imread(str(tmp_path / "one" / "front_000000.png"))
    assert picture is not None
    truth = next(iter(tiny_world.recording.frames("off_left_1m", [5]))).rgb.numpy()
    assert abs(picture[..., ::-1].astype(int) - truth).max() <= 1


def test_turning_left_moves_the_world_to_the_right(tiny_scene: Path, tmp_path: Path) -> None:
    columns = []
    for number, offset in enumerate(("-1,0,0,0", "-1,0,0,8")):
        folder = tmp_path / str(number)
        assert main(["render", str(tiny_scene), "-o", str(folder), "--stamp-s", "0.3", "--offset", offset]) == 0
        picture = cv2.imread(str(folder / "front_000000.png"))
        assert picture is not None
        blue, green, red = (picture[..., channel].astype(int) for channel in range(3))
        columns.append(float(((red > 150) & (green < 80) & (blue < 80)).nonzero()[1].mean()))
    assert columns[1] > columns[0] + 5


def test_a_video_has_even_sides_and_the_cameras_rate(tiny_scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "drive.mp4"
    assert main(["render", str(tiny_scene), "-o", str(path), "--width", "75"]) == 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (74, 50)
        assert float(stream.average_rate) == 10.0
        assert sum(1 for _ in container.decode(stream)) == 8


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--stamp-s", "9"], "--stamp-s must lie within the drive, 0 to 0.700 s; got 9.0"),
        (["--camera", "rear"], "there is no camera 'rear'"),
        (["-o", "picture.png"], "neither a folder for PNG pictures nor an .mp4 file"),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    tiny_scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    output = [] if "-o" in options else ["-o", str(tmp_path / "out")]
    assert main(["render", str(tiny_scene), *output, *options]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_a_scene_of_a_newer_version_is_refused_in_one_sentence(
    tiny_scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((tiny_scene / "scene.json").read_text())
    version_key = next(key for key in manifest if "version" in key)
    (tiny_scene / "scene.json").write_text(json.dumps(manifest | {version_key: 999}))
    assert main(["render", str(tiny_scene), "-o", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert "999" in captured.err
    assert captured.err.strip().count("\n") == 0


def test_an_inserted_actor_stands_on_the_ground_and_is_drawn(
    tiny_scene: Path, tiny_world: TinyWorld, tmp_path: Path
) -> None:
    save_ply(tiny_world.scene.actors[0].gaussians_box, tmp_path / "car.ply")
    # The wall is all there is to stand on: its lower edge is 8 m below the path.
    command = ["actor", "insert", str(tiny_scene), str(tmp_path / "car.ply"), "--at", "12,-3,90"]
    assert main([*command, "-o", str(tmp_path / "second")]) == 0
    scene = load_scene(tmp_path / "second")
    assert [actor.actor_id for actor in scene.actors] == ["car-1", "car"]
    pose = scene.actors[1].world_from_box.poses[0]
    assert pose[:2, 3].tolist() == [12.0, -3.0]
    assert pose[:3, 0].tolist() == pytest.approx([0.0, 1.0, 0.0], abs=1e-9)  # yaw of 90 degrees
    lowest_m = float(scene.actors[1].gaussians_box.means[:, 2].min()) + float(pose[2, 3])
    assert -8.1 <= lowest_m <= -6.0
    assert main(["render", str(tmp_path / "second"), "-o", str(tmp_path / "out"), "--stamp-s", "0"]) == 0


def test_a_path_lets_the_inserted_actor_drive_as_seen_from_its_place(
    tiny_scene: Path, tiny_world: TinyWorld, tmp_path: Path
) -> None:
    save_ply(tiny_world.scene.actors[0].gaussians_box, tmp_path / "car.ply")
    path = tmp_path / "path.csv"
    path.write_text("stamp_s,x,y,yaw_deg\n0.0,0,0,0\n0.5,2,0,0\n")
    command = ["actor", "insert", str(tiny_scene), str(tmp_path / "car.ply"), "--at", "12,-3,90", "--path", str(path)]
    assert main([*command, "-o", str(tmp_path / "second")]) == 0
    trajectory = load_scene(tmp_path / "second").actors[1].world_from_box
    assert (trajectory.end_ns - trajectory.start_ns) == 500_000_000
    travelled = trajectory.poses[1, :2, 3] - trajectory.poses[0, :2, 3]
    assert travelled.tolist() == pytest.approx([0.0, 2.0], abs=1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,0,0\n", "line 1: expected stamp_s,x,y,yaw_deg"),
        ("0,0,0,0\n0,1,0,0\n", "stamps must increase"),
        ("", "no rows"),
    ],
)
def test_a_path_file_that_makes_no_sense_is_refused(
    tiny_scene: Path,
    tiny_world: TinyWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    expected: str,
) -> None:
    save_ply(tiny_world.scene.actors[0].gaussians_box, tmp_path / "car.ply")
    path = tmp_path / "path.csv"
    path.write_text(text)
    command = ["actor", "insert", str(tiny_scene), str(tmp_path / "car.ply"), "--at", "12,-3,0", "--path", str(path)]
    assert main([*command, "-o", str(tmp_path / "second")]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "second").exists()
