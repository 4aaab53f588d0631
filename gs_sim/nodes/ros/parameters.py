"""Dataclasses of settings as ROS parameters: dotted names, types, bounds, descriptions and defaults.

The same dataclasses are the settings files and options of the command line. Parameters are read once, when
a node starts; they are read-only afterwards, which `ros2 param set` then says.
"""

from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from gs_sim.config import descriptions_of, override, ranges_of
from gs_sim.errors import ConfigError

Settings = TypeVar("Settings")

TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
}
ARRAY_TYPES = {str: Parameter.Type.STRING_ARRAY, int: Parameter.Type.INTEGER_ARRAY, float: Parameter.Type.DOUBLE_ARRAY}


def declare_settings(node: Node, defaults: Settings) -> Settings:
    """Declare every field as a parameter and return the settings with what the user chose.

    Raises:
        ConfigError: a value has the wrong type, is out of its bounds, or the settings refuse it.
    """
    return override(defaults, _declared(node, defaults, ""), where=f"parameters of {node.get_name()}")


def _declared(node: Node, defaults: Any, prefix: str) -> dict[str, Any]:  # any dataclass; values of any field
    descriptions, ranges = descriptions_of(type(defaults)), ranges_of(type(defaults))
    hints = get_type_hints(type(defaults))
    chosen: dict[str, Any] = {}
    for field in fields(defaults):
        name, value = field.name, getattr(defaults, field.name)
        if is_dataclass(value):
            chosen[name] = _declared(node, value, f"{prefix}{name}.")
            continue
        descriptor = ParameterDescriptor(description=descriptions.get(name, ""), read_only=True)
        if get_origin(hints[name]) is Literal:
            descriptor.additional_constraints = f"one of: {', '.join(map(repr, get_args(hints[name])))}"
        if name in ranges:
            low, high = ranges[name].low, ranges[name].high
            if isinstance(value, float):
                descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
            else:
                descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        chosen[name] = _declare(node, prefix + name, (hints[name], value), descriptor)
    return chosen


def _declare(node: Node, name: str, kind_and_default: tuple[Any, Any], descriptor: ParameterDescriptor) -> Any:
    kind, default = kind_and_default
    try:
        if get_origin(kind) is tuple:
            # an empty list has no type of its own, so the type is declared and the default laid below it
            array_type = ARRAY_TYPES[get_args(kind)[0]]
            node.declare_parameter(name, array_type, descriptor)
            return list(node.get_parameter_or(name, Parameter(name, array_type, list(default))).value or ())
        return node.declare_parameter(name, default, descriptor).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        expected = ARRAY_TYPES[get_args(kind)[0]].name if get_origin(kind) is tuple else TYPES[type(default)].name
        raise ConfigError(
            f"parameter '{name}' must be {expected.lower().replace('_', ' ')}"
            f"{_bounds(descriptor)}; {' '.join(str(error).split())}"
        ) from error


def _bounds(descriptor: ParameterDescriptor) -> str:
    for bounds in (*descriptor.floating_point_range, *descriptor.integer_range):
        return f" between {bounds.from_value} and {bounds.to_value}"
    return ""
