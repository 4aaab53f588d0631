"""What a user may say about a bag; everything left empty is discovered."""

from dataclasses import dataclass

from gs_sim.errors import ConfigError


@dataclass(frozen=True)
class BagSettings:
    """How to read a bag."""

    cameras: tuple[str, ...] = ()
    """Names of the cameras to read; empty reads all that are usable. Named ones must be usable."""
    lidars: tuple[str, ...] = ()
    """Names of the LiDARs to read; empty reads all."""
    image_topics: tuple[str, ...] = ()
    """Only these topics are cameras; empty finds them by type."""
    camera_info_topics: tuple[str, ...] = ()
    """The calibration of each of `image_topics`, in the same order; empty looks beside the images."""
    lidar_topics: tuple[str, ...] = ()
    """Only these topics are LiDARs; empty finds them by type."""
    pose_topic: str = ""
    """Odometry, PoseStamped or PoseWithCovarianceStamped of the vehicle, or `/tf`; empty takes the best there is."""
    detection_topic: str = ""
    """The Detection3DArray with tracked boxes; empty takes the one with the most messages."""
    base_frame: str = ""
    """The frame of the vehicle (x forward, y left, z up); empty takes base_link, or the odometry's child frame."""
    fixed_frame: str = ""
    """The frame that the vehicle moves in, where poses come from /tf; empty takes map, odom or world."""
    rectified: str = "auto"
    """Whether images are rectified already (then P counts): auto (by `image_rect` in the topic), always, never."""
    max_extrapolation_s: float = 0.05
    """How far beyond the first and last pose images and sweeps are still used (or half a pose period, if longer)."""
    max_pose_gap_s: float = 1.0
    """Images and sweeps within a longer gap between poses are left out."""
    needs_poses: bool = True
    """Without poses the bag is an error; if False, the vehicle is taken to stand still (for LiDAR odometry)."""

    def __post_init__(self) -> None:
        if self.rectified not in {"auto", "always", "never"}:
            raise ConfigError(f"rectified must be auto, always or never, got '{self.rectified}'")
        if self.camera_info_topics and len(self.camera_info_topics) != len(self.image_topics):
            raise ConfigError(
                f"camera_info_topics must name one topic for each of the {len(self.image_topics)} image_topics, "
                f"got {len(self.camera_info_topics)}"
            )
        for name in ("max_extrapolation_s", "max_pose_gap_s"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")
