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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        _set_up_logging(arguments.verbose)
        # Only the chosen command is imported: torch and numba take seconds, --help should not.
        module = importlib.import_module(f"gs_sim.cli.{arguments.command}_command")
        code: int = module.run(arguments)
        sys.stdout.flush()
    except SystemExit as leaving:  # argparse after --help and --version
        return leaving.code if isinstance(leaving.code, int) else 0
    except KeyboardInterrupt:
        return _stop("stopped by Ctrl-C; nothing half-written was left behind", INTERRUPTED)
    except GsSimError as error:
        return _stop(str(error), REFUSED)
    except BrokenPipeError:
        # The reader of our output has left (`gs-sim ... | head`): leave quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _stop(f"the system refused to read or write{where}: {error.strerror or error}", REFUSED)
    except MemoryError:
        return _stop("there is not enough memory; choose a smaller --width or fewer --max-gaussians", REFUSED)
    else:
        return code


def _stop(sentence: str, code: int) -> int:
    print(f"gs-sim: {' '.join(sentence.split())}", file=sys.stderr)
    return code


def _set_up_logging(verbosity: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("gs_sim").setLevel(level)


if __name__ == "__main__":
    sys.exit(main())
