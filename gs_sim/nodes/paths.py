"""Paths that messages name: only what lies inside a folder that whoever started the node has chosen."""

from pathlib import Path

from gs_sim.errors import InputError


def inside(folder: Path, named: str, what: str) -> Path:
    """The path that a message names, relative to a folder or absolute, a `file://` in front or not; links are followed.

    Raises:
        InputError: it lies outside of the folder, or is no path at all.
    """
    text = named.removeprefix("file://")
    if not text.strip() or "\0" in text or "://" in text or len(text) > 4096:
        raise InputError(f"'{named[:120]}' is no path of a {what}; name one inside {folder}")
    root = folder.resolve()
    try:
        path = (root / text).resolve()
    except (OSError, RuntimeError) as error:
        raise InputError(f"'{named[:120]}' is no usable path of a {what} ({error})") from error
    if path != root and root not in path.parents:
        raise InputError(f"'{named[:120]}' lies outside of {root}, the only folder a {what} may be named in")
    return path
