"""Starts the node `sensor_sim`: virtual cameras in a scene.

ros2 launch gs_sim simulate.launch.py scene:=/path/to/scene rig:=front_640x360.yaml
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
    "scene": ("scene", str),
    "rig": ("rig", str),
    "device": ("device", str),
    "pose_source": ("pose_source", str),
    "scene_time": ("scene_time", str),
    "fixed_frame": ("fixed_frame", str),
    "base_frame": ("base_frame", str),
    "publish_clock": ("publish_clock", bool),
    "is_playing": ("is_playing", bool),
    "step_s": ("step_s", float),
    "real_time_factor": ("real_time_factor", float),
    "use_sim_time": ("use_sim_time", bool),
}
"""The parameter that an argument sets, and its type. One that was not given must not override params_file."""
VALUES = {"rig": PathJoinSubstitution([SHARE, "config", "rigs", LaunchConfiguration("rig")])}
"""Where the value is not the argument itself. Joining leaves an absolute path as it is."""


def generate_launch_description() -> LaunchDescription:
    """Arguments, the node, and RViz if wished."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "scene",
                default_value="",
                description="Folder of the scene (empty: waits for the service load_world)",
            ),
            DeclareLaunchArgument(
                "rig",
                default_value="",
                description="Virtual cameras: a file of the shipped config/rigs, such as surround_6.yaml, or the absolute path "
                "of your own (empty: the cameras that recorded the scene)",
            ),
            DeclareLaunchArgument(
                "device",
                default_value="",
                description="Where to render: auto, cpu or cuda",
            ),
            DeclareLaunchArgument(
                "pose_source",
                default_value="",
                description="Where the vehicle is: odometry or pose (topics), tf, log (its recorded path), or command "
                "(set_entity_state)",
            ),
            DeclareLaunchArgument(
                "odometry_topic",
                default_value="odometry",
                description="Topic of the vehicle's Odometry, with pose_source odometry",
            ),
            DeclareLaunchArgument(
                "pose_topic",
                default_value="pose",
                description="Topic of the vehicle's PoseStamped, with pose_source pose",
            ),
            DeclareLaunchArgument(
                "scene_time",
                default_value="",
                description="Where actors are at a pose: as logged at its stamp (stamp), or as long after the drive's start "
                "as since the first pose (elapsed)",
            ),
            DeclareLaunchArgument(
                "fixed_frame",
                default_value="",
                description="The frame that the scene is placed in",
            ),
            DeclareLaunchArgument(
                "base_frame",
                default_value="",
                description="The frame of the vehicle",
            ),
            DeclareLaunchArgument(
                "publish_clock",
                default_value="",
                description="true: the node is the simulator, owns time and publishes /clock",
            ),
            DeclareLaunchArgument(
                "is_playing",
                default_value="",
                description="true starts playing instead of stopped, with publish_clock",
            ),
            DeclareLaunchArgument(
                "step_s",
                default_value="",
                description="Seconds of one simulation step, with publish_clock",
            ),
            DeclareLaunchArgument(
                "real_time_factor",
                default_value="",
                description="Simulated seconds per second while playing, 0 as fast as possible, with publish_clock",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                description="true takes time from the /clock of somebody else",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([SHARE, "config", "sensor_sim.param.yaml"]),
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
            OpaqueFunction(function=_sensor_sim),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", PathJoinSubstitution([SHARE, "rviz", "gs_sim.rviz"])],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )


def _sensor_sim(context: LaunchContext) -> list[Node]:
    given = {
        parameter: ParameterValue(VALUES.get(argument, LaunchConfiguration(argument)), value_type=kind)
        for argument, (parameter, kind) in PARAMETERS.items()
        if LaunchConfiguration(argument).perform(context)
    }
    return [
        Node(
            package="gs_sim",
            executable="sensor_sim",
            name="sensor_sim",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given],
            remappings=[
                ("odometry", LaunchConfiguration("odometry_topic")),
                ("pose", LaunchConfiguration("pose_topic")),
            ],
            output="screen",
            on_exit=Shutdown(),
        )
    ]
