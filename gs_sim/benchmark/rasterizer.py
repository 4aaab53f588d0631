"""How fast Gaussians become images and images become gradients, and how near blending comes to its roofline."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numba
import numpy as np
import torch

from gs_sim.benchmark.cpu_stages import CpuStages
from gs_sim.benchmark.roofline import evaluate_on_registers
from gs_sim.errors import ConfigError
from gs_sim.rendering.rasterize import Rendering, Views, rasterize
from gs_sim.scene.gaussians import Gaussians


@dataclass(frozen=True)
class RasterizerBenchmarkSettings:
    """What to measure."""

    num_gaussians: tuple[int, ...] = (100_000, 300_000, 1_000_000)
    """Sizes of the scene."""
    widths_px: tuple[int, ...] = (640, 1280)
    """Widths of the image; it is 16:9."""
    sh_degree: int = 0
    """Degree of the spherical harmonics, 0 to 3."""
    repeats: int = 7
    """Each figure is the median of so many runs, after one to warm up."""
    seed: int = 0
    """Draws the scene."""
    device: str = "cpu"
    """Where to render: cpu, or cuda with gsplat."""

    def __post_init__(self) -> None:
        if not self.num_gaussians or min(self.num_gaussians) < 1 or not self.widths_px or min(self.widths_px) < 16:
            raise ConfigError("the rasterizer benchmark needs at least one Gaussian and images of 16 pixels or more")
        if self.repeats < 1:
            raise ConfigError(f"repeats must be at least 1 for there to be a median, got {self.repeats}")


@dataclass(frozen=True)
class BlendFigures:
    """How blending compares with its arithmetic alone; CPU only."""

    pairs_per_pixel: float
    """(pixel, Gaussian) pairs evaluated, whole rows of 16 pixels counted."""
    ms_project: float
    ms_bin: float
    ms_blend: float
    ms_blend_backward: float
    ms_project_backward: float
    ns_per_pair_forward: float
    ns_per_pair_backward: float
    roofline_ns_per_pair: float
    blend_to_roofline: float
    """Forward blending time over that of as many pairs on registers, in the same run."""


@dataclass(frozen=True)
class RasterizerCase:
    """One scene at one image size; times are medians."""

    num_gaussians: int
    width_px: int
    height_px: int
    num_drawn: int
    images_per_s_forward: float
    images_per_s_forward_backward: float
    backward_to_forward: float
    blend: BlendFigures | None
    """None on CUDA."""


@dataclass(frozen=True)
class RasterizerBenchmark:
    """All cases, and what they ran on."""

    device: str
    threads: int
    seed: int
    sh_degree: int
    repeats: int
    cases: tuple[RasterizerCase, ...]

    def rows(self) -> list[dict[str, int | float]]:
        """One flat mapping per case, as tables and JSON want it."""
        rows = []
        for case in self.cases:
            row = asdict(case)
            blend = row.pop("blend") or {}
            rows.append({**row, **blend})
        return rows


def run_rasterizer_benchmark(
    settings: RasterizerBenchmarkSettings, on_case: Callable[[RasterizerCase], None] | None = None
) -> RasterizerBenchmark:
    """Measure every size of scene at every size of image; `on_case` hears of each as it is done.

    Raises:
        MissingFeatureError: the device is cuda and gsplat or CUDA is missing.
    """
    cases = []
    for num in settings.num_gaussians:
        generator = torch.Generator().manual_seed(settings.seed)
        gaussians = street_like_gaussians(num, settings.sh_degree, generator).to(settings.device)
        for width_px in settings.widths_px:
            case = _measure(gaussians, street_view(width_px, settings.device), settings)
            cases.append(case)
            if on_case is not None:
                on_case(case)
    is_cuda = settings.device.startswith("cuda")
    return RasterizerBenchmark(
        device=torch.cuda.get_device_name() if is_cuda else "cpu",
        threads=1 if is_cuda else numba.get_num_threads(),
        seed=settings.seed,
        sh_degree=settings.sh_degree,
        repeats=settings.repeats,
        cases=tuple(cases),
    )


def street_like_gaussians(num: int, sh_degree: int, generator: torch.Generator) -> Gaussians:
    """Random Gaussians spread as in a reconstructed street, in the frame of a camera that looks along it.

    45 % on the ground (20 m wide), 45 % on two facades (10 m high, 8 m to each side), 10 % anywhere between,
    all 2 to 60 m ahead. Scales follow the spacing on those 2400 m^2, so that a larger
    scene has smaller Gaussians, as reconstructions do: median 0.6 spacings, log-normal with sigma 0.6, the third axis
    a quarter of it. Opacity logits are normal with sigma 2 around 0.5.
    """

    def uniform(low: float, high: float, size: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(size, generator=generator)

    on_ground, on_facade = round(0.45 * num), round(0.45 * num)
    rest = num - on_ground - on_facade
    side = torch.where(torch.rand(on_facade, generator=generator) < 0.5, -8.0, 8.0)
    x = torch.cat([uniform(-10.0, 10.0, on_ground), side, uniform(-8.0, 8.0, rest)])
    y = torch.cat([torch.full((on_ground,), 1.6), uniform(-8.4, 1.6, on_facade), uniform(-1.4, 1.6, rest)])
    means = torch.stack([x, y, uniform(2.0, 60.0, num)], dim=1) + 0.03 * torch.randn(num, 3, generator=generator)
    spacing_m = math.sqrt(2400 / num)
    log_scales = math.log(0.6 * spacing_m) + 0.6 * torch.randn(num, 3, generator=generator)
    log_scales[:, 2] -= math.log(4)
    sh = torch.randn(num, (sh_degree + 1) ** 2, 3, generator=generator) * 0.3
    return Gaussians(
        means=means,
        log_scales=log_scales,
        quaternions=torch.randn(num, 4, generator=generator),
        opacity_logits=0.5 + 2 * torch.randn(num, generator=generator),
        sh=sh,
    )


def street_view(width_px: int, device: str) -> Views:
    """One 16:9 view along the street, 58 degrees wide."""
    height_px = round(width_px * 9 / 16)
    focal = 0.9 * width_px
    intrinsics = torch.tensor([[[focal, 0.0, width_px / 2], [0.0, focal, height_px / 2], [0.0, 0.0, 1.0]]])
    return Views(intrinsics.to(device), torch.eye(4, device=device)[None], width_px, height_px)


def _measure(gaussians: Gaussians, views: Views, settings: RasterizerBenchmarkSettings) -> RasterizerCase:
    fields = ("means", "log_scales", "quaternions", "opacity_logits", "sh")
    learnt = Gaussians(*(getattr(gaussians, name).clone().requires_grad_() for name in fields))
    rendering = rasterize(gaussians, views)
    d_colour, d_depth = torch.ones_like(rendering.colour), torch.ones_like(rendering.depth_m)

    def backward(rendered: Rendering) -> None:
        torch.autograd.backward([rendered.colour, rendered.depth_m], [d_colour, d_depth])

    forward_s, backward_s = [], []
    for _ in range(settings.repeats + 1):
        for name in fields:
            getattr(learnt, name).grad = None
        start_s = now_s(settings.device)
        rendered = rasterize(learnt, views)
        middle_s = now_s(settings.device)
        backward(rendered)
        forward_s.append(middle_s - start_s)
        backward_s.append(now_s(settings.device) - middle_s)
    forward_s, backward_s = forward_s[1:], backward_s[1:]
    both_s = statistics.median(a + b for a, b in zip(forward_s, backward_s, strict=True))
    return RasterizerCase(
        num_gaussians=len(gaussians),
        width_px=views.width_px,
        height_px=views.height_px,
        num_drawn=int((rendering.radii_px > 0).sum()),
        images_per_s_forward=1 / statistics.median(forward_s),
        images_per_s_forward_backward=1 / both_s,
        backward_to_forward=statistics.median(backward_s) / statistics.median(forward_s),
        blend=_measure_blend(gaussians, views, settings.repeats) if settings.device == "cpu" else None,
    )


def _measure_blend(gaussians: Gaussians, views: Views, repeats: int) -> BlendFigures:
    """Time the stages and, between them, the roofline."""
    stages = CpuStages(gaussians, views)
    sums = np.zeros(4 * numba.get_num_threads(), np.float32)
    names = ("project", "bin_splats", "blend", "blend_backward", "project_backward", "roofline")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names[:-1]:
        getattr(stages, name)()
    num_pairs = stages.num_evaluated()
    for _ in range(repeats + 1):
        for name in names:
            start_s = time.perf_counter()
            if name == "roofline":
                evaluate_on_registers(num_pairs, sums)
            else:
                getattr(stages, name)()
            seconds[name].append(time.perf_counter() - start_s)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    return BlendFigures(
        pairs_per_pixel=num_pairs / (views.width_px * views.height_px),
        ms_project=1e3 * medians["project"],
        ms_bin=1e3 * medians["bin_splats"],
        ms_blend=1e3 * medians["blend"],
        ms_blend_backward=1e3 * medians["blend_backward"],
        ms_project_backward=1e3 * medians["project_backward"],
        ns_per_pair_forward=1e9 * medians["blend"] / num_pairs,
        ns_per_pair_backward=1e9 * medians["blend_backward"] / num_pairs,
        roofline_ns_per_pair=1e9 * medians["roofline"] / num_pairs,
        blend_to_roofline=medians["blend"] / medians["roofline"],
    )


def now_s(device: str) -> float:
    """Seconds, monotonic, once the device has done all that it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()
