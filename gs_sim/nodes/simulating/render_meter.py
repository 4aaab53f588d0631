"""How fast images leave: counts and latencies of the last second, for /diagnostics."""

import threading
import time
from statistics import median


class RenderMeter:
    """Notes each published image; read and emptied once a second.

    A latency begins when the node hears a pose (or begins a step) and ends when the image has been handed to DDS.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies_ms: list[float] = []
        self._renders_ms: list[float] = []
        self._since_s = time.monotonic()
        self._num_images = 0

    @staticmethod
    def now_s() -> float:
        """A steady clock, for `note`."""
        return time.monotonic()

    def note(self, heard_s: float, render_s: float) -> None:
        """One image was published for a pose that came at `heard_s`; rendering it took `render_s` of the time since."""
        with self._lock:
            self._latencies_ms.append((time.monotonic() - heard_s) * 1e3)
            self._renders_ms.append(render_s * 1e3)
            self._num_images += 1

    def read(self) -> dict[str, str]:
        """Images per second and latencies since the last reading."""
        with self._lock:
            latencies, self._latencies_ms = sorted(self._latencies_ms), []
            renders, self._renders_ms = self._renders_ms, []
            now_s = time.monotonic()
            elapsed_s, self._since_s = now_s - self._since_s, now_s
            num_images = self._num_images
        values = {"images": str(num_images), "images_per_s": f"{len(latencies) / max(elapsed_s, 1e-3):.1f}"}
        if latencies:
            values["latency_ms_median"] = f"{median(latencies):.2f}"
            values["latency_ms_p95"] = f"{latencies[min(len(latencies) - 1, round(0.95 * len(latencies)))]:.2f}"
            values["render_ms_median"] = f"{median(renders):.2f}"
        return values
