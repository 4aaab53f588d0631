"""The drives that reconstruction is measured on: unseen streets, cast once and kept in memory."""

from dataclasses import dataclass

from gs_sim.sensing.recording import MemoryRecording
from gs_sim.sources.street.recording import StreetRecording, cast_all
from gs_sim.sources.street.settings import StreetSettings
from gs_sim.sources.street.street import draw_street

FIRST_SEED = 1
"""Training draws its streets from 100000 on: these are unseen."""


@dataclass(frozen=True)
class StreetDrives:
    """Streets of equal size and length, one for each seed."""

    num: int = 10
    width_px: int = 240
    duration_s: float = 2.4
    device: str = "auto"

    def seeds(self) -> range:
        """Of all drives."""
        return range(FIRST_SEED, FIRST_SEED + self.num)

    def recording(self, seed: int) -> MemoryRecording:
        """Draw a street and cast every image and sweep once."""
        street = StreetSettings(
            seed=seed,
            duration_s=self.duration_s,
            width_px=self.width_px,
            height_px=self.width_px * 9 // 16,
            num_cameras=1,
            displaced_every=12,
            lidar_rings=32,
            lidar_columns=600,
            lidar_rate_hz=5.0,
            samples_per_edge_pixel=2,
            device=self.device,
        )
        return cast_all(StreetRecording(draw_street(street)))
