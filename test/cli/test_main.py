"""The door of the command line: fast, and every refusal one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_drive import SmallDrive, write_drive

import gs_sim
from gs_sim.cli import render_command
from gs_sim.cli.main import main
from gs_sim.scene import storage


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run a command that must be refused and return its sentence."""
    assert main(list(argv)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    sentences = [line for line in lines if line.startswith("gs-sim: ")]
    assert len(sentences) == 1
    assert lines[-1] == sentences[0]
    assert "Traceback" not in "".join(lines)
    return sentences[0]


def test_help_and_version_leave_without_loading_torch() -> None:
    program = (
        "import sys; from gs_sim.cli.main import main; "
        "codes = main(['--version']), main(['--help']), main(['reconstruct', '--help']); "
        "assert codes == (0, 0, 0), codes; "
        "heavy = {'torch', 'numpy', 'numba', 'cv2', 'open3d', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"gs-sim {gs_sim.__version__}" in done.stdout


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("reconstrukt",), "invalid choice: 'reconstrukt'"),
        (("reconstruct", "bag"), "required: -o/--output"),
        (("reconstruct", "bag", "-o", "s", "--steps", "0"), "--steps: expected a whole number above 0; got '0'"),
        (("reconstruct", "bag", "-o", "s", "--budget-s", "-3"), "--budget-s: expected a number above 0; got '-3'"),
        (("reconstruct", "bag", "-o", "s", "--steps", "9", "--budget-s", "9"), "not allowed with argument"),
        (("reconstruct", "bag", "-o", "s", "--cameras", "a,,b"), "expected names separated by commas"),
        (("reconstruct", "bag", "-o", "s", "--method", "magic"), "invalid choice: 'magic'"),
        (("render", "scene", "-o", "out", "--offset", "1,2,3"), "expected 4 numbers X,Y,Z,YAW_DEG; got '1,2,3'"),
        (("render", "scene", "-o", "out", "--offset", "1,2,nan,0"), "expected 4 numbers"),
        (("street", "-o", "bag", "--size", "640"), "expected WIDTHxHEIGHT in pixels, such as 640x360; got '640'"),
        (("import", "kitti-raw", "d", "-o", "b", "--frames", "9:3"), "expected FIRST:END with FIRST below END"),
        (("actor", "insert", "s", "a.ply", "--at", "1,2", "-o", "t"), "expected 3 numbers X,Y,YAW_DEG; got '1,2'"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], expected: str
) -> None:
    assert expected in refusal(capsys, *argv)


@pytest.mark.parametrize(
    "argv",
    [
        ("reconstruct", "bag", "-o", "scene", "--poses", "ggrt"),
        ("reconstruct", "bag", "-o", "scene", "--init", "pixelgaussian"),
        ("reconstruct", "bag", "-o", "scene", "--init", "lidar+pixelgaussian"),
        ("actor", "from-image", "car.png", "-o", "car.ply"),
        ("train", "agg", "-o", "folder"),
    ],
)
def test_what_is_announced_but_not_built_is_refused_not_ignored(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert "is not built yet; " in refusal(capsys, *argv)


@pytest.mark.parametrize("command", ["inspect", "reconstruct"])
def test_a_bag_that_is_not_there_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    output = [] if command == "inspect" else ["-o", str(tmp_path / "scene")]
    assert "nowhere" in refusal(capsys, command, str(tmp_path / "nowhere"), *output)
    assert not (tmp_path / "scene").exists()


def test_a_scene_that_is_not_there_is_refused_by_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sentence = refusal(capsys, "render", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out"))
    assert "nowhere is no scene" in sentence


def test_an_output_that_could_not_be_saved_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("taken")
    sentence = refusal(capsys, "reconstruct", str(tmp_path / "no_bag"), "-o", str(tmp_path / "file"))
    assert "is a file" in sentence
    sentence = refusal(capsys, "reconstruct", str(tmp_path / "no_bag"), "-o", str(tmp_path / "file" / "scene"))
    assert "no folder that may be written to" in sentence


def test_an_unknown_setting_of_a_file_is_refused_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("max_gausians: 5000\n")
    sentence = refusal(capsys, "reconstruct", "bag", "-o", str(tmp_path / "scene"), "--config", str(config))
    assert "did you mean 'max_gaussians'" in sentence


def test_what_the_system_refuses_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_arguments: object) -> int:
        raise OSError(28, "No space left on device", "/scene/background.ply")

    monkeypatch.setattr(render_command, "run", full)
    sentence = refusal(capsys, "render", "scene", "-o", "out")
    assert sentence == "gs-sim: the system refused to read or write /scene/background.ply: No space left on device"


def test_ctrl_c_leaves_with_130_and_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(render_command, "run", interrupted)
    assert main(["render", "scene", "-o", "out"]) == 130
    assert capsys.readouterr().err.strip().count("\n") == 0


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -m gs_sim.cli.main --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert "Traceback" not in done.stderr


BAD_DRIVES = {
    "no calibration": (SmallDrive(has_info=False), "CameraInfo"),
    "no mounts": (SmallDrive(has_camera_mounts=False), "base_link"),
    "no poses": (SmallDrive(poses="none"), "pose"),
}


@pytest.mark.parametrize("fault", BAD_DRIVES)
def test_a_bag_that_lacks_something_is_refused_in_one_sentence_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: str
) -> None:
    drive, expected = BAD_DRIVES[fault]
    bag = write_drive(tmp_path / "bag", drive)
    assert expected in refusal(capsys, "reconstruct", str(bag), "-o", str(tmp_path / "scene"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["bag"]


def test_a_truncated_bag_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag")
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:200])
    assert str(bag) in refusal(capsys, "inspect", str(bag))
    assert str(bag) in refusal(capsys, "reconstruct", str(bag), "-o", str(tmp_path / "scene"))
    assert not (tmp_path / "scene").exists()


def test_a_ply_with_an_absurd_count_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], tiny_scene: Path, tmp_path: Path
) -> None:
    file = tiny_scene / "background.ply"
    data = file.read_bytes()
    count = data.split(b"element vertex ")[1].split(b"\n")[0]
    file.write_bytes(data.replace(b"element vertex " + count, b"element vertex 99999999999", 1))
    assert "background.ply" in refusal(capsys, "render", str(tiny_scene), "-o", str(tmp_path / "out"))


def test_a_full_disk_while_saving_leaves_no_scene_behind(
    capsys: pytest.CaptureFixture[str], tiny_bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_gaussians: object, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(storage, "save_ply", full)
    command = ["reconstruct", str(tiny_bag), "-o", str(tmp_path / "scene"), "--width", "48", "--steps", "1"]
    assert "No space left on device" in refusal(capsys, *command, "--max-gaussians", "2000")
    assert not list(tmp_path.iterdir())
