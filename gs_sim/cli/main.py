"""Entry point of `gs-sim`: parse, run one command, and turn what goes wrong into one sentence.

Exit codes: 0 done, 2 refused with a sentence on stderr, 130 stopped by Ctrl-C.
"""

import importlib
import logging
import os
import sys
from collections.abc import Sequence

from gs_sim.cli.parser import build_parser
from gs_sim.errors import GsSimError

REFUSED = 2
INTERRUPTED = 130
SIGNED_OPTIONS = ("--at", "--offset")
"""Options whose value may begin with a minus, which argparse would take for another option."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except SystemExit as leaving:  # argparse after --help and --version
        return leaving.code if isinstance(leaving.code, int) else 0
    except BrokenPipeError:
        # The reader of our output has left (`gs-sim ... | head`): leave quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (GsSimError, OSError, MemoryError, KeyboardInterrupt) as error:
        print(f"gs-sim: {' '.join(_sentence(error).split())}", file=sys.stderr)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else REFUSED


def _run(argv: Sequence[str]) -> int:
    arguments = build_parser().parse_args(_with_signed_values(argv))
    _set_up_logging(arguments.verbose)
    # Only the chosen command is imported: torch and numba take seconds, --help should not.
    module = importlib.import_module(f"gs_sim.cli.{arguments.command}_command")
    code: int = module.run(arguments)
    sys.stdout.flush()
    return code


def _with_signed_values(argv: Sequence[str]) -> list[str]:
    """Write `--offset -1,0,0,0` as `--offset=-1,0,0,0`."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in SIGNED_OPTIONS:
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined


def _sentence(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C; nothing half-written was left behind"
    if isinstance(error, MemoryError):
        return "there is not enough memory; choose a smaller --width or fewer --max-gaussians"
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return f"the system refused to read or write{where}: {error.strerror or error}"
    return str(error)


def _set_up_logging(verbosity: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("gs_sim").setLevel(level)


if __name__ == "__main__":
    sys.exit(main())
