"""What sensor_sim says of itself once a second."""

from gs_sim.nodes.ros.diagnostics import Status
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.vehicle_pose import VehiclePose


def renderer_status(host: SimulationHost, pose: VehiclePose) -> Status:
    """How rendering is, with what was heard and what could not be used."""
    simulator, worker = host.simulator, host.worker
    state = simulator.state if host.settings.publish_clock or simulator.state == "no_world" else "following"
    values: dict[str, object] = {"state": state, "steps": simulator.num_steps, **host.meter.read()}
    values |= {"poses": pose.num_heard, "poses_replaced_by_newer": worker.num_replaced}
    values |= {"poses_late": host.poses.num_late, "poses_ahead_of_time": host.poses.num_ahead}
    unusable = pose.unusable.counts + host.unusable.counts
    values |= {"faults": worker.num_failed, **unusable}
    if simulator.state == "no_world":
        return Status("warn", "no scene is loaded", values)
    if worker.take_news():
        return Status("error", "rendering failed; see the log", values)
    if (num_new := pose.unusable.take_news() + host.unusable.take_news()) > 0:
        return Status("warn", f"{num_new} poses could not be used in the last second: {next(iter(unusable))}", values)
    if host.waits_for_poses and not pose.num_heard:
        return Status("warn", f"no pose of the vehicle came from '{host.settings.pose_source}' yet", values)
    return Status("ok", "rendering", values)
