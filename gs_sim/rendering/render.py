"""Scene to image: what one camera at one pose sees at one moment.

The rasterizers know pinhole views only. For a lens, a wider pinhole view is rendered and bent
into the lens camera's image, as its own camera would have recorded it.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from gs_sim.geometry.camera import Camera, intrinsic_matrix
from gs_sim.geometry.pose import inverse
from gs_sim.geometry.warp import pinhole_covering, warp_image
from gs_sim.rendering.rasterize import Backend, Rendering, Views, rasterize
from gs_sim.scene.gaussians import Gaussians
from gs_sim.scene.scene import Scene, gaussians_at


def render(
    scene: Scene,
    camera: Camera,
    world_from_camera: Float64[Tensor, "4 4"],
    stamp_ns: int,
    *,
    backend: Backend = "auto",
) -> Rendering:
    """Render one view of the scene as it is at `stamp_ns`, on the device of its Gaussians.

    The result holds one view; with a lens its radii are those of the pinhole view behind it.

    Raises:
        MissingFeatureError: the backend cannot run here.
    """
    return render_gaussians(gaussians_at(scene, stamp_ns), camera, world_from_camera, backend=backend)


def render_gaussians(
    gaussians: Gaussians,
    camera: Camera,
    world_from_camera: Float64[Tensor, "4 4"],
    *,
    backend: Backend = "auto",
) -> Rendering:
    """Render one view of Gaussians that are all in the world frame; see `render`."""
    pinhole = camera if camera.is_pinhole else pinhole_covering(camera)
    views = views_of(pinhole, world_from_camera[None], gaussians.means.device)
    rendering = rasterize(gaussians, views, backend=backend)
    return rendering if camera.is_pinhole else through_lens(rendering, pinhole, camera)


def views_of(camera: Camera, world_from_camera: Float64[Tensor, "c 4 4"], device: torch.device | str) -> Views:
    """Views of one pinhole camera at c poses; differentiable in the poses."""
    intrinsics = intrinsic_matrix(camera).expand(len(world_from_camera), 3, 3)
    camera_from_world = inverse(world_from_camera).to(device=device, dtype=torch.float32)
    return Views(intrinsics.to(device), camera_from_world, camera.width_px, camera.height_px)


def through_lens(rendering: Rendering, pinhole: Camera, camera: Camera) -> Rendering:
    """Bend views of a pinhole camera into those of a lens camera that looks the same way; both measure z alike."""
    weighted = (rendering.depth_m * rendering.opacity)[..., None]
    images = torch.cat([rendering.colour, weighted, rendering.opacity[..., None]], dim=-1)
    bent = torch.stack([warp_image(image, pinhole, camera) for image in images])
    opacity = bent[..., 4]
    depth_m = bent[..., 3] / torch.where(opacity > 0, opacity, 1.0)
    return Rendering(bent[..., :3], depth_m, opacity, rendering.radii_px)
