"""The one place where any error is caught: a fault in one callback must not end a simulation of hours."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import rclpy

logger = logging.getLogger(__name__)

P = ParamSpec("P")


def guarded(function: Callable[P, object]) -> Callable[P, bool]:
    """The function with its errors logged, traceback included; it then returns False, otherwise True.

    What goes wrong because ROS was shut down meanwhile is not worth a line.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            function(*args, **kwargs)
        except Exception as error:
            if not rclpy.ok():
                return False  # ROS was shut down under it, which is no fault
            logger.exception("unexpected: %s", error)  # noqa: TRY401  # the message alone goes to /rosout
            return False
        return True

    return call
