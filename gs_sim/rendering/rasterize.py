"""The one door to both rasterizers: Gaussians and views in, colour, depth and opacity out.

Differentiable with respect to every Gaussian parameter and the camera poses.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from gs_sim.errors import InputError, MissingFeatureError
from gs_sim.rendering.views import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

__all__ = ["Backend", "Rendering", "Views", "rasterize"]

Backend = Literal["auto", "cpu", "gsplat"]


def rasterize(
    gaussians: Gaussians,
    views: Views,
    *,
    screen_offsets: Float[Tensor, "c n 2"] | None = None,
    backend: Backend = "auto",
) -> Rendering:
    """Render Gaussians into all views, differentiable in every Gaussian parameter and the camera poses.

    Splatting as in 3DGS (Kerbl et al. 2023) with gsplat's conventions: near plane 0.01 m, screen covariance
    dilated by 0.3 px^2, alpha capped at 0.999 and skipped below 1/255, a pixel stops where its transmittance
    would reach 1e-4, colour = max(0, 0.5 + harmonics). Gaussians that are not finite are not drawn.
    Intrinsics get no gradient.

    Args:
        gaussians: in the frame that `views.camera_from_world` calls world.
        views: on the same device.
        screen_offsets: added to the projected centres, in pixels; pass zeros that require a gradient to
            learn dLoss / d(screen position), by which densification decides.
        backend: "auto" is gsplat for tensors on CUDA and the CPU rasterizer for tensors on the CPU.

    Raises:
        InputError: Gaussians and views lie on different devices.
        MissingFeatureError: the backend cannot run here, or not on these tensors.
    """
    device = gaussians.means.device
    if views.camera_from_world.device != device or views.intrinsics.device != device:
        raise InputError(
            f"Gaussians and views must share a device, got {device} and {views.camera_from_world.device}: "
            "move one of them with .to()"
        )
    if device.type not in ("cpu", "cuda"):
        raise MissingFeatureError(f"no rasterizer runs on '{device}': move the tensors to 'cpu' or 'cuda'")
    chosen = backend if backend != "auto" else ("gsplat" if device.type == "cuda" else "cpu")
    if chosen == "cpu":
        if device.type != "cpu":
            raise MissingFeatureError(f"the CPU rasterizer needs tensors on the CPU, got {device}: use .to('cpu')")
        from gs_sim.rendering.rasterizer_cpu import rasterize_cpu  # compiles on first use

        return rasterize_cpu(gaussians, views, screen_offsets)
    from gs_sim.rendering.rasterizer_gsplat import rasterize_gsplat  # gsplat is optional

    return rasterize_gsplat(gaussians, views, screen_offsets)
