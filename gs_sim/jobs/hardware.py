"""The machine in words, its device, and the memory used: what stands beside every measured number."""

import importlib.util
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Literal

import torch

from gs_sim.errors import MissingFeatureError


def choose_device(wanted: str | None) -> Literal["cpu", "cuda"]:
    """`cpu` or `cuda`; `auto` (or None) is cuda where it and gsplat can be used.

    Raises:
        MissingFeatureError: cuda is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise MissingFeatureError(
            "device cuda needs a GPU that torch can use, and none was found; use device cpu or auto"
        )
    if wanted in {None, "auto"}:
        return "cuda" if has_cuda and importlib.util.find_spec("gsplat") is not None else "cpu"
    return "cuda" if wanted == "cuda" else "cpu"


def describe_hardware(device: str) -> str:
    """Processor, cores this process may use, and the GPU if it is the device."""
    text = f"{_processor_name()}, {_num_cores()} cores"
    return f"{torch.cuda.get_device_name()} with {text}" if device == "cuda" else text


def peak_memory_mb() -> int:
    """Largest resident size of this process so far, in megabytes (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
