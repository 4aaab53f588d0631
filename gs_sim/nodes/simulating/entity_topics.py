"""Entities on topics: `actor_odometry` moves them; the vehicle's own pose and boxes for RViz go out."""

from geometry_msgs.msg import Transform, TransformStamped, Vector3
from nav_msgs.msg import Odometry
from rclpy.node import Node
from visualization_msgs.msg import Marker, MarkerArray

from gs_sim.errors import GsSimError
from gs_sim.geometry.pose import inverse
from gs_sim.nodes.ros.conversions import (
    header_message,
    pose_message,
    vector_message,
)
from gs_sim.nodes.ros.inputs import Inputs
from gs_sim.nodes.ros.optional_messages import TFMessage
from gs_sim.nodes.ros.qos import stream
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.places import Places
from gs_sim.simulation.entity import Motion
from gs_sim.simulation.world import EGO
from gs_sim.sources.messages.header import frame_id, stamp_ns
from gs_sim.sources.messages.pose import child_frame_id

MARKERS_EVERY_NS = 100_000_000


class EntityTopics:
    """Publishes at each moment that the host announces, and only what somebody listens to."""

    def __init__(self, node: Node, host: SimulationHost, places: Places, inputs: Inputs) -> None:
        self._node, self._host, self._places = node, host, places
        self.settings = host.settings
        self.num_refused = 0
        self._boxes = node.create_publisher(MarkerArray, "~/entities", stream())
        self._odometry = self._tf = None
        if not host.waits_for_poses:
            self._odometry = node.create_publisher(Odometry, "ego/odometry", stream(10))
            if host.settings.publish_tf and TFMessage is not None:
                self._tf = node.create_publisher(TFMessage, "/tf", stream(100))
        self._last_boxes_ns = -MARKERS_EVERY_NS
        inputs.add(Odometry, "actor_odometry", self._on_actor, depth=50)

    def publish(self, stamp_ns: int) -> None:
        """Say where everything is at this moment; called under the host's lock."""
        if self._odometry is not None:
            self._publish_ego(stamp_ns)
        is_time = not 0 <= stamp_ns - self._last_boxes_ns < MARKERS_EVERY_NS
        if is_time and self._boxes.get_subscription_count():
            self._last_boxes_ns = stamp_ns
            self._boxes.publish(self._markers(stamp_ns))

    def _publish_ego(self, stamp_ns: int) -> None:
        assert self._odometry is not None
        is_heard = self._odometry.get_subscription_count() > 0
        if self._tf is None and not is_heard:
            return
        simulator, frame, child = self._host.simulator, self.settings.fixed_frame, self.settings.base_frame
        motion = simulator.world.motion_of(EGO, simulator.now_ns)
        pose = pose_message(simulator.world.scene.map_from_world @ motion.world_from_box)
        header = header_message(frame, stamp_ns)
        if is_heard:
            box_from_world = inverse(motion.world_from_box)[:3, :3]
            odometry = Odometry(header=header, child_frame_id=child)
            odometry.pose.pose = pose
            odometry.twist.twist.linear = vector_message((box_from_world @ motion.velocity_mps).tolist())
            odometry.twist.twist.angular = vector_message((box_from_world @ motion.turn_rate_radps).tolist())
            self._odometry.publish(odometry)
        if self._tf is not None:
            place = pose.position
            transform = Transform(translation=Vector3(x=place.x, y=place.y, z=place.z), rotation=pose.orientation)
            message = TransformStamped(header=header, child_frame_id=child, transform=transform)
            self._tf.publish(TFMessage(transforms=[message]))

    def _markers(self, stamp_ns: int) -> MarkerArray:
        world, now_ns = self._host.simulator.world, self._host.simulator.now_ns
        markers = [Marker(action=Marker.DELETEALL)]
        for number, (entity, world_from_box) in enumerate(world.present_at(now_ns)):
            marker = Marker(
                header=header_message(self.settings.fixed_frame, stamp_ns),
                ns="entities",
                id=number,
                type=Marker.CUBE,
                action=Marker.ADD,
                pose=pose_message(world.scene.map_from_world @ world_from_box),
                scale=Vector3(x=entity.size_m[0], y=entity.size_m[1], z=entity.size_m[2]),
                text=entity.name,
            )
            marker.color.r, marker.color.g, marker.color.b, marker.color.a = 0.2, 0.6, 1.0, 0.4
            markers.append(marker)
        return MarkerArray(markers=markers)

    def _on_actor(self, message: Odometry) -> None:
        """Move the entity that `child_frame_id` names; its twist is in its own frame, as Odometry has it."""
        try:
            with self._host.lock:
                at_ns = self._host.scene_ns(stamp_ns(message.header))
                world_from_box = self._places.world_from(message.pose.pose, frame_id(message.header), at_ns)
                linear, angular = message.twist.twist.linear, message.twist.twist.angular
                velocity = world_from_box.new_tensor([linear.x, linear.y, linear.z])
                turn_rate = world_from_box.new_tensor([angular.x, angular.y, angular.z])
                rotation = world_from_box[:3, :3]
                motion = Motion(at_ns, world_from_box, rotation @ velocity, rotation @ turn_rate)
                self._host.simulator.world.command(child_frame_id(message), motion)
        except GsSimError as error:
            self.num_refused += 1
            self._node.get_logger().warning(f"actor_odometry: {error}", throttle_duration_sec=5.0)
