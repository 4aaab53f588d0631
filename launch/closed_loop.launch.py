"""Starts `sensor_sim` as the simulator that owns time, and the example that drives and brakes by what it sees.

ros2 launch gs_sim closed_loop.launch.py scene:=/path/to/scene
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def generate_launch_description() -> LaunchDescription:
    """Arguments, the simulator, and the vehicle with its controller; simulate.launch.py has further arguments."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("scene", description="Folder of the scene"),
            DeclareLaunchArgument(
                "rig",
                default_value="front_640x360.yaml",
                description="Virtual cameras: a file of the shipped config/rigs or the absolute path of your own; the example "
                "looks through a camera front that has depth",
            ),
            DeclareLaunchArgument(
                "is_playing",
                default_value="true",
                description="false waits for set_simulation_state, step_simulation or simulate_steps",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of both nodes and their topics"
            ),
            IncludeLaunchDescription(
                # a plain path, so that --show-args shows its arguments too
                PythonLaunchDescriptionSource(str(Path(__file__).with_name("simulate.launch.py"))),
                launch_arguments={
                    "scene": LaunchConfiguration("scene"),
                    "rig": LaunchConfiguration("rig"),
                    "pose_source": "odometry",
                    "publish_clock": "true",
                    "is_playing": LaunchConfiguration("is_playing"),
                }.items(),
            ),
            Node(
                package="gs_sim",
                executable="braking_example",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                on_exit=Shutdown(),
            ),
        ]
    )
