"""Settings from the outside: a mapping or a YAML file becomes a frozen dataclass, and back.

Each stage keeps one dataclass of settings beside its code, every field with a default. Here
the values of a user are laid over such defaults; what does not fit is refused by name.
"""

import ast
import contextlib
import inspect
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from gs_sim.errors import ConfigError, InputError

Config = TypeVar("Config")


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both allowed: `rate_hz: Annotated[float, Range(0, 1000)] = 10.0`."""

    low: float | int
    high: float | int


def ranges_of(config_type: type) -> dict[str, Range]:
    """The bounds of those fields of a dataclass that state some."""
    hints = get_type_hints(config_type, include_extras=True)
    found = {name: [extra for extra in get_args(hint)[1:] if isinstance(extra, Range)] for name, hint in hints.items()}
    return {name: bounds[0] for name, bounds in found.items() if bounds}


def check_ranges(config: object) -> None:
    """Hold every field against its bounds; a dataclass of settings calls this in `__post_init__`.

    Raises:
        ConfigError: a value lies outside.
    """
    for name, bounds in ranges_of(type(config)).items():
        value = getattr(config, name)
        if not bounds.low <= value <= bounds.high:
            raise ConfigError(f"{name} must be between {bounds.low} and {bounds.high}, got {value}")


def descriptions_of(config_type: type) -> dict[str, str]:
    """What the lines below the fields of a dataclass say about them, inherited fields included."""
    described: dict[str, str] = {}
    for part in reversed(config_type.__mro__):
        if not is_dataclass(part):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        assert isinstance(definition, ast.ClassDef)
        for statement, after in zip(definition.body, definition.body[1:], strict=False):
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                described[statement.target.id] = " ".join(text.value.split())
    return described


def load_config(path: Path, defaults: Config) -> Config:
    """Lay the settings of a YAML file over the defaults; an empty file changes nothing.

    Raises:
        ConfigError: the file cannot be read or is no YAML mapping, or as `override`.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the settings file {path} is no valid YAML: {' '.join(str(error).split())}") from error
    return override(defaults, {} if values is None else values, where=str(path))


def override(defaults: Config, values: object, where: str = "settings") -> Config:
    """Lay the given values over a dataclass of settings, nested ones included.

    A whole number serves where a decimal one is asked for; nothing else is converted.

    Args:
        defaults: an instance of a dataclass; what `values` does not name keeps its value.
        values: a mapping from field names to values.
        where: how messages name the origin of the values, such as a file.

    Raises:
        ConfigError: a key is unknown (the nearest known one is named), a value has another
            type than its field, or the dataclass itself refuses a value.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected a mapping of settings, got {_described(values)}")
    types = get_type_hints(type(defaults))
    known = [field.name for field in fields(defaults)]  # type: ignore[arg-type]  # any dataclass
    chosen: dict[str, Any] = {}  # each value has its field's type, checked here
    for key, value in values.items():
        if key not in known:
            raise ConfigError(_unknown_key(key, known, where))
        current = getattr(defaults, key)
        if is_dataclass(current):
            chosen[key] = override(current, value, f"{where}: {key}")
        else:
            chosen[key] = _checked(value, types[key], f"{where}: {key}")
    try:
        return replace(defaults, **chosen)  # type: ignore[type-var]  # any dataclass
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from error


def to_dict(config: object) -> dict[str, Any]:  # values of every type a field can have
    """Turn settings into plain dicts, lists and scalars, as YAML and JSON write them."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}  # type: ignore[arg-type]


def _plain(value: object) -> object:
    if is_dataclass(value):
        return to_dict(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _unknown_key(key: object, known: list[str], where: str) -> str:
    nearest = get_close_matches(str(key), known, n=1, cutoff=0.4)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"known are: {', '.join(known)}"
    return f"{where}: there is no setting '{key}'; {hint}"


def _described(value: object) -> str:
    text = f"{type(value).__name__} {value!r}"
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            text += f" (YAML takes this for text; write {float(value)!r})"
    return text


def _checked(value: object, expected: Any, where: str) -> object:  # a type of any kind
    """Return the value as the field's type, or raise ConfigError."""
    origin, arguments = get_origin(expected), get_args(expected)
    if origin is Literal:
        if value not in arguments or type(value) not in map(type, arguments):
            raise ConfigError(f"{where} must be one of {', '.join(map(str, arguments))}; got {_described(value)}")
        return value
    if origin in (tuple, list):
        return _checked_sequence(value, expected, where)
    if origin in (Union, UnionType):
        if value is None and type(None) in arguments:
            return None
        (expected,) = (argument for argument in arguments if argument is not type(None))
        return _checked(value, expected, where)
    if expected is float and type(value) in (int, float) and math.isfinite(value):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]  # a number, by the line above
    if type(value) is not expected or expected is float:
        raise ConfigError(f"{where} must be {_name(expected)}; got {_described(value)}")
    return value


def _checked_sequence(value: object, expected: Any, where: str) -> object:  # as _checked
    arguments = get_args(expected)
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} must be a list; got {_described(value)}")
    if get_origin(expected) is list or Ellipsis in arguments:
        arguments = (arguments[0],) * len(value)
    if len(value) != len(arguments):
        raise ConfigError(f"{where} must have {len(arguments)} entries; got {len(value)}")
    items = [_checked(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(value, arguments, strict=True))]
    return tuple(items) if get_origin(expected) is tuple else items


def _name(expected: Any) -> str:  # as _checked
    names = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    return names.get(expected, str(expected))
