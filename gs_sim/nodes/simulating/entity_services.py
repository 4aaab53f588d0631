"""Entities by `simulation_interfaces`: list, get, set, spawn, delete."""

from pathlib import Path
from typing import Any

import torch
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from simulation_interfaces import srv
from simulation_interfaces.msg import Bounds, EntityCategory, EntityState, Resource, Result, SimulatorFeatures
from simulation_interfaces.msg import Spawnable as SpawnableMessage

from gs_sim.errors import GsSimError, InputError
from gs_sim.nodes.ros.conversions import header_message, pose_message, vector_message
from gs_sim.nodes.simulating.entity_filters import category_of, matching
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.places import Places
from gs_sim.nodes.simulating.results import answering, done, failed
from gs_sim.simulation.entity import Entity, Motion, motion_at
from gs_sim.simulation.spawnables import load_spawnable, spawnables_of
from gs_sim.simulation.world import RefusedError, Spawn
from gs_sim.sources.messages.header import frame_id

ENTITY_FEATURES = [
    SimulatorFeatures.SPAWNING,
    SimulatorFeatures.DELETING,
    SimulatorFeatures.ENTITY_TAGS,
    SimulatorFeatures.ENTITY_BOUNDS,
    SimulatorFeatures.ENTITY_BOUNDS_BOX,
    SimulatorFeatures.ENTITY_CATEGORIES,
    SimulatorFeatures.ENTITY_STATE_GETTING,
    SimulatorFeatures.ENTITY_STATE_SETTING,
    SimulatorFeatures.ENTITY_INFO_GETTING,
    SimulatorFeatures.SPAWNABLES,
    # since 2.1
    *([SimulatorFeatures.SPAWNING_ENTITIES] if hasattr(srv, "SpawnEntities") else []),
]
SPAWN_CODES = {
    "name_taken": srv.SpawnEntity.Response.NAME_NOT_UNIQUE,
    "name_invalid": srv.SpawnEntity.Response.NAME_INVALID,
    "pose_invalid": srv.SpawnEntity.Response.INVALID_POSE,
}


