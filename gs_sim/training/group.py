"""Several training processes, one per GPU, as `torchrun` starts them; alone it is a group of one."""

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


class ProcessGroup:
    """Rank and size of the group, and the mean of gradients over it. Use it in a `with` block."""

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self._local = int(os.environ.get("LOCAL_RANK", "0"))

    def __enter__(self) -> "ProcessGroup":
        if self.size > 1:
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return self

    def __exit__(self, *_: object) -> None:
        if self.size > 1:
            dist.destroy_process_group()

    def device(self, name: str) -> torch.device:
        """This process's device."""
        return torch.device(f"cuda:{self._local}") if name == "cuda" else torch.device(name)

    def average(self, gradients: Sequence[Tensor | None]) -> None:
        """Replace gradients by their mean over all processes."""
        if self.size == 1:
            return
        for gradient in gradients:
            if gradient is not None:
                dist.all_reduce(gradient)
                gradient.div_(self.size)
