"""What a learned step costs, by part, and how that grows with Gaussians, pixels and views."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from gs_sim.benchmark.rasterizer import now_s
from gs_sim.benchmark.simulation_scene import CAMERA_NAME, START_NS, simulation_scene
from gs_sim.jobs.hardware import peak_memory_mb
from gs_sim.reconstruction.g3r.evidence import hear, no_evidence
from gs_sim.reconstruction.g3r.lift import lift, render_rows
from gs_sim.reconstruction.g3r.networks import G3RNetworks, NetworkSettings, find_places, time_embedding
from gs_sim.reconstruction.g3r.state import neural_gaussians
from gs_sim.reconstruction.g3r.step import Moment, settle, take_step
from gs_sim.reconstruction.trainable import trainable_from
from gs_sim.reconstruction.views import TrainingView


@dataclass(frozen=True)
class G3RCostSettings:
    """What to measure: one thing varies at a time, around the middle of the first two lists."""

    num_gaussians: tuple[int, ...] = (50_000, 100_000, 200_000, 400_000)
    """Sizes of the scene, smallest first."""
    widths_px: tuple[int, ...] = (160, 320, 640)
    """Widths of the images, which are 16:9."""
    views_per_step: tuple[int, ...] = (1, 2, 4, 8)
    """Source views of a step."""
    repeats: int = 3
    """Each figure is the median of so many runs, after one to warm up."""
    seed: int = 0
    """Draws the scene and the weights."""
    device: str = "cpu"

    def cases(self) -> Iterator[tuple[int, int, int]]:
        """Gaussians, width and views of each case; the scene grows first, so that peak memory tells of it."""
        num, width_px, views = self.num_gaussians[len(self.num_gaussians) // 2 - 1], self.widths_px[1], 4
        yield from ((each, width_px, views) for each in self.num_gaussians)
        yield from ((num, each, views) for each in self.widths_px if each != width_px)
        yield from ((num, width_px, each) for each in self.views_per_step if each != views)


@dataclass(frozen=True)
class G3RCost:
    """Seconds of one case; medians."""

    num_gaussians: int
    width_px: int
    views_per_step: int
    step_s: float
    """A whole step with its check, without probing the curvature."""
    render_s: float
    """One view."""
    backward_s: float
    """One view."""
    probe_s: float
    """Of the curvature, one view."""
    networks_s: float
    """Once in a step."""
    peak_memory_mb: int
    """Of the process until then; on CUDA of the tensors of this case."""


def run_g3r_cost(settings: G3RCostSettings, on_case: Callable[[G3RCost], None]) -> tuple[G3RCost, ...]:
    """Measure every case; `on_case` hears of each as it is done.

    Raises:
        MissingFeatureError: the device is cuda and gsplat is missing.
    """
    costs = []
    for num, width_px, views in settings.cases():
        costs.append(_measure(num, width_px, views, settings))
        on_case(costs[-1])
    return tuple(costs)


def memory_mb_per_million(costs: tuple[G3RCost, ...], settings: G3RCostSettings) -> float:
    """Growth of peak memory from the smallest to the largest scene, in megabytes for each million of Gaussians."""
    first, last = costs[0], costs[len(settings.num_gaussians) - 1]
    more = last.num_gaussians - first.num_gaussians
    return (last.peak_memory_mb - first.peak_memory_mb) / max(1, more) * 1e6


def _measure(num: int, width_px: int, num_views: int, settings: G3RCostSettings) -> G3RCost:
    device = torch.device(settings.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    generator = torch.Generator().manual_seed(settings.seed)
    scene = simulation_scene(num, (width_px, width_px * 9 // 16), generator)
    camera = scene.rig.camera(CAMERA_NAME).camera
    rgb = torch.randint(0, 256, (camera.height_px, camera.width_px, 3), generator=generator, dtype=torch.uint8)
    view = TrainingView(CAMERA_NAME, 0, START_NS, camera, rgb, torch.eye(4, dtype=torch.float64))
    networks = G3RNetworks(NetworkSettings(), generator).to(device).requires_grad_(False)
    layout = trainable_from(scene, torch.zeros(1, 3), camera.fx, 0).to(device)
    places = find_places(layout, torch.zeros(3, device=device), networks.settings)
    state = neural_gaussians(layout, networks.settings.num_latent)
    decoded = networks.decode(state)
    evidence = hear(
        no_evidence(len(state), state.explicit), lift(decoded, layout, scene, view, torch.Generator().manual_seed(0))
    )
    moment, instant = Moment(1, 24, 1.0, None), time_embedding(1, 24, 1.0).to(device)

    def render() -> None:
        with torch.no_grad():
            render_rows(decoded, layout, scene, view)

    def step() -> None:
        with torch.no_grad():
            taken = take_step(networks, (state, evidence), (scene, places), [view] * num_views, moment)
            settle(networks, state, taken, (scene, view), 1.0)

    def seconds(work: Callable[[], object]) -> float:
        times = []
        for _ in range(settings.repeats + 1):
            start_s = now_s(settings.device)
            work()
            times.append(now_s(settings.device) - start_s)
        return statistics.median(times[1:])

    render_s = seconds(render)
    lift_s = seconds(lambda: lift(decoded, layout, scene, view))
    probed_s = seconds(lambda: lift(decoded, layout, scene, view, torch.Generator().manual_seed(0)))
    return G3RCost(
        num_gaussians=num,
        width_px=width_px,
        views_per_step=num_views,
        step_s=seconds(step),
        render_s=render_s,
        backward_s=lift_s - render_s,
        probe_s=probed_s - lift_s,
        networks_s=seconds(lambda: networks(state, evidence, places, instant)),
        peak_memory_mb=_peak_memory_mb(device),
    )


def _peak_memory_mb(device: torch.device) -> int:
    return round(torch.cuda.max_memory_allocated() / 1e6) if device.type == "cuda" else peak_memory_mb()
