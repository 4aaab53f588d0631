"""What the settings file of `reconstruct` and `inspect` may say."""

from dataclasses import dataclass, field

from gs_sim.reconstruction.reconstruct import ReconstructionSettings
from gs_sim.sources.bag_settings import BagSettings


@dataclass(frozen=True)
class CommandSettings(ReconstructionSettings):
    """Everything about a reconstruction, and how to read the bag."""

    bag: BagSettings = field(default_factory=BagSettings)
