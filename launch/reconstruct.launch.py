"""Starts the node `reconstructor`: a bag, or a live drive by its action, becomes a scene.

ros2 launch gs_sim reconstruct.launch.py bag:=/path/to/bag
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("gs_sim")
PROFILES_FILE = (
    f"FAST{'RTPS' if os.environ.get('ROS_DISTRO') in {'humble', 'iron', 'jazzy'} else 'DDS'}_DEFAULT_PROFILES_FILE"
)
"""Fast DDS has changed its name."""

PARAMETERS = {
    "bag": ("bag", str),
    "scene": ("scene", str),
    "exit_when_done": ("exit_when_done", bool),
    "method": ("reconstruct.method", str),
    "steps": ("reconstruct.{method}.steps", int),
    "budget_s": ("reconstruct.{method}.budget_s", float),
    "width": ("reconstruct.width_px", int),
    "device": ("reconstruct.device", str),
    "fixed_frame": ("fixed_frame", str),
    "use_sim_time": ("use_sim_time", bool),
}
"""The parameter that an argument sets, and its type. One that was not given must not override params_file."""


def generate_launch_description() -> LaunchDescription:
    """Arguments, the node, and RViz if wished."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "bag",
                default_value="",
                description="Bag to reconstruct: a rosbag2 folder, .mcap, .db3 or ROS 1 .bag (empty: waits for the action)",
            ),
            DeclareLaunchArgument(
                "scene",
                default_value="",
                description="Folder for the scene (empty: beside the bag, named after it with _scene behind)",
            ),
            DeclareLaunchArgument(
                "exit_when_done",
                default_value="",
                description="true leaves when the bag is reconstructed, false waits for more",
            ),
            DeclareLaunchArgument(
                "method",
                default_value="",
                description="How the scene is refined, optimise or g3r; steps and budget_s are those of the method given here",
            ),
            DeclareLaunchArgument(
                "steps",
                default_value="",
                description="Steps of the refining loop; more is better and slower",
            ),
            DeclareLaunchArgument(
                "budget_s",
                default_value="",
                description="Seconds of the refining loop, instead of steps",
            ),
            DeclareLaunchArgument(
                "width",
                default_value="",
                description="Images are reduced to this width in pixels; 0 keeps their size",
            ),
            DeclareLaunchArgument(
                "device",
                default_value="",
                description="Where to compute: auto, cpu or cuda",
            ),
            DeclareLaunchArgument(
                "fixed_frame",
                default_value="",
                description="The frame that scenes are shown in",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                description="true takes time from /clock, for drives that are played",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([SHARE, "config", "reconstructor.param.yaml"]),
                description="YAML file of parameters; it decides what is left empty here",
            ),
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node and its topics"),
            DeclareLaunchArgument(
                "rviz",
                default_value="false",
                description="Also start RViz, which shows topics without a namespace",
            ),
            DeclareLaunchArgument(
                "fastdds_profile",
                default_value=EnvironmentVariable(
                    PROFILES_FILE, default_value=PathJoinSubstitution([SHARE, "config", "fastdds_shm.xml"])
                ),
                description="Profile of Fast DDS; the shipped one gives it enough shared memory for camera images",
            ),
            SetEnvironmentVariable(PROFILES_FILE, LaunchConfiguration("fastdds_profile")),
            OpaqueFunction(function=_reconstructor),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", PathJoinSubstitution([SHARE, "rviz", "gs_sim.rviz"])],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )


def _reconstructor(context: LaunchContext) -> list[Node]:
    method = LaunchConfiguration("method").perform(context) or "optimise"
    given = {
        parameter.format(method=method): ParameterValue(LaunchConfiguration(argument), value_type=kind)
        for argument, (parameter, kind) in PARAMETERS.items()
        if LaunchConfiguration(argument).perform(context)
    }
    return [
        Node(
            package="gs_sim",
            executable="reconstructor",
            name="reconstructor",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given],
            output="screen",
            on_exit=Shutdown(),
        )
    ]
