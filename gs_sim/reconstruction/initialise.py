"""The first scene: Gaussians on LiDAR and stereo points, actors in their boxes, a shell far away."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from gs_sim.errors import ConfigError, InputError
from gs_sim.geometry.pose import quaternion_from_rotation
from gs_sim.reconstruction.boxes import ActorTrack, settle_tracks
from gs_sim.reconstruction.cloud import (
    FINEST_VOXEL_M,
    Cloud,
    colour_points,
    gather_points,
    nearest,
    project,
    thin_cloud,
    visible_indices,
)
from gs_sim.reconstruction.shell import ShellSettings, backdrop, distant_shell
from gs_sim.reconstruction.stereo import OnView, StereoSettings, stereo_cloud
from gs_sim.reconstruction.views import TrainingView
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import SH_C0, Gaussians, concatenate, empty_gaussians
from gs_sim.scene.scene import Scene
from gs_sim.sensing.recording import Recording

COARSEST_SPACING_PX = 500.0
"""Thinning goes no further: what is left then are a few points of the nearest and farthest depths."""


@dataclass(frozen=True)
class InitialiseSettings:
    """How the first scene is made."""

    points_per_pixel: float = 1.0
    """LiDAR points are thinned to this density where they are seen from nearest; more is finer and slower."""
    flatness: float = 0.2
    """Thickness of a Gaussian along its surface normal, as a fraction of its width."""
    lidar_opacity: float = 0.7
    """First opacity of Gaussians on LiDAR points."""
    stereo_opacity: float = 0.4
    """First opacity of Gaussians on stereo points, which are less sure."""
    shell: ShellSettings = field(default_factory=ShellSettings)
    stereo: StereoSettings = field(default_factory=StereoSettings)

    def __post_init__(self) -> None:
        if not (0 < self.lidar_opacity < 1 and 0 < self.stereo_opacity < 1):
            raise ConfigError(
                f"first opacities lie between 0 and 1, got {self.lidar_opacity} and {self.stereo_opacity}"
            )
        if self.points_per_pixel <= 0:
            raise ConfigError("points_per_pixel must be positive")


def initialise(
    recording: Recording,
    views: Sequence[TrainingView],
    max_gaussians: int,
    settings: InitialiseSettings,
    on_view: OnView = lambda done, count: None,
) -> Scene:
    """Make the first scene from LiDAR, and from stereo and a distant shell where LiDAR saw nothing.

    `on_view` hears of each view whose stereo depth is done.

    Raises:
        InputError: no view sees any LiDAR point and stereo finds none either.
    """
    tracks = settle_tracks(recording.tracks, recording.world_from_rig)
    gathered = gather_points(recording, tracks)
    lidar = colour_points(gathered.points_world, views)
    is_known = [covered_pixels(lidar, view) for view in views]
    stereo = _outside_actors(stereo_cloud(views, is_known, settings.stereo, on_view), tracks)
    if not len(lidar) and not len(stereo):
        raise InputError(
            "no camera sees any LiDAR point and stereo finds no depth either; "
            "check the extrinsics between cameras, LiDAR and base_link with `gs-sim inspect`"
        )
    is_filled = [known | covered_pixels(stereo, view) for known, view in zip(is_known, views, strict=True)]
    focal_px = views[0].camera.fx
    lidar = thin_to(lidar, focal_px, settings.points_per_pixel, max_gaussians // 2)
    stereo = thin_to(stereo, focal_px, settings.points_per_pixel, max_gaussians // 4)
    background = [
        gaussians_on(lidar, focal_px, settings.lidar_opacity, settings.flatness),
        gaussians_on(stereo, focal_px, settings.stereo_opacity, 1.0),
    ]
    clouds = [
        thin_to(colour_points(points, views, actor), focal_px, settings.points_per_pixel, max_gaussians // 8)
        for actor, points in zip(tracks, gathered.points_box, strict=True)
    ]
    excess = max(1.0, 8 * sum(len(cloud) for cloud in clouds) / max_gaussians)
    clouds = [thin_to(c, focal_px, settings.points_per_pixel, int(len(c) / excess)) for c in clouds]
    actors = (_actor(actor, cloud, focal_px, settings) for actor, cloud in zip(tracks, clouds, strict=True))
    behind = backdrop(views, max_gaussians // 16, settings.shell)
    return Scene(
        background=concatenate(background),
        distant=concatenate([distant_shell(views, is_filled, max_gaussians // 8, settings.shell), behind]),
        actors=tuple(actor for actor in actors if len(actor.gaussians_box)),
        rig=recording.rig,
        world_from_rig=recording.world_from_rig,
        map_from_world=recording.map_from_world,
        num_backdrop=len(behind),
    )


def _actor(actor: ActorTrack, cloud: Cloud, focal_px: float, settings: InitialiseSettings) -> Actor:
    gaussians = gaussians_on(cloud, focal_px, settings.lidar_opacity, settings.flatness)
    track = actor.track
    return Actor(track.actor_id, track.label, track.size_m, gaussians, track.world_from_box)


def _outside_actors(cloud: Cloud, tracks: Sequence[ActorTrack]) -> Cloud:
    """Leave out points inside parked boxes: they are the actors', which LiDAR sees well."""
    is_free = torch.ones(len(cloud), dtype=torch.bool)
    for actor in tracks:
        if actor.is_parked:
            pose = actor.track.world_from_box.poses[0]
            points_box = (cloud.points - pose[:3, 3].float()) @ pose[:3, :3].float()
            is_free &= ~(points_box.abs() < torch.tensor(actor.track.size_m) / 2).all(dim=-1)
    return Cloud(cloud.points[is_free], cloud.rgb[is_free], cloud.depth_m[is_free])


