"""The node `reconstructor`: a bag or a live drive becomes a scene.

    python -m gs_sim.nodes.reconstructor --ros-args -p bag:=/path/to/bag

Action `~/reconstruct` (`gs_sim_msgs/action/Reconstruct`); one goal at a time, a second one is rejected.
Cancelling keeps nothing, unless the scene had been saved already. Scenes are shown on `~/scene_info`,
`~/centres`, `~/path`, `~/cameras` and `~/actors`.
"""

import sys
from functools import partial
from typing import Any

import rclpy
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse, ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup

from gs_sim.nodes.reconstructing.jobs import Client, ReconstructionJobs
from gs_sim.nodes.reconstructing.messages import feedback_message
from gs_sim.nodes.reconstructing.orders import order_at_start, order_from_goal
from gs_sim.nodes.reconstructing.settings import ReconstructorSettings
from gs_sim.nodes.reconstructing.whole_progress import Standing
from gs_sim.nodes.ros.diagnostics import Diagnostics
from gs_sim.nodes.ros.interfaces import Reconstruct
from gs_sim.nodes.ros.parameters import declare_settings
from gs_sim.nodes.ros.running import REFUSED, CoreNode, run_node
from gs_sim.nodes.ros.steady_clock import steady_clock


class Reconstructor(CoreNode):
    """Serves the action, and reconstructs the bag of its parameter at start."""

    def __init__(self) -> None:
        super().__init__("reconstructor")
        # parameters
        self._settings = declare_settings(self, ReconstructorSettings())

        # publishers
        self._jobs = ReconstructionJobs(self, self._settings)
        self._diagnostics = Diagnostics(self, "reconstructor", self._jobs.status)

        # action server
        self._long = ReentrantCallbackGroup()
        self._server = ActionServer(
            self,
            Reconstruct,
            "~/reconstruct",
            self._execute,
            callback_group=self._long,
            goal_callback=self._decide,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        if self._settings.bag and not self._jobs.claim():
            self._start = self.create_timer(0.0, self._reconstruct_at_start, self._long, steady_clock())

    # callbacks

    def _decide(self, _goal: Reconstruct.Goal) -> GoalResponse:
        """Reject while busy; whatever else is wrong with a goal, its result says in a sentence."""
        reason = self._jobs.claim()
        if not reason:
            return GoalResponse.ACCEPT
        self.get_logger().warning(f"a goal was rejected: {reason}")
        return GoalResponse.REJECT

    def _execute(self, handle: "ServerGoalHandle[Any, Any, Any]") -> Reconstruct.Result:
        client = Client(partial(self._feed_back, handle), lambda: handle.is_cancel_requested)
        outcome = self._jobs.carry_out(partial(order_from_goal, handle.request, self._settings), client)
        if not self.context.ok():
            pass  # nobody is there to hear
        elif outcome.state == "succeeded":
            handle.succeed()
        elif outcome.state == "canceled" and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return outcome.result

    def _feed_back(self, handle: "ServerGoalHandle[Any, Any, Any]", standing: Standing) -> None:
        if self.context.ok():
            handle.publish_feedback(feedback_message(standing))

    def _reconstruct_at_start(self) -> None:
        self.destroy_timer(self._start)
        outcome = self._jobs.carry_out(partial(order_at_start, self._settings), Client())
        if self._settings.exit_when_done and self.context.ok():
            self.exit_code = 0 if outcome.state == "succeeded" else REFUSED
            rclpy.try_shutdown()

    def close(self) -> None:
        """Stop what is running."""
        self._jobs.close()


def main() -> int:
    """Run the node."""
    return run_node(Reconstructor, __doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
