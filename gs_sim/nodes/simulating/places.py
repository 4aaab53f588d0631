"""Poses of messages in the world of the scene, whichever frame they are given in, and back."""

from typing import Any

from jaxtyping import Float64
from torch import Tensor

from gs_sim.geometry.pose import inverse
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.vehicle_pose import Frames
from gs_sim.simulation.entity import still
from gs_sim.simulation.world import EGO, check_motion
from gs_sim.sources.messages.pose import pose_from_message


class Places:
    """Knows the fixed frame, the vehicle's, those of all entities, and what tf knows; call it under the host's lock."""

    def __init__(self, host: SimulationHost, frames: Frames) -> None:
        self._host, self._frames = host, frames

    def world_from_frame(self, frame: str, at_ns: int) -> Float64[Tensor, "4 4"]:
        """Where a frame is: empty, `world` and the fixed frame are where the scene is, an entity's name is that entity.

        Raises:
            RefusedError: there is no world, or the entity is not there now.
            FrameLinkError: nobody knows the frame.
            OutsideTrajectoryError: tf does not know it at this moment.
        """
        world = self._host.simulator.world
        world_from_map = inverse(world.scene.map_from_world)
        if frame in {"", "world", self._frames.fixed}:
            return world_from_map
        name = EGO if frame == self._frames.base else frame
        if name in world.entities:
            return world.motion_of(name, at_ns).world_from_box
        return world_from_map @ self._frames.fixed_from(frame, at_ns)

    def world_from(self, pose: Any, frame: str, at_ns: int) -> Float64[Tensor, "4 4"]:
        """The pose of a message in the world.

        Raises:
            MessageError: it is not finite, or no rotation.
            RefusedError: it is absurdly far away.
            InputError: as `world_from_frame`.
        """
        world_from_thing = self.world_from_frame(frame, at_ns) @ pose_from_message(pose)
        check_motion(still(at_ns, world_from_thing))
        return world_from_thing