def covered_pixels(cloud: Cloud, view: TrainingView, margin_px: int = 2) -> Bool[Tensor, "h w"]:
    """Pixels of a view on or within a margin of a point."""
    pixels, depth_m = project(cloud.points, view)
    seen = visible_indices(pixels, depth_m, view)
    hit = torch.zeros(view.camera.height_px, view.camera.width_px)
    hit[pixels[seen, 1].long(), pixels[seen, 0].long()] = 1
    size = 2 * margin_px + 1
    return torch.nn.functional.max_pool2d(hit[None, None], size, 1, margin_px)[0, 0] > 0


def thin_to(cloud: Cloud, focal_px: float, points_per_pixel: float, most: int) -> Cloud:
    """Thin a cloud to a density per pixel as seen from nearest, and further until at most `most` are left."""
    spacing_px = points_per_pixel**-0.5
    while True:
        # Powers of sqrt(2) keep the voxel grids few, so that neighbours share one.
        spacing_m = cloud.depth_m * (spacing_px / focal_px)
        voxel_m = 2 ** ((spacing_m.clamp(min=FINEST_VOXEL_M).log2() * 2).round() / 2)
        thinned = thin_cloud(cloud, voxel_m) if len(cloud) else cloud
        if len(thinned) <= most or spacing_px > COARSEST_SPACING_PX:
            return Cloud(thinned.points[:most], thinned.rgb[:most], thinned.depth_m[:most])
        spacing_px *= 1.15


def gaussians_on(cloud: Cloud, focal_px: float, opacity: float, flatness: float) -> Gaussians:
    """Gaussians on coloured points: as wide as the distance to their neighbours, flat along the surface normal."""
    count = len(cloud)
    if count < 5:
        return empty_gaussians()
    distance_m, quaternions = _neighbourhoods(cloud.points)
    footprint_m = cloud.depth_m / focal_px
    width_m = torch.minimum(torch.maximum(distance_m, 0.35 * footprint_m), 4.0 * footprint_m + 0.05)
    scales_m = torch.stack([width_m, width_m, width_m * flatness], dim=-1)
    return Gaussians(
        means=cloud.points.clone(),
        log_scales=scales_m.log(),
        quaternions=quaternions,
        opacity_logits=torch.full((count,), opacity).logit(),
        sh=((cloud.rgb - 0.5) / SH_C0)[:, None, :],
    )


def _neighbourhoods(points: Float32[Tensor, "n 3"]) -> tuple[Float32[Tensor, "n"], Float32[Tensor, "n 4"]]:
    """Mean distance to the three nearest neighbours, and a frame whose z is the local surface normal."""
    index, squared = nearest(points, points, 9)
    neighbours = points[index]
    distance_m = squared[:, 1:4].sqrt().mean(dim=-1)
    centred = neighbours - neighbours.mean(dim=1, keepdim=True)
    _, axes = torch.linalg.eigh(centred.transpose(1, 2) @ centred)
    rotation = axes.flip(-1)
    rotation = torch.where(torch.linalg.det(rotation)[:, None, None] < 0, -rotation, rotation)
    return distance_m.clamp(min=1e-3), quaternion_from_rotation(rotation)
