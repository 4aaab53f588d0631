"""Progress where there is no terminal: few lines, the first and the last of each stage among them."""

import pytest

from gs_sim.cli.terminal import ProgressDisplay, progress_note


def test_each_stage_says_its_first_and_last_step_and_little_between(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as display:
        display.update("read", 0, 1)
        for step in range(1, 501):
            display.update("optimise", step, 500, progress_note(20.0 + step / 100, 123_456))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("read 0/1")
    assert lines[1].startswith("optimise 1/500  PSNR 20.01 dB  123 k Gaussians")
    assert "left" in lines[1]
    assert lines[2].startswith("optimise 500/500  PSNR 25.00 dB")
    assert "left" not in lines[2]


def test_what_is_not_known_yet_is_not_shown() -> None:
    assert not progress_note(None, 0)
    assert progress_note(None, 2000) == "2 k Gaussians"


def test_a_terminal_gets_a_bar_with_psnr_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with ProgressDisplay() as display:
        display.update("optimise", 1, 10, "PSNR 20.00 dB")
        display.update("save", 0, 1)
        assert display._bar is not None
        first, second = display._bar.tasks
        assert (first.description, first.completed, first.total) == ("optimise", 10, 10)
        assert (second.description, second.completed, second.total) == ("save", 0, 1)
