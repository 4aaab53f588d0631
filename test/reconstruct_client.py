"""Goals for a reconstructor in another process, and what comes back."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from node_process import wait_for, wait_until

if TYPE_CHECKING:
    from rclpy.node import Node

SUCCEEDED, CANCELED, ABORTED = 4, 5, 6
"""As in `action_msgs/GoalStatus`."""


@dataclass
class Goal:
    """A goal on its way."""

    handle: Any
    feedback: list[Any] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)

    def wait_for_stage(self, stage: str) -> None:
        wait_until(lambda: any(heard.stage == stage for heard in self.feedback), f"feedback of stage {stage}")

    def cancel(self) -> float:
        """Cancel, and return how long that took."""
        start_s = time.monotonic()
        wait_for(self.handle.cancel_goal_async())
        status, result = self.result()
        assert (status, result.success) == (CANCELED, False)
        assert "stopped" in result.message
        return time.monotonic() - start_s

    def result(self) -> tuple[int, Any]:
        answer = wait_for(self.handle.get_result_async())
        return answer.status, answer.result


class Client:
    """Sends goals from the test's own node."""

    def __init__(self, node: "Node", server: str) -> None:
        from rclpy.action.client import ActionClient

        from gs_sim_msgs.action import Reconstruct

        self._goal_type = Reconstruct.Goal
        self._client: Any = ActionClient(node, Reconstruct, f"/{server}/reconstruct")
        assert self._client.wait_for_server(30.0)

    def send(self, **fields: Any) -> Goal:
        goal = Goal(None)

        def hear(message: Any) -> None:
            goal.feedback.append(message.feedback)
            goal.times_s.append(time.monotonic())

        goal.handle = wait_for(self._client.send_goal_async(self._goal_type(**fields), feedback_callback=hear))
        return goal

    def close(self) -> None:
        self._client.destroy()
