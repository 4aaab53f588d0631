"""A test harness for any simulator that speaks `simulation_interfaces`: one method for each wish.

Waits for answers by spinning its node, so call it from the thread that owns the node.
"""

import re
from typing import Any

from geometry_msgs.msg import PoseStamped
from jaxtyping import Float64
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from torch import Tensor

from gs_sim.errors import InputError, MissingFeatureError
from gs_sim.nodes.ros.conversions import header_message, pose_message
from gs_sim.sources.messages.header import stamp_ns
from gs_sim.sources.messages.pose import pose_from_message

try:
    from simulation_interfaces import srv
    from simulation_interfaces.msg import EntityState, Resource, Result, SimulationState
except ImportError as error:
    raise MissingFeatureError(
        f"simulation_interfaces 2.x is not installed ({error}); a simulator cannot be driven without it: install "
        "ros-$ROS_DISTRO-simulation-interfaces"
    ) from error

FLAGS = {"set_pose", "set_twist", "set_acceleration"}
SETS_ALL = dict.fromkeys(FLAGS & set(srv.SetEntityState.Request.get_fields_and_field_types()), True)
"""Which parts of a state are meant, said since version 2.1; before, all were."""


class HarnessError(InputError):
    """The simulator refused a wish or did not answer."""


class Harness:
    """Clients of the services that a closed-loop test needs."""

    def __init__(self, node: Node, timeout_s: float) -> None:
        self.node, self._timeout_s = node, timeout_s
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._clients: dict[str, Any] = {}

    def call(self, kind: str, *fine: int, **fields: Any) -> Any:
        """Call a service by the name of its type, such as `StepSimulation`.

        Args:
            kind: the type; the service has the same name in lower snake case.
            *fine: codes that are as good as RESULT_OK.
            **fields: of the request.

        Raises:
            HarnessError: nobody offers it, it did not answer in time, or it refused.
        """
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", kind).lower()
        if kind not in self._clients:
            self._clients[kind] = self.node.create_client(getattr(srv, kind), name)
        client = self._clients[kind]
        if not client.wait_for_service(self._timeout_s):
            raise HarnessError(f"nobody offers the service '{name}'; start sensor_sim with publish_clock:=true")
        future = client.call_async(getattr(srv, kind).Request(**fields))
        self._executor.spin_until_future_complete(future, self._timeout_s)
        if not future.done():
            raise HarnessError(f"the service '{name}' did not answer within {self._timeout_s:g} s")
        answer = future.result()
        if answer.result.result not in {Result.RESULT_OK, *fine}:
            raise HarnessError(f"{name}: {answer.result.error_message}")
        return answer

    def wait(self, seconds: float) -> None:
        """Let messages come in."""
        self._executor.spin_once(timeout_sec=seconds)

    def pause(self) -> None:
        """Have the simulation paused, so that it can be stepped."""
        codes = srv.SetSimulationState.Response
        state = SimulationState(state=SimulationState.STATE_PAUSED)
        self.call("SetSimulationState", codes.ALREADY_IN_TARGET_STATE, state=state)

    def reset(self) -> None:
        """Set everything back to the start."""
        self.call("ResetSimulation")

    def step(self, num_steps: int) -> None:
        """Simulate so many steps."""
        self.call("StepSimulation", steps=num_steps)

    def entities(self) -> list[str]:
        """All there are, those that are not there at this moment included."""
        return list(self.call("GetEntities").entities)

    def pose(self, entity: str) -> tuple[int, Float64[Tensor, "4 4"]]:
        """The time in nanoseconds, and `map_from_box`."""
        state = self.call("GetEntityState", entity=entity).state
        return stamp_ns(state.header), pose_from_message(state.pose)

    def size_m(self, entity: str) -> tuple[float, float, float]:
        """Length, width and height of its box."""
        far, near = self.call("GetEntityBounds", entity=entity).bounds.points[:2]
        return abs(far.x - near.x), abs(far.y - near.y), abs(far.z - near.z)

    def spawn(self, name: str, uri: str, frame: str, frame_from_box: Float64[Tensor, "4 4"]) -> None:
        """Put something into the world."""
        pose = PoseStamped(header=header_message(frame, 0), pose=pose_message(frame_from_box))
        self.call("SpawnEntity", name=name, entity_resource=Resource(uri=uri), initial_pose=pose)

    def place(self, entity: str, frame: str, frame_from_box: Float64[Tensor, "4 4"]) -> None:
        """Put an entity somewhere else; it stands there."""
        state = EntityState(header=header_message(frame, 0), pose=pose_message(frame_from_box))
        self.call("SetEntityState", entity=entity, state=state, **SETS_ALL)

    def delete(self, entity: str) -> None:
        """Take something out of the world."""
        self.call("DeleteEntity", entity=entity)

    def close(self) -> None:
        """Let go of the node."""
        self._executor.shutdown()
