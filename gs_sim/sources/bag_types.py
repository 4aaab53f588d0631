"""The message types of a bag: as it defines them, or the common ones where it does not or its text is damaged."""

from collections.abc import Sequence
from typing import Any

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from gs_sim.sources.message_types import ros1_types, ros2_types

VARIED_FIELDS = {
    "vision_msgs/msg/Detection3DArray": {"header", "detections"},
    "vision_msgs/msg/Detection3D": {"header", "results", "bbox"},
    "vision_msgs/msg/BoundingBox3D": {"center", "size"},
    "vision_msgs/msg/ObjectHypothesisWithPose": {"pose"},
    "vision_msgs/msg/ObjectHypothesis": {"score"},
}
"""What every release of these types has; all other types that are read never changed."""


def read_types(
    connections: Sequence[Connection], errors: tuple[type[BaseException], ...], *, is_ros1: bool
) -> tuple[Typestore, list[str]]:
    """The types of all topics, and notes about definitions that could not be used.

    Args:
        connections: the topics of the bag.
        errors: what may be raised by parsing a damaged definition.
        is_ros1: which common types stand in where the bag has none.
    """
    common = (ros1_types() if is_ros1 else ros2_types()).fielddefs
    store = get_typestore(Stores.EMPTY)
    notes = []
    for connection in {c.msgtype: c for c in reversed(connections)}.values():
        notes += register_definitions(store, connection, common, errors)
    missing = {c.msgtype for c in connections} - store.fielddefs.keys()
    if notes or missing & common.keys():
        store.register({key: value for key, value in common.items() if key not in store.fielddefs})
    return store, notes


def register_definitions(
    store: Typestore, connection: Connection, common: Any, errors: tuple[type[BaseException], ...]
) -> list[str]:
    """Add the types that a topic brings along, and tell which of them cannot be used."""
    try:
        types = definitions(connection)
        usable = {key: value for key, value in types.items() if has_its_fields(key, value, common)}
        store.register({key: value for key, value in usable.items() if key not in store.fielddefs})
    except errors as error:
        return [f"the definition of {connection.msgtype} cannot be read ({describe(error)})"]
    return [
        f"the bag's definition of {name} lacks fields; the common one is used" for name in types if name not in usable
    ]


def has_its_fields(name: str, definition: Any, common: Any) -> bool:
    """Whether a definition names all fields that are read; one that was damaged may parse and still lack some."""
    if name not in common:
        return True
    fields = {field.lower() for field, _ in definition[1]}
    return VARIED_FIELDS.get(name, {field.lower() for field, _ in common[name][1]} - {"seq"}) <= fields


def definitions(connection: Connection) -> dict[str, Any]:
    """Parse the type definitions that a bag stores with a topic; empty if it stores none."""
    form, text = connection.msgdef
    if form == MessageDefinitionFormat.NONE:
        return {}
    if form == MessageDefinitionFormat.MSG:
        return dict(get_types_from_msg(text, connection.msgtype))
    separator = "=" * 80 + "\n"
    if not text.startswith(f"{separator}IDL: "):
        return dict(get_types_from_idl(text))
    found: dict[str, Any] = {}
    for part in text.split(separator)[1:]:
        found.update(get_types_from_idl(part.split("\n", 1)[1]))
    return found


def describe(error: BaseException) -> str:
    """An error of another package in few words."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
