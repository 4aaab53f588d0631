"""Settings are laid over defaults, and what does not fit is refused by name."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml

from gs_sim.config import Range, check_ranges, descriptions_of, load_config, override, ranges_of, to_dict
from gs_sim.errors import ConfigError, InputError


@dataclass(frozen=True)
class Loss:
    ssim_weight: float = 0.2
    depth_weight: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.ssim_weight <= 1:
            raise InputError(f"ssim_weight must lie in 0..1, got {self.ssim_weight}")


@dataclass(frozen=True)
class Settings:
    steps: int = 100
    rate: float = 1e-3
    method: Literal["optimise", "g3r"] = "optimise"
    is_fast: bool = False
    cameras: tuple[str, ...] = ()
    size_m: tuple[float, float] = (1.0, 2.0)
    limit: int | None = None
    loss: Loss = field(default_factory=Loss)


def test_only_the_named_settings_change_nested_ones_too() -> None:
    settings = override(Settings(), {"steps": 7, "loss": {"ssim_weight": 0.5}})
    assert settings == Settings(steps=7, loss=Loss(ssim_weight=0.5))


def test_values_under_the_defaults_given_are_kept() -> None:
    assert override(Settings(steps=5, loss=Loss(0.9)), {"loss": {"depth_weight": 0.0}}) == Settings(
        steps=5, loss=Loss(0.9, 0.0)
    )


def test_settings_survive_the_way_through_yaml() -> None:
    settings = Settings(steps=3, rate=2e-5, cameras=("front", "left"), limit=4, loss=Loss(0.25))
    assert override(Settings(), yaml.safe_load(yaml.safe_dump(to_dict(settings)))) == settings


def test_a_whole_number_serves_as_a_decimal_one_and_becomes_one() -> None:
    settings = override(Settings(), {"rate": 1, "size_m": [3, 4]})
    assert [type(value) for value in (settings.rate, *settings.size_m)] == [float] * 3


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"step": 3}, "settings: there is no setting 'step'; did you mean 'steps'?"),
        ({"loss": {"sim_weight": 3}}, "settings: loss: there is no setting 'sim_weight'; did you mean 'ssim_weight'?"),
        ({"zzzzzz": 3}, "known are: steps, rate"),
        ({3: 3}, "there is no setting '3'"),
        ({"steps": 3.0}, "settings: steps must be a whole number; got float 3.0"),
        ({"steps": True}, "steps must be a whole number; got bool True"),
        ({"is_fast": 1}, "is_fast must be true or false; got int 1"),
        ({"rate": False}, "rate must be a finite number; got bool False"),
        ({"rate": float("nan")}, "rate must be a finite number; got float nan"),
        ({"rate": None}, "rate must be a finite number; got NoneType None"),
        ({"rate": "1e-4"}, "rate must be a finite number; got str '1e-4' (YAML takes this for text; write 0.0001)"),
        ({"method": "magic"}, "method must be one of optimise, g3r; got str 'magic'"),
        ({"cameras": "front"}, "cameras must be a list; got str 'front'"),
        ({"cameras": ["front", 3]}, "cameras[1] must be text; got int 3"),
        ({"size_m": [1.0]}, "size_m must have 2 entries; got 1"),
        ({"loss": 3}, "settings: loss: expected a mapping of settings, got int 3"),
        ({"loss": {"ssim_weight": 2.0}}, "settings: loss: ssim_weight must lie in 0..1, got 2.0"),
        ([1], "settings: expected a mapping of settings, got list [1]"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(values: object, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Settings(), values)
    assert sentence in str(caught.value)


def test_a_message_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "street.yaml"
    path.write_text("steps: many\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="street.yaml: steps must be a whole number"):
        load_config(path, Settings())


@pytest.mark.parametrize("content", [b"steps: [1", b"\xff\xfe\x00", b"- 3\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "street.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="street.yaml"):
        load_config(path, Settings())


def test_a_missing_file_is_refused_and_an_empty_one_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml", Settings())
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    assert load_config(tmp_path / "empty.yaml", Settings()) == Settings()


@dataclass(frozen=True)
class Bounded:
    """Not a description of a field."""

    rate_hz: Annotated[float, Range(0, 100)] = 10.0
    """Images per second;
    0 renders only when asked."""
    name: str = ""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class BoundedToo(Bounded):
    depth_m: Annotated[int, Range(1, 2)] = 1
    """How deep."""


def test_bounds_are_stated_once_and_hold_at_every_door() -> None:
    assert ranges_of(BoundedToo) == {"rate_hz": Range(0, 100), "depth_m": Range(1, 2)}
    with pytest.raises(ConfigError, match=r"^rate_hz must be between 0 and 100, got 100.5$"):
        Bounded(rate_hz=100.5)
    with pytest.raises(ConfigError, match=r"^settings: depth_m must be between 1 and 2, got 3$"):
        override(BoundedToo(), {"depth_m": 3})
    with pytest.raises(ConfigError, match=r"rate_hz .* got nan"):
        Bounded(rate_hz=float("nan"))


def test_the_line_below_a_field_is_its_description_inherited_ones_too() -> None:
    assert descriptions_of(BoundedToo) == {
        "rate_hz": "Images per second; 0 renders only when asked.",
        "depth_m": "How deep.",
    }
