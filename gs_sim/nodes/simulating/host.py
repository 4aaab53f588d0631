"""The simulator among callbacks: one lock around it, its scene from disk, its images on their topics.

Two ways of life, chosen once. Following: whenever a pose comes, its moment is rendered by a worker, newest
first. Owning time (`publish_clock`): each step publishes /clock, waits for the pose of that moment where
others decide it, and returns when every image due in it has been published.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float64
from torch import Tensor

from gs_sim.errors import ConfigError, InputError
from gs_sim.geometry.pose import inverse
from gs_sim.jobs.hardware import choose_device
from gs_sim.jobs.scene_folder import SceneFolder, open_scene
from gs_sim.nodes.ros.worker import NewestWins
from gs_sim.nodes.simulating.camera_topics import CameraTopics
from gs_sim.nodes.simulating.pose_book import PoseBook
from gs_sim.nodes.simulating.render_meter import RenderMeter
from gs_sim.nodes.simulating.settings import SensorSimSettings
from gs_sim.nodes.simulating.vehicle_pose import Unusable
from gs_sim.simulation.entity import still
from gs_sim.simulation.scene_clock import SceneClock
from gs_sim.simulation.simulator import Simulator
from gs_sim.simulation.virtual_camera import VirtualCamera, load_rig, recorded_cameras
from gs_sim.simulation.world import EGO, RefusedError

logger = logging.getLogger(__name__)


class HeardPose(NamedTuple):
    """A pose of the vehicle, when it is for and when it came; without one the world itself knows it."""

    stamp_ns: int
    map_from_base: Float64[Tensor, "4 4"] | None
    heard_s: float


class Announce(NamedTuple):
    """What the host tells the node, which has the publishers."""

    world: Callable[[], None]
    """Another world was loaded, or none is any more."""
    time: Callable[[int], None]
    """Time was set or moved on, to this."""
    moment: Callable[[int], None]
    """Everything of this moment has been decided: poses may be published."""
    cameras: Callable[[Sequence[VirtualCamera]], list[CameraTopics]]
    """Makes the topics of these cameras."""


class SimulationHost:
    """Owns the simulator, the lock around it, and the worker that follows poses. `close` it."""

    def __init__(self, settings: SensorSimSettings, announce: Announce) -> None:
        self.settings, self._announce = settings, announce
        self.lock = threading.RLock()
        self.simulator = Simulator(round(settings.step_s * 1e9), is_tolerant=not settings.publish_clock)
        self.folder: SceneFolder | None = None
        self.meter = RenderMeter()
        self.is_closing = False
        self.poses = PoseBook()
        self.unusable = Unusable()
        """Poses that were heard and could not be rendered."""
        self.epoch = 0
        """Counts up whenever somebody wants something else than the steps at hand."""
        self._topics: list[CameraTopics] = []
        self._stepping = threading.Lock()
        self._pose_came = threading.Condition(self.lock)
        loops = settings.pose_source == "log"
        self._scene_clock = SceneClock("stamp" if settings.publish_clock else settings.scene_time, loops=loops)
        self.worker: NewestWins[HeardPose] = NewestWins(self._follow)

    @property
    def waits_for_poses(self) -> bool:
        """Whether somebody else decides where the vehicle is."""
        return self.settings.pose_source in {"odometry", "pose", "tf"}

    def load(self, path: Path) -> None:
        """Take another scene; the old one stays if the new one cannot be used.

        Raises:
            GsSimError: the scene or the rig cannot be used.
        """
        folder = open_scene(path, choose_device(self.settings.device))
        cameras = self._cameras_of(folder)
        self.interrupt()
        with self._stepping, self.lock:
            self.simulator.load(folder.scene, cameras)
            self._warm_up(cameras[0])
            self.folder = folder
            self._replace_topics(cameras)
            self._forget_poses()
            self._announce.world()
            self._announce.time(self.simulator.now_ns)

    def unload(self) -> None:
        """Have no scene any more.

        Raises:
            RefusedError: there is none.
        """
        self.interrupt()
        with self._stepping, self.lock:
            self.simulator.unload()
            self.folder = None
            self._replace_topics(())
            self._announce.world()

    def reset(self, change: Callable[[], None]) -> None:
        """Change the simulator in a way that may set time back, and say so; steps at hand end before it."""
        self.interrupt()
        with self._stepping, self.lock:
            change()
            self._forget_poses()
            self._announce.time(self.simulator.now_ns)

    def hear(self, stamp_ns: int, map_from_base: Float64[Tensor, "4 4"] | None) -> None:
        """Take a pose of the vehicle; None where the world itself knows it."""
        if not self.settings.publish_clock:
            self.worker.give(HeardPose(stamp_ns, map_from_base, self.meter.now_s()))
            return
        assert map_from_base is not None
        with self._pose_came:
            self.poses.hear(stamp_ns, map_from_base, self.simulator.now_ns)
            self._pose_came.notify_all()

    def interrupt(self) -> None:
        """End a series of steps after the one at hand."""
        self.epoch += 1

    def steps(self, count: int) -> Iterator[int]:
        """Take steps one by one, for whoever iterates; gives the number of steps done.

        Raises:
            RefusedError: there is no world, a pose did not come, or somebody asked for something else meanwhile.
        """
        epoch = self.epoch
        for number in range(1, count + 1):
            with self._stepping:
                if self.epoch != epoch or self.is_closing:
                    raise RefusedError("wrong_state", f"ended after {number - 1} of {count} steps, as somebody asked")
                self._step()
            yield number

    def step(self) -> None:
        """Move on by one step, and publish all that is due in it.

        Raises:
            RefusedError: there is no world, or the pose of this moment did not come.
        """
        with self._stepping:
            self._step()

    def _step(self) -> None:
        with self.lock:
            heard_s = self.meter.now_s()
            self.simulator.step()
            now_ns = self.simulator.now_ns
            self._announce.time(now_ns)
            looking = self._looking(now_ns)
            if looking and self.waits_for_poses:
                self.simulator.world.command(EGO, still(now_ns, self._pose_of(now_ns)))
            self._announce.moment(now_ns)
            self._publish(looking, now_ns, (now_ns, heard_s))

    def scene_ns(self, stamp_ns: int) -> int:
        """The moment of the drive that a stamp means; zero is now."""
        if stamp_ns == 0:
            return self.simulator.now_ns
        path = self.simulator.logged_path
        return self._scene_clock.look_up_ns(stamp_ns, path.start_ns, path.end_ns)

    def close(self) -> None:
        """End the worker; a step that waits for a pose ends with a refusal."""
        self.is_closing = True
        with self._pose_came:
            self._pose_came.notify_all()
        self.worker.close()

    def _follow(self, heard: HeardPose) -> None:
        """Render the moment of one pose (worker thread)."""
        with self.lock:
            if self.simulator.state == "no_world":
                return
            path = self.simulator.logged_path
            scene_ns = self._scene_clock.scene_ns(heard.stamp_ns, path.start_ns, path.end_ns)
            self.simulator.now_ns = scene_ns
            if heard.map_from_base is not None:
                world_from_map = inverse(self.simulator.world.scene.map_from_world)
                try:
                    self.simulator.world.command(EGO, still(scene_ns, world_from_map @ heard.map_from_base))
                except RefusedError as error:
                    self.unusable.note(f"poses of the vehicle ({error})")
                    return
            self._announce.moment(heard.stamp_ns)
            self._publish(self._looking(heard.stamp_ns), scene_ns, (heard.stamp_ns, heard.heard_s))

    def _looking(self, stamp_ns: int) -> list[CameraTopics]:
        """The cameras that are due and that somebody looks through; who wants their calibration only gets it at once."""
        due = {camera.name for camera in self.simulator.due_cameras(stamp_ns)}
        looking = []
        for topics in self._topics:
            if topics.camera.name not in due:
                continue
            if topics.has_listener:
                looking.append(topics)
            else:
                topics.publish_calibration(stamp_ns)
        return looking

    def _publish(self, looking: list[CameraTopics], scene_ns: int, stamp_and_heard: tuple[int, float]) -> None:
        stamp_ns, heard_s = stamp_and_heard
        start_s = self.meter.now_s()
        images = self.simulator.sense([topics.camera for topics in looking], scene_ns) if looking else ()
        for topics, image in zip(looking, images, strict=True):
            render_s = self.meter.now_s() - start_s
            topics.publish(image, stamp_ns)
            self.meter.note(heard_s, render_s)
            start_s = self.meter.now_s()

    def _pose_of(self, now_ns: int) -> Float64[Tensor, "4 4"]:
        """`world_from_base` of this very moment, from outside."""
        timeout_s = self.settings.pose_timeout_s
        is_there = self._pose_came.wait_for(lambda: self.poses.has(now_ns) or self.is_closing, timeout_s)
        if not is_there or self.is_closing:
            raise RefusedError(
                "wrong_state",
                f"no pose of the vehicle for {now_ns / 1e9:.3f} s came on '{self.settings.pose_source}' within "
                f"{timeout_s:g} s ({self.poses.miss(now_ns)}); whoever moves the vehicle must publish one for each "
                "tick of /clock",
            )
        return inverse(self.simulator.world.scene.map_from_world) @ self.poses.take(now_ns)

    def _warm_up(self, camera: VirtualCamera) -> None:
        """Render once: the first image of a process loads compiled kernels, for seconds where none are cached."""
        world_from_rig = self.simulator.world.ego_pose(self.simulator.now_ns)
        self.simulator.look(camera.camera, world_from_rig @ camera.rig_from_camera, self.simulator.now_ns)

    def _forget_poses(self) -> None:
        self.poses.clear()
        self._scene_clock.reset()

    def _replace_topics(self, cameras: Sequence[VirtualCamera]) -> None:
        for topics in self._topics:
            topics.close()
        self._topics = self._announce.cameras(cameras)

    def _cameras_of(self, folder: SceneFolder) -> tuple[VirtualCamera, ...]:
        if self.settings.rig:
            cameras = load_rig(Path(self.settings.rig).expanduser(), folder.scene.rig)
        else:
            cameras = recorded_cameras(folder.scene.rig, folder.cameras, folder.width_px)
        if not cameras:
            raise InputError(f"{folder.path} has no camera to look through; describe some in a file and set `rig`")
        for camera in cameras:
            if camera.camera.width_px * camera.camera.height_px > self.settings.max_image_mpx * 1e6:
                raise ConfigError(
                    f"camera '{camera.name}' has {camera.camera.width_px}x{camera.camera.height_px} px, more than "
                    f"max_image_mpx ({self.settings.max_image_mpx:g} megapixels); make it smaller, or raise that parameter"
                )
        return cameras
