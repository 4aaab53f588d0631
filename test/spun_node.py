"""A node of the test's own, in a context of its own, that a thread spins."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


@contextmanager
def spun_node(name: str, domain_id: int) -> Iterator[Node]:
    """A node whose callbacks and futures a thread serves until the context ends, so that a test may simply wait."""
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = rclpy.create_node(name, context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin, name=name, daemon=True)
    thread.start()
    yield node
    # Nothing is taken from under a thread that still waits for it: rclpy then crashes now and then.
    over.set()
    thread.join()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
