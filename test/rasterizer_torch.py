"""The oracle of both rasterizers, and the definition of what rendering means here: plain torch, no tiles.

Every Gaussian is evaluated at every pixel, so small images only. Works in any float type; gradients by autograd.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from gs_sim.rendering.rasterize import Rendering, Views
from gs_sim.scene.gaussians import Gaussians

NEAR_M = 0.01
DILATION_PX2 = 0.3
MIN_ALPHA, MAX_ALPHA = 1 / 255, 0.999
MIN_TRANSMITTANCE = 1e-4


def rasterize_torch(
    gaussians: Gaussians, views: Views, screen_offsets: Float[Tensor, "c n 2"] | None = None
) -> Rendering:
    """Render view by view; the same arguments and result as `gs_sim.rendering.rasterize.rasterize`."""
    offsets = screen_offsets if screen_offsets is not None else gaussians.means.new_zeros(len(views.intrinsics), 1, 2)
    shots = [_render_view(gaussians, views, c, offsets[c]) for c in range(len(views.intrinsics))]
    return Rendering(*(torch.stack(images) for images in zip(*shots, strict=True)))


def _render_view(gaussians: Gaussians, views: Views, c: int, offsets: Tensor) -> tuple[Tensor, ...]:
    k, camera_from_world = views.intrinsics[c], views.camera_from_world[c]
    centre_world = -torch.linalg.inv(camera_from_world[:3, :3]) @ camera_from_world[:3, 3]
    points = gaussians.means @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    parameters = (
        gaussians.log_scales,
        gaussians.quaternions,
        gaussians.opacity_logits[:, None],
        gaussians.sh.flatten(1),
    )
    finite = torch.cat([points, *parameters], 1).isfinite().all(1) & (gaussians.quaternions.norm(dim=1) > 0)
    drawn = finite & (points[:, 2] >= NEAR_M) & (gaussians.opacities >= MIN_ALPHA)
    order = torch.argsort(points[:, 2], stable=True)
    order = order[drawn[order]]
    z = points[order, 2]
    means = (points @ k.T)[order, :2] / z[:, None] + (offsets.expand(len(points), 2))[order]
    covariances = _screen_covariances(gaussians.select(order), points[order], k, camera_from_world, views)
    direction = gaussians.means[order] - centre_world
    basis = spherical_harmonics(direction / direction.norm(dim=1, keepdim=True), gaussians.sh_degree)
    colours = (torch.einsum("nk,nkc->nc", basis, gaussians.sh[order]) + 0.5).clamp_min(0)

    rows = torch.arange(views.height_px).to(z) + 0.5
    columns = torch.arange(views.width_px).to(z) + 0.5
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    delta = pixels[:, :, None] - means
    sigma = 0.5 * torch.einsum("hwni,nij,hwnj->hwn", delta, torch.linalg.inv(covariances), delta)
    alpha = (gaussians.opacities[order] * torch.exp(-sigma)).clamp_max(MAX_ALPHA)
    alpha = torch.where(alpha >= MIN_ALPHA, alpha, 0.0)
    rest = torch.cumprod(1 - alpha, dim=2)
    before = torch.cat([torch.ones_like(rest[:, :, :1]), rest[:, :, :-1]], dim=2)
    weights = torch.where(rest > MIN_TRANSMITTANCE, alpha * before, 0.0)
    opacity = weights.sum(2)
    depth = torch.where(opacity > 0, weights @ z / torch.where(opacity > 0, opacity, 1.0), 0.0)
    radii = torch.zeros_like(points[:, 0])
    reach = torch.sqrt(2 * torch.log(gaussians.opacities[order] / MIN_ALPHA).clamp_min(0))
    extent = reach[:, None] * torch.diagonal(covariances, dim1=1, dim2=2).sqrt()
    radii[order] = torch.where((weights > 0).any(0).any(0), extent.ceil().amax(1), 0.0).detach()
    return weights @ colours, depth, opacity, radii


def _screen_covariances(
    gaussians: Gaussians, points: Float[Tensor, "n 3"], k: Tensor, camera_from_world: Tensor, views: Views
) -> Float[Tensor, "n 2 2"]:
    """EWA: J R_view Sigma R_view^T J^T, J taken no further out than 1.3 times the field of view."""
    w, x, y, z = torch.nn.functional.normalize(gaussians.quaternions, dim=1).unbind(1)
    rotation = torch.stack(
        [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], 1),
            torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], 1),
            torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 1),
        ],
        1,
    )
    depth, zero = points[:, 2], torch.zeros_like(points[:, 2])
    rows = []
    for axis, size in ((0, views.width_px), (1, views.height_px)):
        f, centre = k[axis, axis], k[axis, 2]
        margin = 0.3 * 0.5 * size / f
        slope = (points[:, axis] / depth).clamp(-centre / f - margin, (size - centre) / f + margin)
        row = [zero, zero, -f * slope / depth]
        row[axis] = f / depth
        rows.append(torch.stack(row, 1))
    m = torch.stack(rows, 1) @ camera_from_world[:3, :3] @ (rotation * gaussians.scales_m[:, None])
    return m @ m.transpose(1, 2) + DILATION_PX2 * torch.eye(2).to(m)


def spherical_harmonics(direction: Float[Tensor, "n 3"], degree: int) -> Float[Tensor, "n k"]:
    """The real basis in the order and signs of 3DGS."""
    x, y, z = direction.unbind(1)
    basis = [torch.full_like(x, 0.28209479177387814)]
    if degree > 0:
        basis += [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    if degree > 1:
        basis += [
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (2 * z * z - x * x - y * y),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (x * x - y * y),
        ]
    if degree > 2:
        basis += [
            -0.5900435899266435 * y * (3 * x * x - y * y),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (4 * z * z - x * x - y * y),
            0.3731763325901154 * z * (2 * z * z - 3 * x * x - 3 * y * y),
            -0.4570457994644658 * x * (4 * z * z - x * x - y * y),
            1.445305721320277 * z * (x * x - y * y),
            -0.5900435899266435 * x * (x * x - 3 * y * y),
        ]
    return torch.stack(basis, 1)
