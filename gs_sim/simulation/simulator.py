"""Scene, vehicle and actors over time: reset, step, sense.

The state machine is that of `simulation_interfaces`: a world is loaded or not, and stopped, paused or playing.
Equal inputs give equal images, to the bit on the CPU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.geometry.camera import Camera
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.scene.scene import Scene
from gs_sim.simulation.schedule import Schedule
from gs_sim.simulation.sense import SensorImage, sense
from gs_sim.simulation.virtual_camera import VirtualCamera
from gs_sim.simulation.world import RefusedError, World

State = Literal["no_world", "stopped", "playing", "paused"]
Scope = Literal["time", "state", "spawned"]

EVERYTHING: frozenset[Scope] = frozenset({"time", "state", "spawned"})
FIRST_STAMP_NS = 0
"""Time before there is a world."""


@dataclass
class Simulator:
    """One world in motion. Not safe for several threads at once: its owner holds a lock."""

    step_ns: int
    is_tolerant: bool = False
    """Whether moments come from outside, with jitter, instead of by `step`."""
    state: State = "no_world"
    now_ns: int = FIRST_STAMP_NS
    num_steps: int = 0
    """Steps since the world was loaded, resets or not."""
    _world: World | None = None
    _cameras: tuple[VirtualCamera, ...] = ()
    _schedules: tuple[Schedule, ...] = ()

    @property
    def world(self) -> World:
        """The world.

        Raises:
            RefusedError: there is none.
        """
        if self._world is None:
            raise RefusedError("no_world", "no world is loaded; load one first (LoadWorld, or the parameter `scene`)")
        return self._world

    @property
    def cameras(self) -> tuple[VirtualCamera, ...]:
        """The virtual cameras of the vehicle."""
        return self._cameras

    def load(self, scene: Scene, cameras: Sequence[VirtualCamera]) -> None:
        """Take another world; it is stopped at the start of its drive."""
        self._world, self._cameras = World(scene), tuple(cameras)
        self._schedules = tuple(Schedule(c.rate_hz, is_tolerant=self.is_tolerant) for c in cameras)
        self.state, self.now_ns, self.num_steps = "stopped", scene.world_from_rig.start_ns, 0

    def unload(self) -> None:
        """Have no world any more.

        Raises:
            RefusedError: there is none.
        """
        _ = self.world
        self._world, self._cameras, self._schedules = None, (), ()
        self.state = "no_world"

    def set_state(self, target: State) -> None:
        """Play, pause or stop; stopping resets everything.

        Raises:
            RefusedError: there is no world.
        """
        _ = self.world
        if target == "stopped":
            self.reset(EVERYTHING)
        self.state = target

    def reset(self, scopes: frozenset[Scope]) -> None:
        """Go back to the start, or a part of it: time, the state of what the scene has, or what was spawned.

        Raises:
            RefusedError: there is no world.
        """
        world = self.world
        if "spawned" in scopes:
            world.remove_spawned()
        if "state" in scopes:
            world.reset_state()
        if "time" in scopes:
            self.now_ns = world.scene.world_from_rig.start_ns
            for schedule in self._schedules:
                schedule.reset()

    def step(self) -> None:
        """Move time on by one step; who can be seen where follows from it.

        Raises:
            RefusedError: there is no world.
        """
        _ = self.world
        self.now_ns += self.step_ns
        self.num_steps += 1

    def due_cameras(self, stamp_ns: int) -> tuple[VirtualCamera, ...]:
        """The cameras that look at this moment; ask once for each."""
        return tuple(
            camera for camera, schedule in zip(self._cameras, self._schedules, strict=True) if schedule.is_due(stamp_ns)
        )

    def sense(self, cameras: Sequence[VirtualCamera], stamp_ns: int) -> Iterator[SensorImage]:
        """What these cameras of the vehicle see at a moment, one after the other.

        Raises:
            RefusedError: there is no world.
        """
        world = self.world
        return sense(world.gaussians_at(stamp_ns), cameras, world.ego_pose(stamp_ns), stamp_ns)

    def look(self, camera: Camera, world_from_camera: Float64[Tensor, "4 4"], stamp_ns: int) -> SensorImage:
        """What any camera at any pose sees at a moment.

        Raises:
            RefusedError: there is no world.
        """
        loose = VirtualCamera("view", camera, torch.eye(4, dtype=torch.float64))
        return next(sense(self.world.gaussians_at(stamp_ns), [loose], world_from_camera, stamp_ns))

    @property
    def logged_path(self) -> Trajectory:
        """The path of the drive.

        Raises:
            RefusedError: there is no world.
        """
        return self.world.scene.world_from_rig
