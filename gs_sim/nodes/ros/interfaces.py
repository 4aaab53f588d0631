"""What `gs_sim_msgs` defines, or the sentence that says how to build it.

Without the build, `import gs_sim_msgs` succeeds in the root of the repository: Python takes the folder for
a package. So classes are imported by name, and a failure is explained.
"""

from gs_sim.errors import MissingFeatureError

try:
    from gs_sim_msgs.action import Reconstruct
    from gs_sim_msgs.msg import SceneInfo, VirtualSensor
    from gs_sim_msgs.srv import RenderView
except ImportError as error:
    raise MissingFeatureError(
        "the interfaces gs_sim_msgs are not built; in a workspace run "
        "`colcon build --base-paths src src/gs_sim/gs_sim_msgs` and source install/setup.bash, "
        f"elsewhere run `pip install ./gs_sim_msgs` ({error})"
    ) from error

__all__ = ["Reconstruct", "RenderView", "SceneInfo", "VirtualSensor"]
