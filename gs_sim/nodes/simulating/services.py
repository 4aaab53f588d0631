"""`simulation_interfaces` 2.x: the services and the action by which test harnesses drive any simulator.

Importing this module fails where that package is missing or older; the node then runs without. Which
features are offered depends on whether this node owns time. Names are those that Isaac Sim and O3DE use.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.node import Node
from simulation_interfaces.action import SimulateSteps
from simulation_interfaces.msg import Result, SimulationState, SimulatorFeatures
from simulation_interfaces.srv import (
    GetSimulationState,
    GetSimulatorFeatures,
    ResetSimulation,
    SetSimulationState,
    StepSimulation,
)

from gs_sim.errors import GsSimError
from gs_sim.nodes.simulating.entity_services import ENTITY_FEATURES, EntityServices
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.places import Places
from gs_sim.nodes.simulating.results import answering, done, failed
from gs_sim.nodes.simulating.world_services import WORLD_FEATURES, WorldServices
from gs_sim.simulation.simulator import EVERYTHING, Scope, State

STATES: dict[int, State] = {
    SimulationState.STATE_STOPPED: "stopped",
    SimulationState.STATE_PLAYING: "playing",
    SimulationState.STATE_PAUSED: "paused",
}
STATE_NUMBERS = {name: number for number, name in STATES.items()} | {"no_world": SimulationState.STATE_NO_WORLD}

SCOPES: dict[int, Scope] = {
    ResetSimulation.Request.SCOPE_TIME: "time",
    ResetSimulation.Request.SCOPE_STATE: "state",
    ResetSimulation.Request.SCOPE_SPAWNED: "spawned",
}
TIME_FEATURES = [
    SimulatorFeatures.SIMULATION_RESET_TIME,
    SimulatorFeatures.SIMULATION_STATE_SETTING,
    SimulatorFeatures.SIMULATION_STATE_PAUSE,
    SimulatorFeatures.STEP_SIMULATION_SINGLE,
    SimulatorFeatures.STEP_SIMULATION_MULTIPLE,
    SimulatorFeatures.STEP_SIMULATION_ACTION,
]
STATE_FEATURES = [
    SimulatorFeatures.SIMULATION_RESET,
    SimulatorFeatures.SIMULATION_RESET_STATE,
    SimulatorFeatures.SIMULATION_RESET_SPAWNED,
    SimulatorFeatures.SIMULATION_STATE_GETTING,
]
MAX_STEPS = 10_000_000
NOT_OURS = "time is not this node's to decide: start it with the parameter publish_clock:=true"


class SimulationServices:
    """State, steps and resets; entities and worlds have classes of their own."""

    def __init__(self, node: Node, host: SimulationHost, places: Places, quit_node: Callable[[], None]) -> None:
        self._host, self._quit = host, quit_node
        self._num_stepping = 0
        self._group: CallbackGroup = ReentrantCallbackGroup()
        for kind, name, answer in (
            (GetSimulatorFeatures, "get_simulator_features", self._features),
            (GetSimulationState, "get_simulation_state", answering(self._get_state)),
            (SetSimulationState, "set_simulation_state", answering(self._set_state)),
            (ResetSimulation, "reset_simulation", answering(self._reset)),
            (StepSimulation, "step_simulation", answering(self._step)),
        ):
            node.create_service(kind, name, answer, callback_group=self._group)
        self._action = ActionServer(
            node,
            SimulateSteps,
            "simulate_steps",
            self._simulate_steps,
            goal_callback=lambda _: GoalResponse.ACCEPT,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=self._group,
        )
        EntityServices(node, host, places, self._group)
        WorldServices(node, host, self._group)

    def close(self) -> None:
        """End the action server."""
        self._action.destroy()

    def _features(self, _: Any, response: Any) -> Any:
        features = [*ENTITY_FEATURES, *WORLD_FEATURES, *STATE_FEATURES]
        if self._host.settings.publish_clock:
            features += TIME_FEATURES
        response.features.features = sorted(features)
        response.features.spawn_formats = ["ply"]
        response.features.custom_info = (
            "gs_sim: camera images of a reconstructed drive; spawn actor:<id> or asset:<file> as get_spawnables lists "
            "them; an entity's pose is that of the centre of its box"
        )
        return response

    def _get_state(self, _: Any, response: Any) -> None:
        response.state.state = STATE_NUMBERS[self._host.simulator.state]
        done(response)

    def _set_state(self, request: Any, response: Any) -> None:
        codes, simulator = SetSimulationState.Response, self._host.simulator
        wanted = request.state.state
        if wanted == SimulationState.STATE_QUITTING:
            done(response)
            self._quit()
        elif wanted not in STATES:
            failed(response, codes.INCORRECT_TRANSITION, f"{wanted} is no state that can be asked for")
        elif not self._host.settings.publish_clock:
            failed(response, Result.RESULT_FEATURE_UNSUPPORTED, NOT_OURS)
        elif simulator.state == STATES[wanted] and not self._num_stepping:
            failed(response, codes.ALREADY_IN_TARGET_STATE, f"the simulation is {simulator.state} already")
        else:
            self._host.reset(lambda: simulator.set_state(STATES[wanted]))
            done(response)

    def _reset(self, request: Any, response: Any) -> None:
        scopes = frozenset(scope for bit, scope in SCOPES.items() if request.scope & bit)
        if request.scope == ResetSimulation.Request.SCOPE_DEFAULT:
            scopes = EVERYTHING
        if "time" in scopes and not self._host.settings.publish_clock:
            if (
                request.scope & ResetSimulation.Request.SCOPE_TIME
                and request.scope != ResetSimulation.Request.SCOPE_ALL
            ):
                failed(response, Result.RESULT_FEATURE_UNSUPPORTED, NOT_OURS)
                return
            scopes -= {"time"}
        self._host.reset(lambda: self._host.simulator.reset(scopes))
        done(response)

    def _step(self, request: Any, response: Any) -> None:
        if not self._may_step(request.steps, response):
            return
        with self._counted():
            for _ in self._host.steps(request.steps):
                pass
        done(response)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """While steps are taken, pausing is a way to end them and no idle wish."""
        self._num_stepping += 1
        try:
            yield
        finally:
            self._num_stepping -= 1

    def _may_step(self, num_steps: int, answer: Any) -> bool:
        """Whether steps can be taken from outside; the answer says why not."""
        simulator = self._host.simulator
        if not self._host.settings.publish_clock:
            failed(answer, Result.RESULT_FEATURE_UNSUPPORTED, NOT_OURS)
        elif simulator.state != "paused":
            failed(answer, Result.RESULT_OPERATION_FAILED, f"the simulation is {simulator.state}; pause it to step")
        elif not 1 <= num_steps <= MAX_STEPS:
            failed(answer, Result.RESULT_OPERATION_FAILED, f"steps must be 1 to {MAX_STEPS}, got {num_steps}")
        else:
            return True
        return False

    def _simulate_steps(self, goal: Any) -> Any:
        result, num_steps = SimulateSteps.Result(), goal.request.steps
        if not self._may_step(num_steps, result):
            goal.abort()
            return result
        number = 0
        try:
            with self._counted():
                for number in self._host.steps(num_steps):
                    left = num_steps - number
                    goal.publish_feedback(SimulateSteps.Feedback(completed_steps=number, remaining_steps=left))
                    if goal.is_cancel_requested:
                        failed(result, Result.RESULT_OPERATION_FAILED, f"cancelled after {number} of {num_steps} steps")
                        goal.canceled()
                        return result
        except GsSimError as error:
            failed(result, Result.RESULT_OPERATION_FAILED, f"step {number + 1} of {num_steps}: {error}")
            goal.abort()
            return result
        done(result)
        goal.succeed()
        return result
