"""What a user may say to the `sensor_sim` node; each field is a ROS parameter."""

from dataclasses import dataclass
from typing import Annotated, Literal

from gs_sim.config import Range, check_ranges
from gs_sim.nodes.ros.qos import Reliability

PoseSource = Literal["odometry", "pose", "tf", "log", "command"]


@dataclass(frozen=True)
class SensorSimSettings:
    """Which scene is seen by which cameras from where, and who owns time."""

    scene: str = ""
    """Folder of the scene to load when the node starts; empty waits for the service LoadWorld."""
    rig: str = ""
    """YAML file of virtual cameras; empty takes the cameras that recorded the scene."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to render; auto takes a CUDA device if there is one."""
    scene_folder: str = ""
    """Services may load scenes inside this folder only; empty takes the folder that holds `scene`."""
    asset_folder: str = ""
    """PLY files inside this folder can be spawned; empty offers only the scene's own actors."""
    pose_source: PoseSource = "odometry"
    """Where the vehicle is: topic `odometry`, topic `pose`, `tf`, its logged path (log), or commands (command)."""
    scene_time: Literal["auto", "stamp", "elapsed"] = "auto"
    """Where actors are at a pose: as logged at its stamp, as long after the drive's start as since the first pose, or auto:
    the first of these where stamps are of the time of the drive, the second elsewhere."""
    fixed_frame: str = "map"
    """The frame that the scene is placed in; poses in other frames are brought there by tf."""
    base_frame: str = "base_link"
    """The frame of the vehicle (x forward, y left, z up)."""
    input_reliability: Reliability = "auto"
    """Reliability asked of pose topics: auto asks for what each publisher offers."""
    publish_tf: bool = True
    """Publish the mounts of the virtual cameras to /tf_static, and the vehicle's pose to /tf where this node decides it."""
    publish_clock: bool = False
    """This node is the simulator: it owns time, publishes /clock and moves on by its own steps."""
    is_playing: bool = False
    """Start in the state playing instead of stopped (with publish_clock)."""
    step_s: Annotated[float, Range(0.0001, 1.0)] = 0.01
    """Length of one simulation step, seconds (with publish_clock)."""
    real_time_factor: Annotated[float, Range(0, 1000)] = 1.0
    """Simulated seconds per second while playing; 0 is as fast as possible (with publish_clock)."""
    pose_timeout_s: Annotated[float, Range(0.01, 3600)] = 2.0
    """How long a step waits for the pose of its moment from outside, before it fails (with publish_clock)."""
    jpeg_quality: Annotated[int, Range(1, 100)] = 90
    """Quality of the compressed images."""
    max_image_mpx: Annotated[float, Range(0.001, 1000)] = 10.0
    """Larger images, in megapixels, are refused."""
    max_cloud_points: Annotated[int, Range(0, 10_000_000)] = 200_000
    """At most this many Gaussian centres are published for RViz."""

    def __post_init__(self) -> None:
        check_ranges(self)
