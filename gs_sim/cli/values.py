"""Values of command-line options that are more than a number or a word, and how they are refused."""

import argparse
import math
from typing import Any, NoReturn

from gs_sim.errors import InputError, MissingFeatureError


def names(text: str) -> tuple[str, ...]:
    """Read `A,B,C`.

    Raises:
        argparse.ArgumentTypeError: a name is empty.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise argparse.ArgumentTypeError(f"expected names separated by commas, such as front,front_left; got '{text}'")
    return parts


def image_size(text: str) -> tuple[int, int]:
    """Read `WxH`, in pixels.

    Raises:
        argparse.ArgumentTypeError: the text is no size.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) > 0 and int(height) > 0):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT in pixels, such as 640x360; got '{text}'")
    return int(width), int(height)


def frame_range(text: str) -> tuple[int, int]:
    """Read `A:B`, frames from A up to but not including B.

    Raises:
        argparse.ArgumentTypeError: the text is no range, or an empty one.
    """
    first, _, end = text.partition(":")
    if not (first.isdigit() and end.isdigit() and int(first) < int(end)):
        raise argparse.ArgumentTypeError(f"expected FIRST:END with FIRST below END, such as 0:100; got '{text}'")
    return int(first), int(end)


def numbers(text: str, letters: str) -> tuple[float, ...]:
    """Read finite numbers separated by commas, as many as `letters` names.

    Raises:
        argparse.ArgumentTypeError: the text is something else.
    """
    wanted = letters.split(",")
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != len(wanted) or not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"expected {len(wanted)} numbers {letters}; got '{text}'")
    return values


def offset(text: str) -> tuple[float, ...]:
    """Read `X,Y,Z,YAW_DEG` (metres, degrees)."""
    return numbers(text, "X,Y,Z,YAW_DEG")


def place(text: str) -> tuple[float, ...]:
    """Read `X,Y,YAW_DEG` (metres, degrees)."""
    return numbers(text, "X,Y,YAW_DEG")


def positive(text: str) -> int:
    """Read a whole number above zero.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0; got '{text}'")
    return int(text)


def positive_real(text: str) -> float:
    """Read a finite number above zero.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    (value,) = numbers(text, "X")
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0; got '{text}'")
    return value


def counts(text: str) -> tuple[int, ...]:
    """Read `N,N,...`, whole numbers above zero."""
    return tuple(positive(part.strip()) for part in text.split(","))


def positive_reals(text: str) -> tuple[float, ...]:
    """Read `X,X,...`, finite numbers above zero."""
    return tuple(positive_real(part.strip()) for part in text.split(","))


def named_file(text: str) -> tuple[str, str]:
    """Read `NAME=FILE`.

    Raises:
        argparse.ArgumentTypeError: the text is something else.
    """
    name, _, file = text.partition("=")
    if not (name and file):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE; got '{text}'")
    return name, file


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaints are one sentence, raised like every other error; options are written in full."""

    def __init__(self, **options: Any) -> None:  # whatever argparse takes
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving.

        Raises:
            InputError: always.
        """
        raise InputError(f"{message} (see `{self.prog} --help`)")


def refuse_unbuilt(what: str, instead: str) -> NoReturn:
    """Say that an announced value is not built yet; it is never ignored.

    Raises:
        MissingFeatureError: always.
    """
    raise MissingFeatureError(f"{what} is not built yet; {instead}")
