"""A corner of the network for each process of a test run, and a node to talk from."""

import os
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rclpy.node import Node

NUM_DOMAINS = 100
"""Domains above 101 share their ports with what the system hands out."""


@pytest.fixture(scope="session")
def ros_domain_id() -> Iterator[int]:
    """The domain that this process and its children talk in: no worker of this test run has the same one."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    domain_id = 1 + (zlib.crc32(run.encode()) + worker) % NUM_DOMAINS
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain_id))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
        yield domain_id


@pytest.fixture
def ros_node(ros_domain_id: int) -> Iterator["Node"]:
    """A node in a context of its own, which a thread spins until the test is over.

    Callbacks and futures are served by that thread, so a test may simply wait. `ros_node.executor` takes more nodes.
    """
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from spun_node import spun_node

    with spun_node("test", ros_domain_id) as node:
        yield node
