"""`sensor_msgs/PointCloud2` of any field layout to points, intensities and raw times."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from gs_sim.errors import MessageError
from gs_sim.sources.messages.header import buffer_of

NUMPY_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
"""`sensor_msgs/PointField` datatypes."""

INTENSITY_FIELDS = ("intensity", "reflectivity", "i", "intensities", "reflectance", "signal")
TIME_FIELDS = ("time", "t", "timestamp", "time_stamp", "offset_time", "offsettime", "point_time", "rel_time", "ts")
"""Names drivers give to the time of a point, in order of preference."""

ORIGIN_M = 1e-6
"""A point this near to the sensor is no measurement but how its driver writes that nothing came back."""

Column = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Cloud:
    """The usable points of one message."""

    points_lidar: Float32[Tensor, "n 3"]
    intensities: Float32[Tensor, "n"]
    raw_times: Column | None
    """As the message has them, in whatever unit; None where it has none."""
    num_unusable: int
    """Points left out: not finite, or at the origin, which is how drivers mark no return."""


def field_names(message: Any) -> tuple[str, ...]:
    """All fields of a cloud, in the order of the message."""
    return tuple(str(field.name) for field in message.fields)


def time_field(names: tuple[str, ...]) -> str | None:
    """The field that holds the time of each point, or None."""
    return first_of(TIME_FIELDS, names)


def first_of(candidates: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    """The first candidate that is among the names, whatever their case; as the message spells it."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[candidate] for candidate in candidates if candidate in by_lower), None)


def decode_cloud(message: Any) -> Cloud:
    """Read a cloud; points that are not finite or at the origin are left out and counted.

    Raises:
        MessageError: x, y or z is missing, or the buffer and the layout contradict each other.
    """
    names = field_names(message)
    missing = [axis for axis in "xyz" if axis not in names]
    if missing:
        raise MessageError(f"a point cloud lacks the field {missing[0]}; it has: {', '.join(names) or 'none'}")
    table = structured_points(message)
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is left out
        columns = [table[axis].astype(np.float32) for axis in "xyz"]
    # column by column: numpy is ten times slower along an axis of three
    is_usable = np.isfinite(columns[0]) & np.isfinite(columns[1]) & np.isfinite(columns[2])
    is_usable &= (np.abs(columns[0]) > ORIGIN_M) | (np.abs(columns[1]) > ORIGIN_M) | (np.abs(columns[2]) > ORIGIN_M)
    points = np.stack([column[is_usable] for column in columns], axis=-1)
    intensity, time = first_of(INTENSITY_FIELDS, names), time_field(names)
    intensities = np.zeros(len(table), np.float32) if intensity is None else table[intensity].astype(np.float32)
    return Cloud(
        points_lidar=torch.from_numpy(points),
        intensities=torch.from_numpy(np.nan_to_num(intensities[is_usable], posinf=0.0, neginf=0.0)),
        raw_times=None if time is None else table[time][is_usable].astype(table[time].dtype.newbyteorder("=")),
        num_unusable=len(table) - len(points),
    )


def structured_points(message: Any) -> Column:
    """View the buffer as a flat array of records with one entry per field that is needed."""
    width, height, point_step = int(message.width), int(message.height), int(message.point_step)
    layout = point_layout(message)
    data = buffer_of(message.data)
    row_step = int(message.row_step) or width * point_step
    needed = row_step * (height - 1) + width * point_step if width and height else 0
    if row_step < width * point_step or len(data) < needed:
        raise MessageError(
            f"a point cloud of {width}x{height} points of {point_step} bytes in rows of {row_step} needs {needed} bytes, "
            f"but has {len(data)}; it is damaged, or its driver is"
        )
    if not needed:
        return np.empty(0, dtype=layout)
    rows = np.lib.stride_tricks.as_strided(data, (height, width * point_step), (row_step, 1), writeable=False)
    return np.ascontiguousarray(rows).reshape(-1).view(layout)


def point_layout(message: Any) -> np.dtype[Any]:
    """The numpy record type of one point, only of the fields that are read.

    Raises:
        MessageError: a field has an unknown type or lies outside its point.
    """
    names = field_names(message)
    wanted = {"x", "y", "z", first_of(INTENSITY_FIELDS, names), time_field(names)}
    chosen = {field.name: field for field in reversed(message.fields) if field.name in wanted}
    order = ">" if message.is_bigendian else "<"
    for field in chosen.values():
        size = np.dtype(NUMPY_TYPES.get(field.datatype, "u1")).itemsize
        if field.datatype not in NUMPY_TYPES or field.offset + size > message.point_step:
            raise MessageError(
                f"field '{field.name}' of a point cloud (type {field.datatype}, at byte {field.offset}) does not fit "
                f"into points of {message.point_step} bytes; it is damaged, or its driver is"
            )
    return np.dtype(
        {
            "names": list(chosen),
            "formats": [order + NUMPY_TYPES[field.datatype] for field in chosen.values()],
            "offsets": [field.offset for field in chosen.values()],
            "itemsize": message.point_step,
        }
    )
