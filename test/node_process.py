"""A node as its users start it: a process of its own, with parameters, in a process group that can be interrupted."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class NodeProcess:
    """A node in a process group of its own, as a shell starts it; a context manager that leaves nothing behind."""

    def __init__(self, kind: str, log: Path, parameters: Mapping[str, object], *arguments: str) -> None:
        """Start `gs_sim.nodes.<kind>`; what it says goes into the file `log`, `arguments` are ROS arguments."""
        self.kind, self.log = kind, log
        given = [word for key, value in parameters.items() for word in ("-p", f"{key}:={as_yaml(value)}")]
        command = [sys.executable, "-m", f"gs_sim.nodes.{kind}", "--ros-args", *given, *arguments]
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent, start_new_session=True)

    def __enter__(self) -> "NodeProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def text(self) -> str:
        """All that the node has said."""
        return self.log.read_text(encoding="utf-8")

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Wait until the node has said something."""

        def is_said() -> bool:
            assert text in self.text() or self.is_alive(), f"the node left without saying '{text}': {self.text()}"
            return text in self.text()

        wait_until(is_said, f"the node says '{text}'", timeout_s)

    def children(self) -> list[int]:
        """Processes that it has spawned to work for it."""
        command = ["pgrep", "-f", "-P", str(self.process.pid), "spawn_main"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return [int(line) for line in found.stdout.split()]

    def rss_mb(self) -> float:
        """Memory that the process holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def send(self, number: signal.Signals) -> None:
        """Ctrl-C reaches the whole process group, any other signal the node alone."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def interrupt(self, number: signal.Signals, timeout_s: float = 20.0) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.send(number)
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """Kill the node and all its processes, if there are any."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def as_yaml(value: object) -> str:
    """A parameter's value as the command line of ROS reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_running(process_id: int) -> bool:
    """Whether a process exists and is no zombie."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Wait for a condition, and say what was waited for in vain."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def wait_for(future: Any, timeout_s: float = 60.0) -> Any:
    """The result of a future, which another thread's executor brings."""
    is_done = threading.Event()
    future.add_done_callback(lambda _: is_done.set())
    assert is_done.wait(timeout_s), "no answer"
    return future.result()
