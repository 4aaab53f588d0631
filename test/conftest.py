"""What every test has at hand, and how annotations are checked while tests run."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


class CompiledModulesAsTheyAre(MetaPathFinder):
    """Keeps jaxtyping's import hook away from modules of numba kernels, which it would make uncompilable.

    The hook (`--jaxtyping-packages` in setup.cfg) wraps each function from the inside, where
    numba expects plain source.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find modules of gs_sim that compile kernels in the ordinary way; leave all others to the hook."""
        if not fullname.startswith("gs_sim."):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None or "@numba." not in Path(spec.origin).read_text(encoding="utf-8"):
            return None
        return spec


sys.meta_path.insert(0, CompiledModulesAsTheyAre())


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real drives, which are no part of the repository; skips the test where they are not at hand."""
    folder = Path(os.environ.get("GS_SIM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; GS_SIM_TEST_DATA names its folder")
    return folder
