"""Paths that messages name: only what lies inside a folder that whoever started the node has chosen."""

from pathlib import Path

from gs_sim.errors import InputError


def inside(folder: Path, named: str, what: str) -> Path:
    """The path that a message names, relative to a folder or absolute, a `file://` in front or not; links are followed.

    Raises:
        InputError: it lies outside of the folder, or is no path at all.
    """
    text, root = named.removeprefix("file://"), folder.expanduser().resolve()
    if not text.strip() or "://" in text:
        raise InputError(f"{what} '{named[:120]}' is no path; name one inside {root}")
    try:
        path = (root / text).resolve()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, links in a circle, a zero byte
        raise InputError(f"{what} '{named[:120]}' cannot be used as a path: {error}") from error
    if not path.is_relative_to(root):
        raise InputError(f"{what} '{named[:120]}' lies outside of {root}; only what is inside may be named")
    return path
