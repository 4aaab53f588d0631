"""Lets the tests of this folder share `small_drive`, which `--import-mode=importlib` would not find."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
