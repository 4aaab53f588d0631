"""Worlds by `simulation_interfaces`: scenes of one folder, loaded by name."""

from pathlib import Path
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from simulation_interfaces import srv
from simulation_interfaces.msg import Resource, SimulatorFeatures, WorldResource

from gs_sim.errors import GsSimError, InputError
from gs_sim.nodes.ros.paths import inside
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.results import answering, done, failed
from gs_sim.scene.storage import MANIFEST

WORLD_FEATURES = [
    SimulatorFeatures.WORLD_LOADING,
    SimulatorFeatures.WORLD_UNLOADING,
    SimulatorFeatures.WORLD_INFO_GETTING,
    SimulatorFeatures.AVAILABLE_WORLDS,
]


class WorldServices:
    """Loads, unloads and lists scenes; none outside of the scene folder is ever opened."""

    def __init__(self, node: Node, host: SimulationHost, group: CallbackGroup) -> None:
        self._host = host
        no_world = {"no_world": srv.UnloadWorld.Response.NO_WORLD_LOADED}
        for kind, name, answer in (
            (srv.LoadWorld, "load_world", answering(self._load)),
            (srv.UnloadWorld, "unload_world", answering(self._unload, no_world)),
            (srv.GetCurrentWorld, "get_current_world", answering(self._current, no_world)),
            (srv.GetAvailableWorlds, "get_available_worlds", answering(self._available)),
        ):
            node.create_service(kind, name, answer, callback_group=group)

    def _load(self, request: Any, response: Any) -> None:
        codes, resource = srv.LoadWorld.Response, _resource_of(request)
        if not resource.uri:
            code = codes.UNSUPPORTED_FORMAT if resource.resource_string else codes.NO_RESOURCE
            failed(response, code, "name a scene by its uri, as get_available_worlds lists it; strings are not read")
            return
        try:
            path = inside(self._folder(), resource.uri, "world")
        except InputError as error:
            failed(response, codes.MISSING_ASSETS, str(error))
            return
        try:
            self._host.load(path)
        except GsSimError as error:
            failed(response, codes.RESOURCE_PARSE_ERROR, str(error))
            return
        response.world = world_message(path)
        done(response)

    def _unload(self, _: Any, response: Any) -> None:
        self._host.unload()
        done(response)

    def _current(self, _: Any, response: Any) -> None:
        with self._host.lock:
            _ = self._host.simulator.world
            assert self._host.folder is not None
            response.world = world_message(self._host.folder.path)
        done(response)

    def _available(self, request: Any, response: Any) -> None:
        folder = self._folder()
        found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []
        response.worlds = [] if request.filter.tags else [world_message(path) for path in found]
        done(response)
        if request.additional_sources:
            response.result.error_message = f"not searched: only {folder} is, by the parameter scene_folder"

    def _folder(self) -> Path:
        settings = self._host.settings
        if settings.scene_folder:
            return Path(settings.scene_folder).expanduser()
        return Path(settings.scene).expanduser().resolve().parent if settings.scene else Path.cwd()


def world_message(path: Path) -> WorldResource:
    """A scene as a resource."""
    world = WorldResource(name=path.name, description="a reconstructed drive")
    resource = Resource(uri=path.resolve().as_uri())
    # 2.0 called it a level
    setattr(world, "world_resource" if hasattr(world, "world_resource") else "level_resource", resource)
    return world


def _resource_of(request: Any) -> Any:
    return request.world_resource if hasattr(request, "world_resource") else request.level_resource