class EntityServices:
    """One service for each verb; all work under the host's lock."""

    def __init__(self, node: Node, host: SimulationHost, places: Places, group: CallbackGroup) -> None:
        self._host, self._places = host, places
        set_codes = {"pose_invalid": srv.SetEntityState.Response.INVALID_POSE}
        services = [
            (srv.GetEntities, "get_entities", answering(self._list)),
            (srv.GetEntitiesStates, "get_entities_states", answering(self._list_states)),
            (srv.GetEntityState, "get_entity_state", answering(self._get)),
            (srv.GetEntityInfo, "get_entity_info", answering(self._info)),
            (srv.GetEntityBounds, "get_entity_bounds", answering(self._bounds)),
            (srv.SetEntityState, "set_entity_state", answering(self._set, set_codes)),
            (srv.SpawnEntity, "spawn_entity", answering(self._spawn, SPAWN_CODES)),
            (srv.DeleteEntity, "delete_entity", answering(self._delete)),
            (srv.GetSpawnables, "get_spawnables", answering(self._spawnables)),
        ]
        if hasattr(srv, "SpawnEntities"):  # since 2.1
            services.append((srv.SpawnEntities, "spawn_entities", answering(self._spawn_several)))
        for kind, name, answer in services:
            node.create_service(kind, name, answer, callback_group=group)

    def _list(self, request: Any, response: Any) -> None:
        with self._host.lock:
            response.entities = [entity.name for entity in self._matching(request.filters)]
        done(response)

    def _list_states(self, request: Any, response: Any) -> None:
        with self._host.lock:
            found = self._matching(request.filters)
            motions = [motion_at(entity, self._host.simulator.now_ns) for entity in found]
            present = [(entity, motion) for entity, motion in zip(found, motions, strict=True) if motion is not None]
            response.entities = [entity.name for entity, _ in present]
            response.states = [self._state_message(motion) for _, motion in present]
        done(response)

    def _get(self, request: Any, response: Any) -> None:
        with self._host.lock:
            simulator = self._host.simulator
            response.state = self._state_message(simulator.world.motion_of(request.entity, simulator.now_ns))
        done(response)

    def _info(self, request: Any, response: Any) -> None:
        with self._host.lock:
            entity = self._host.simulator.world.entity(request.entity)
        response.info.category = EntityCategory(category=category_of(entity))
        length_m, width_m, height_m = entity.size_m
        response.info.description = f"{entity.label} of {length_m:.2f} x {width_m:.2f} x {height_m:.2f} m"
        response.info.tags = [entity.label]
        done(response)

    def _bounds(self, request: Any, response: Any) -> None:
        with self._host.lock:
            entity = self._host.simulator.world.entity(request.entity)
        sides = list(zip(entity.centre_m, entity.size_m, strict=True))
        corners = [[middle + sign * size / 2 for middle, size in sides] for sign in (1, -1)]
        response.bounds = Bounds(type=Bounds.TYPE_BOX, points=[vector_message(corner) for corner in corners])
        done(response)

    def _set(self, request: Any, response: Any) -> None:
        with self._host.lock:
            simulator, state = self._host.simulator, request.state
            now_ns, world = simulator.now_ns, simulator.world
            world.entity(request.entity)
            frame = frame_id(state.header)
            # the flags came with 2.1; before, everything was set
            sets_pose, sets_twist = getattr(request, "set_pose", True), getattr(request, "set_twist", True)
            if sets_pose:
                world_from_box = self._pose(state.pose, frame)
                before = motion_at(world.entity(request.entity), now_ns)
            else:
                before = world.motion_of(request.entity, now_ns)
                world_from_box = before.world_from_box
            zero = torch.zeros(3, dtype=torch.float64)
            velocity, turn_rate = (before.velocity_mps, before.turn_rate_radps) if before else (zero, zero)
            if sets_twist:
                turn = self._places.world_from_frame(frame, now_ns)[:3, :3]
                linear, angular = state.twist.linear, state.twist.angular
                velocity = turn @ turn.new_tensor([linear.x, linear.y, linear.z])
                turn_rate = turn @ turn.new_tensor([angular.x, angular.y, angular.z])
            world.command(request.entity, Motion(now_ns, world_from_box, velocity, turn_rate))
        done(response)

    def _pose(self, pose: Any, frame: str) -> Any:  # a pose in the world
        try:
            return self._places.world_from(pose, frame, self._host.simulator.now_ns)
        except RefusedError:
            raise
        except InputError as error:
            raise RefusedError("pose_invalid", str(error)) from error

    def _spawn(self, request: Any, response: Any) -> None:
        codes, uri = srv.SpawnEntity.Response, request.entity_resource.uri
        if not uri:
            code = codes.UNSUPPORTED_FORMAT if request.entity_resource.resource_string else codes.NO_RESOURCE
            failed(response, code, "name what to spawn by its uri, as get_spawnables lists it; strings are not read")
            return
        with self._host.lock:
            world, now_ns = self._host.simulator.world, self._host.simulator.now_ns
            try:
                shape = load_spawnable(uri, world.scene, self._assets())
            except GsSimError as error:
                failed(response, codes.MISSING_ASSETS, str(error))
                return
            name = request.name or (shape.label if request.allow_renaming else "")
            name = world.free_name(name) if request.allow_renaming else name
            if name in {"world", self._host.settings.fixed_frame, self._host.settings.base_frame}:
                raise RefusedError("name_invalid", f"'{name}' is the name of a frame; choose another one")
            world_from_box = self._pose(request.initial_pose.pose, frame_id(request.initial_pose.header))
            world.spawn(Spawn(name, shape.label, shape.size_m, shape.gaussians_box), now_ns, world_from_box)
        response.entity_name = name
        done(response)

    def _spawn_several(self, request: Any, response: Any) -> None:
        from simulation_interfaces.msg import SpawnResult  # since 2.1

        for wish in request.spawn_requests:
            result = SpawnResult()
            answering(self._spawn, SPAWN_CODES)(wish, result)
            response.results.append(result)
        if all(result.result.result == Result.RESULT_OK for result in response.results):
            done(response)
        else:
            failed(response, srv.SpawnEntities.Response.ENTITIES_SPAWN_FAILED, "see the results of each")

    def _delete(self, request: Any, response: Any) -> None:
        with self._host.lock:
            self._host.simulator.world.delete(request.entity)
        done(response)

    def _spawnables(self, request: Any, response: Any) -> None:
        with self._host.lock:
            found = spawnables_of(self._host.simulator.world.scene, self._assets())
        response.spawnables = [
            SpawnableMessage(entity_resource=Resource(uri=spawnable.uri), description=spawnable.description)
            for spawnable in found
        ]
        done(response)
        if request.sources:
            response.result.error_message = f"not searched, since only asset_folder is: {', '.join(request.sources)}"

    def _assets(self) -> Path | None:
        folder = self._host.settings.asset_folder
        return Path(folder).expanduser() if folder else None

    def _matching(self, filters: Any) -> list[Entity]:
        simulator = self._host.simulator
        return matching(simulator.world, filters, simulator.now_ns)

    def _state_message(self, motion: Motion) -> EntityState:
        map_from_world = self._host.simulator.world.scene.map_from_world
        state = EntityState(header=header_message(self._host.settings.fixed_frame, motion.stamp_ns))
        state.pose = pose_message(map_from_world @ motion.world_from_box)
        state.twist.linear = vector_message((map_from_world[:3, :3] @ motion.velocity_mps).tolist())
        state.twist.angular = vector_message((map_from_world[:3, :3] @ motion.turn_rate_radps).tolist())
        return state
