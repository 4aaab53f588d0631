"""Network weights on disk: safetensors, with the sizes of the networks in the metadata."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

import gs_sim
from gs_sim.config import override
from gs_sim.errors import GsSimError, StorageError
from gs_sim.reconstruction.g3r.networks import G3RNetworks, NetworkSettings
from gs_sim.scene.tensor_file import save_tensors

FORMAT = "gs_sim.g3r.1"
SHIPPED = Path("g3r") / "weights.safetensors"


def shipped_weights() -> Path:
    """The weights that came with gs_sim: in `models/` of a checkout, or where an installation shares its files.

    Raises:
        StorageError: neither has them.
    """
    package = Path(gs_sim.__file__).resolve().parent
    installed = [prefix / "share" / "gs_sim" / "models" for prefix in package.parents[3:4]]
    folders = [package.parent / "models", *installed]
    for folder in folders:
        if (folder / SHIPPED).is_file():
            return folder / SHIPPED
    raise StorageError(f"this installation of gs_sim has no G3R weights (looked in {' and '.join(map(str, folders))})")


def save_networks(networks: G3RNetworks, path: Path, facts: dict[str, str] | None = None) -> None:
    """Write the weights whole or not at all.

    Args:
        networks: their parameters are saved as float32.
        path: a `.safetensors` file; replaced if it exists.
        facts: further metadata, such as where the weights come from.

    Raises:
        StorageError: the file cannot be written.
    """
    metadata = {**(facts or {}), "format": FORMAT, "settings": json.dumps(asdict(networks.settings))}
    save_tensors(networks.state_dict(), path, metadata, "the weights")


def load_networks(path: Path) -> G3RNetworks:
    """Read networks, ready to refine.

    Raises:
        StorageError: there is no such file, it is damaged, or not made of finite weights of the sizes it names.
    """
    if not path.is_file():
        raise StorageError(f"there are no weights at {path}; give a safetensors file made by `gs-sim train g3r`")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{path} is no readable safetensors file: {error}") from None
    if metadata.get("format") != FORMAT:
        raise StorageError(f"{path} holds no G3R weights: its format is {metadata.get('format')!r}, not {FORMAT!r}")
    try:
        settings = override(NetworkSettings(), json.loads(metadata["settings"]), str(path))
    except (KeyError, ValueError, GsSimError) as error:
        raise StorageError(f"{path} does not say its networks' sizes: {error}") from None
    networks = G3RNetworks(settings, torch.Generator().manual_seed(0))
    _check_tensors(networks.state_dict(), tensors, path)
    networks.load_state_dict(tensors)
    return networks.eval().requires_grad_(False)


def _check_tensors(wanted: dict[str, Tensor], found: dict[str, Tensor], path: Path) -> None:
    missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or unknown:
        raise StorageError(
            f"{path} does not fit the networks it names: missing {', '.join(missing) or 'nothing'}, "
            f"unknown {', '.join(unknown) or 'nothing'}"
        )
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            expected, got = tuple(wanted[name].shape), tuple(tensor.shape)
            raise StorageError(f"{path}: '{name}' must have shape {expected}, got {got}")
        if not bool(tensor.isfinite().all()):
            raise StorageError(f"{path}: '{name}' has weights that are not finite numbers")
