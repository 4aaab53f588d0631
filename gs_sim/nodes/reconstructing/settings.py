"""What a user may say to the `reconstructor` node; each field is a ROS parameter."""

from dataclasses import dataclass, field
from typing import Annotated

from gs_sim.config import Range, check_ranges
from gs_sim.jobs.reconstruct_bag import ReconstructBagSettings
from gs_sim.nodes.ros.qos import Reliability


@dataclass(frozen=True)
class ReconstructorSettings:
    """Where drives come from and scenes go to, and how they are reconstructed."""

    bag: str = ""
    """Bag to reconstruct when the node starts; empty waits for the action `~/reconstruct`."""
    scene: str = ""
    """Folder for the scene of `bag`; empty takes the bag's name with `_scene` behind it, beside the bag."""
    exit_when_done: bool = False
    """Leave after `bag` was reconstructed (exit code 0, or 2 if it failed) instead of waiting for more."""
    bag_folder: str = ""
    """Goals may name bags inside this folder only; empty takes the folder that holds `bag`, or the current one."""
    scene_folder: str = ""
    """Goals may save scenes inside this folder only; empty takes `bag_folder`."""
    fixed_frame: str = "map"
    """The frame that scenes are shown in; that of the drive's own poses."""
    input_reliability: Reliability = "auto"
    """Reliability asked of live topics: auto asks for what each publisher offers."""
    max_buffer_mb: Annotated[int, Range(1, 100_000)] = 256
    """Memory for live messages that wait to be written to disk; what does not fit is dropped and counted."""
    max_recording_mb: Annotated[int, Range(1, 10_000_000)] = 20_000
    """Disk space for one live recording; it ends early when this is reached."""
    keep_recordings: bool = False
    """Keep the bag of a live recording beside its scene instead of removing it."""
    max_cloud_points: Annotated[int, Range(0, 10_000_000)] = 200_000
    """At most this many Gaussian centres are published for RViz."""
    reconstruct: ReconstructBagSettings = field(default_factory=ReconstructBagSettings)

    def __post_init__(self) -> None:
        check_ranges(self)
