"""`nav_msgs/Path` as a trajectory."""

from typing import Any

import torch

from gs_sim.errors import InputError
from gs_sim.geometry.trajectory import Trajectory
from gs_sim.sources.messages.header import stamp_ns
from gs_sim.sources.messages.pose import pose_from_message


def path_from_message(message: Any) -> Trajectory:
    """The poses of a path in its frame, by their stamps.

    Raises:
        InputError: it is empty, its stamps do not increase, or a pose is none.
    """
    if not message.poses:
        raise InputError("the path has no pose")
    stamps_ns = [stamp_ns(stamped.header) for stamped in message.poses]
    poses = torch.stack([pose_from_message(stamped.pose) for stamped in message.poses])
    return Trajectory(torch.tensor(stamps_ns, dtype=torch.int64), poses)
