"""How a node process lives: start, spin, and leave with rc 0 on Ctrl-C and SIGTERM, no thread behind it."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.exceptions import InvalidHandle
from rclpy.executors import MultiThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from gs_sim.errors import GsSimError
from gs_sim.nodes.ros.guard import guarded

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

REFUSED = 2
NUM_THREADS = 4
"""One for a long service, one for the action that may be beside it, the rest for topics and parameters."""

LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


class CoreNode(Node):
    """A node with things to end before it goes: worker threads, processes, open files."""

    exit_code = 0

    def create_publisher(self, *args: Any, **options: Any) -> Any:
        """As `Node.create_publisher`, without handlers of QoS events.

        Each handler is looked at whenever anything happens: with all of them, the executor took half a core
        at 15 poses per second. Subscribers still warn about QoS that does not fit.
        """
        options.setdefault("event_callbacks", PublisherEventCallbacks(use_default_callbacks=False))
        return super().create_publisher(*args, **options)

    def create_subscription(self, *args: Any, **options: Any) -> Any:
        """As `Node.create_subscription`, without handlers of QoS events: `Inputs` asks for what is offered."""
        options.setdefault("event_callbacks", SubscriptionEventCallbacks(use_default_callbacks=False))
        return super().create_subscription(*args, **options)

    def start(self) -> None:
        """Start threads; called once, when everything is made and `close` is sure to be called."""

    def close(self) -> None:
        """End them; called once, from the main thread, when nothing is spun any more. Long callbacks must return soon."""


class ToRosLog(logging.Handler):
    """Passes what the core logs on to the log of a node."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record at its own level, with its traceback if it has one."""
        level = max((level for level in LEVELS if level <= record.levelno), default=logging.DEBUG)
        # rclpy remembers the level of each place that logs, so each level needs a place of its own
        log: dict[int, Callable[[str], Any]] = {
            logging.DEBUG: lambda text: self._logger.debug(text),  # noqa: PLW0108
            logging.INFO: lambda text: self._logger.info(text),  # noqa: PLW0108
            logging.WARNING: lambda text: self._logger.warning(text),  # noqa: PLW0108
            logging.ERROR: lambda text: self._logger.error(text),  # noqa: PLW0108
        }
        log[level](self.format(record))


def run_node(make: Callable[[], CoreNode], description: str) -> int:
    """Make a node, spin it until somebody says stop, and return the exit code.

    What the node refuses at its start is logged as one sentence, and the code is 2. `--help` shows the description.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.epilog = "Parameters: --ros-args -p NAME:=VALUE; `ros2 param describe` and docs/ros.md say what there are."
    try:
        parser.parse_args(remove_ros_args(sys.argv)[1:])
        rclpy.init()
    except RuntimeError as error:  # what rcl says of arguments it cannot use, on several lines
        get_logger("gs_sim").fatal(str(error).strip().splitlines()[0])
        return REFUSED
    try:
        return _live(make())
    except GsSimError as error:
        get_logger("gs_sim").fatal(" ".join(str(error).split()))
        return REFUSED
    except KeyboardInterrupt:
        return 0
    except RuntimeError:
        # SIGTERM while the node was being made: rclpy refuses to go on without its context
        if rclpy.ok():
            raise
        return 0
    finally:
        rclpy.try_shutdown()


def _live(node: CoreNode) -> int:
    executor = MultiThreadedExecutor(NUM_THREADS)
    handler = ToRosLog(node)
    core = logging.getLogger("gs_sim")
    core.addHandler(handler)
    is_detailed = node.get_logger().get_effective_level() <= logging.DEBUG  # ROS counts alike
    core.setLevel(logging.DEBUG if is_detailed else logging.INFO)
    executor.add_node(node)

    def spin() -> None:
        # a subscription that is destroyed while it is waited for: rclpy forgets its events, and looks again next time
        with contextlib.suppress(InvalidHandle):
            executor.spin_once()

    spin_once = guarded(spin)
    try:
        node.start()
        while rclpy.ok():
            spin_once()
    except KeyboardInterrupt:
        pass
    finally:
        node.close()
        executor.shutdown()
        core.removeHandler(handler)
        node.destroy_node()
    return node.exit_code
