"""`vision_msgs/Detection3DArray` of any release: the fields that are there tell which one it is."""

import math
from dataclasses import dataclass
from typing import Any

from gs_sim.errors import MessageError
from gs_sim.sources.detection import Detection
from gs_sim.sources.messages.header import frame_id, stamp_ns
from gs_sim.sources.messages.pose import pose_from_message


@dataclass(frozen=True)
class StampedDetections:
    """The boxes of one message, each with the frame it is given in."""

    stamp_ns: int
    boxes: tuple[tuple[str, Detection], ...]
    num_unusable: int
    """Boxes left out: without a size, or with a pose that is not finite or no rotation."""


def detections_from_message(message: Any) -> StampedDetections:
    """Read tracked boxes; unusable ones are left out and counted."""
    boxes = []
    num_unusable = 0
    for detection in message.detections:
        size = detection.bbox.size
        size_m = (float(size.x), float(size.y), float(size.z))
        try:
            pose = pose_from_message(detection.bbox.center)
        except MessageError:
            num_unusable += 1
            continue
        if not all(math.isfinite(length) and length > 0 for length in size_m):
            num_unusable += 1
            continue
        frame = frame_id(detection.header) or frame_id(message.header)
        boxes.append((frame, Detection(track_id(detection), label(detection), size_m, pose)))
    return StampedDetections(stamp_ns(message.header), tuple(boxes), num_unusable)


def track_id(detection: Any) -> str:
    """`id` since release 4, `tracking_id` in some before it; empty if there is neither."""
    return str(getattr(detection, "id", "") or getattr(detection, "tracking_id", ""))


def label(detection: Any) -> str:
    """The most certain class: `hypothesis.class_id` since release 4, `hypothesis.id` or `id` before it."""
    if not detection.results:
        return "unknown"
    hypotheses = [getattr(result, "hypothesis", result) for result in detection.results]
    best = max(hypotheses, key=lambda hypothesis: float(hypothesis.score))
    found = getattr(best, "class_id", "") if hasattr(best, "class_id") else getattr(best, "id", "")
    return str(found).lower() or "unknown"
