"""A clock for what must go on whatever time the simulation has: looking for publishers, diagnostics, real-time pace."""

from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # Humble has it nowhere else


def steady_clock() -> Clock:
    """A clock that never stops or jumps; timers of a node with `use_sim_time` would wait for /clock."""
    return Clock(clock_type=ClockType.STEADY_TIME)
