"""How fast the synthetic street is drawn and rendered."""

from collections.abc import Callable
from dataclasses import dataclass

from gs_sim.sources.street.recording import StreetRecording
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import draw_street


@dataclass(frozen=True)
class StreetBenchmark:
    """Speed of one street."""

    width_px: int
    height_px: int
    device: str
    num_images: int
    seconds_draw: float
    images_per_s: float
    sweeps_per_s: float


def run_street_benchmark(settings: StreetSettings, num_images: int, clock: Callable[[], float]) -> StreetBenchmark:
    """Draw a street and render images of its front camera and as many sweeps; the first of each warms up."""
    start_s = clock()
    street = draw_street(settings)
    drawn_s = clock()
    recording = StreetRecording(street)
    images_s = _seconds_of(lambda i: list(recording.frames("front", [i])), num_images, clock)
    lidar_name = recording.rig.lidars[0].name
    sweeps_s = _seconds_of(lambda i: list(recording.sweeps(lidar_name, [i])), num_images, clock)
    return StreetBenchmark(
        width_px=settings.width_px,
        height_px=settings.height_px,
        device=street.device,
        num_images=num_images,
        seconds_draw=drawn_s - start_s,
        images_per_s=num_images / images_s,
        sweeps_per_s=num_images / sweeps_s,
    )


def _seconds_of(work: Callable[[int], object], count: int, clock: Callable[[], float]) -> float:
    work(0)
    start_s = clock()
    for index in range(1, count + 1):
        work(index)
    return clock() - start_s
