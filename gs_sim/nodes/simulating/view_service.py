"""`~/render_view`: what any camera at any pose sees, now or at any moment of the drive."""

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from gs_sim.errors import GsSimError, InputError
from gs_sim.geometry.camera import Camera
from gs_sim.nodes.ros.conversions import camera_info_message, depth_message, image_message
from gs_sim.nodes.ros.interfaces import RenderView
from gs_sim.nodes.simulating.host import SimulationHost
from gs_sim.nodes.simulating.places import Places
from gs_sim.sources.messages.camera_info import camera_from_info
from gs_sim.sources.messages.header import frame_id, stamp_ns


class ViewService:
    """Answers each request with an image or the sentence that says what is wrong with it."""

    def __init__(self, node: Node, host: SimulationHost, places: Places, group: CallbackGroup) -> None:
        self._host, self._places = host, places
        node.create_service(RenderView, "~/render_view", self._answer, callback_group=group)

    def _answer(self, request: RenderView.Request, response: RenderView.Response) -> RenderView.Response:
        try:
            self._render(request, response)
        except GsSimError as error:
            response.success, response.message = False, str(error)
        else:
            response.success = True
        return response

    def _render(self, request: RenderView.Request, response: RenderView.Response) -> None:
        camera = self._camera_of(request)
        header = request.pose.header
        with self._host.lock:
            at_ns = self._host.scene_ns(stamp_ns(header))
            world_from_camera = self._places.world_from(request.pose.pose, frame_id(header), at_ns)
            image = self._host.simulator.look(camera, world_from_camera, at_ns)
        response.image = image_message(header, image.rgb)
        response.camera_info = camera_info_message(header, camera)
        if request.with_depth:
            response.depth = depth_message(header, image.depth_m)

    def _camera_of(self, request: RenderView.Request) -> Camera:
        info, limit = request.camera_info, self._host.settings.max_image_mpx
        if info.width * info.height > limit * 1e6:
            raise InputError(
                f"an image of {info.width}x{info.height} px was asked for; at most max_image_mpx ({limit:g} megapixels) "
                "is rendered; make it smaller, or raise that parameter"
            )
        return camera_from_info(info, is_rectified=False)
