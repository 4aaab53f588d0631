"""The training loop around one network: checkpoints, curves, several processes. Ends and resumes at any iteration."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from gs_sim.errors import StorageError
from gs_sim.scene.tensor_file import save_tensors
from gs_sim.training.group import ProcessGroup
from gs_sim.training.learning_rate import learning_rate_at

CURVES = "curves.csv"
CHECKPOINT = "checkpoint.safetensors"
LARGEST_GRADIENT = 1.0
"""Gradients are scaled down to this norm."""


Network = TypeVar("Network", bound=nn.Module)


class Trainer(Generic[Network]):
    """Owns the optimiser and the averaged weights of a network.

    Every random choice of an iteration comes from a generator of its own, so weights, Adam's moments, averages and two
    counters are all that going on needs.
    """

    def __init__(self, networks: Network, learning_rate: float, averaging: float, group: ProcessGroup) -> None:
        self.networks, self._rate, self._averaging, self._group = networks, learning_rate, averaging, group
        self._names = [name for name, _ in networks.named_parameters()]
        self._parameters = list(networks.parameters())
        self._optimiser = torch.optim.Adam(self._parameters, lr=learning_rate, betas=(0.9, 0.99))
        self.averaged = {name: p.detach().clone() for name, p in networks.named_parameters()}
        self.iteration = 0
        """Iterations done."""
        self._updates = 0

    def update(self, done: float) -> None:
        """One step of Adam with the gradients in place, averaged over processes; a gradient that is not finite is left out."""
        self._group.average([p.grad for p in self._parameters])
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, LARGEST_GRADIENT)
        self._updates += 1
        if bool(norm.isfinite()):
            self._optimiser.param_groups[0]["lr"] = self._rate * learning_rate_at(done, self._updates)
            self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=False)
        follow = 1 - min(self._averaging, (1 + self._updates) / (10 + self._updates))
        with torch.no_grad():
            for name, p in zip(self._names, self._parameters, strict=True):
                self.averaged[name].lerp_(p, follow)

    def save(self, folder: Path) -> None:
        """Write all that going on needs, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        tensors: dict[str, Tensor] = {}
        for name, p in zip(self._names, self._parameters, strict=True):
            tensors[f"weight/{name}"], tensors[f"average/{name}"] = p.detach(), self.averaged[name]
            for moment in ("exp_avg", "exp_avg_sq"):
                state = self._optimiser.state.get(p, {})
                tensors[f"{moment}/{name}"] = state.get(moment, torch.zeros_like(p.detach()))
        facts = {"iteration": str(self.iteration), "updates": str(self._updates)}
        save_tensors(tensors, folder / CHECKPOINT, facts, "the checkpoint")

    def resume(self, folder: Path) -> bool:
        """Go on from the folder's checkpoint; False if there is none.

        Raises:
            StorageError: it is damaged or of another network.
        """
        path = folder / CHECKPOINT
        if not path.exists():
            return False
        try:
            with safe_open(path, framework="pt") as file:
                facts = file.metadata()
                self.iteration, self._updates = int(facts["iteration"]), int(facts["updates"])
                for name, p in zip(self._names, self._parameters, strict=True):
                    self._restore(name, p, file.get_tensor)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise StorageError(
                f"{path} is no checkpoint of this network ({error}); train into another folder"
            ) from None
        return True

    def _restore(self, name: str, p: nn.Parameter, read: Callable[[str], Tensor]) -> None:
        with torch.no_grad():
            p.copy_(read(f"weight/{name}"))
            self.averaged[name].copy_(read(f"average/{name}"))
        moments = {key: read(f"{key}/{name}").to(p.device) for key in ("exp_avg", "exp_avg_sq")}
        if self._updates:
            self._optimiser.state[p] = {"step": torch.tensor(float(self._updates)), **moments}


class Curves:
    """What became of each iteration: a CSV file, and TensorBoard where it is installed."""

    def __init__(self, folder: Path, row_type: type) -> None:
        self._columns = [field.name for field in fields(row_type)]
        self._path = folder / CURVES
        self._board = _board(folder)
        if not self._path.exists():
            self._append(self._columns)

    @property
    def has_board(self) -> bool:
        """Whether TensorBoard hears too."""
        return self._board is not None

    def add(self, row: object) -> None:
        """Append one iteration, which must be an instance of the row type."""
        values = asdict(row)  # type: ignore[call-overload]  # a dataclass by contract
        self._append([values[column] for column in self._columns])
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, values["iteration"])

    def _append(self, cells: Sequence[object]) -> None:
        try:
            with self._path.open("a", newline="") as file:
                csv.writer(file).writerow(cells)
        except OSError as error:
            raise StorageError(f"the curves cannot be written to {self._path}: {error}") from None


def _board(folder: Path) -> Any:  # a SummaryWriter, if TensorBoard is installed
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
