"""Named tensors on disk: safetensors files, written whole or not at all."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from gs_sim.errors import StorageError


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str], what: str) -> None:
    """Write tensors, replacing a file that is there; what an interrupted write left is never taken for a file.

    Args:
        tensors: on any device.
        path: a `.safetensors` file; its folder is made.
        metadata: kept beside them.
        what: how an error calls them, such as "the weights".

    Raises:
        StorageError: the file cannot be written.
    """
    fresh = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        here = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(here, fresh, metadata=dict(metadata))
        fresh.replace(path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StorageError(f"{what} cannot be written to {path}: {error}") from None
