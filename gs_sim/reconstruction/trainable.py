"""A Scene as flat leaf tensors that an optimiser can move, and back.

All parts lie in one set of rows; `segment` says whose each row is. Parked actors are held in the
world frame while they are optimised, so that only moving ones are transformed at each step.
"""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from gs_sim.geometry.pose import inverse, multiply_quaternions, quaternion_from_rotation, transform_points
from gs_sim.geometry.trajectory import poses_of
from gs_sim.reconstruction.boxes import is_inside_box
from gs_sim.scene.actor import Actor
from gs_sim.scene.gaussians import Gaussians, concatenate
from gs_sim.scene.scene import Scene, move_gaussians

BACKGROUND = 0
DISTANT = 1
FIRST_ACTOR = 2
"""Values of `segment`: the actor with index i owns the rows FIRST_ACTOR + i."""


@dataclass
class Trainable:
    """Leaf tensors of n Gaussians and, beside them, what stays fixed while they move.

    A centre is `anchors + pixel_m * offsets_px`: learning rates are in pixels, so near and far
    Gaussians move equally fast on screen.
    """

    offsets_px: Float32[Tensor, "n 3"]
    log_scales: Float32[Tensor, "n 3"]
    quaternions: Float32[Tensor, "n 4"]
    opacity_logits: Float32[Tensor, "n"]
    sh_base: Float32[Tensor, "n 1 3"]
    sh_rest: Float32[Tensor, "n r 3"]
    anchors: Float32[Tensor, "n 3"]
    pixel_m: Float32[Tensor, "n"]
    """Metres that one pixel of the nearest view spans at the Gaussian."""
    segment: Int64[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.anchors)

    def to(self, device: torch.device) -> "Trainable":
        """The same rows on another device."""
        return Trainable(*(getattr(self, f.name).to(device) for f in fields(self)))


LEAVES = ("offsets_px", "log_scales", "quaternions", "opacity_logits", "sh_base", "sh_rest")
"""The fields of Trainable that are optimised."""


def trainable_from(scene: Scene, camera_centres: Float32[Tensor, "v 3"], focal_px: float, sh_degree: int) -> Trainable:
    """Lay a scene out for optimisation, all but its backdrop; higher spherical harmonics start at zero."""
    parts, segment = [scene.background, scene.shell], [BACKGROUND, DISTANT]
    for index, actor in enumerate(scene.actors):
        is_moving = len(actor.world_from_box.poses) > 1 and not holds_still(actor)
        pose = actor.world_from_box.poses[0]
        parts.append(actor.gaussians_box if is_moving else move_gaussians(pose, actor.gaussians_box))
        segment.append(FIRST_ACTOR + index)
    joined = concatenate(parts)
    num_rest = (sh_degree + 1) ** 2 - 1
    rest = torch.zeros(len(joined), num_rest, 3)
    kept = min(num_rest, joined.sh.shape[1] - 1)
    rest[:, :kept] = joined.sh[:, 1 : 1 + kept]
    rows = torch.repeat_interleave(torch.tensor(segment), torch.tensor([len(part) for part in parts]))
    trainable = Trainable(
        offsets_px=torch.zeros_like(joined.means),
        log_scales=joined.log_scales.clone(),
        quaternions=joined.quaternions.clone(),
        opacity_logits=joined.opacity_logits.clone(),
        sh_base=joined.sh[:, :1].clone(),
        sh_rest=rest,
        anchors=joined.means.clone(),
        pixel_m=pixel_sizes(joined.means, camera_centres, focal_px),
        segment=rows,
    )
    for index in moving_actors(scene):
        mine = trainable.segment == FIRST_ACTOR + index
        path = scene.actors[index].world_from_box.poses[:, :3, 3].float()
        trainable.pixel_m[mine] = pixel_sizes(path, camera_centres, focal_px).min()
    return trainable


def pixel_sizes(
    points_world: Float32[Tensor, "n 3"], camera_centres: Float32[Tensor, "v 3"], focal_px: float
) -> Float32[Tensor, "n"]:
    """Metres per pixel at each point as seen from the nearest of the camera centres (at least 2 m away)."""
    nearest = torch.full((len(points_world),), float("inf"))
    for centre in camera_centres:
        nearest = torch.minimum(nearest, (points_world - centre).norm(dim=-1))
    return nearest.clamp(min=2.0) / focal_px


def holds_still(actor: Actor) -> bool:
    """Whether all poses of an actor are the same."""
    return bool((actor.world_from_box.poses == actor.world_from_box.poses[:1]).all())


def moving_actors(scene: Scene) -> tuple[int, ...]:
    """Indices of the actors whose Gaussians are optimised in their boxes."""
    return tuple(index for index, actor in enumerate(scene.actors) if not holds_still(actor))


def gaussians_of(trainable: Trainable, sh_degree: int) -> Gaussians:
    """The rows as Gaussians, moving actors still in their boxes; differentiable."""
    num_rest = (sh_degree + 1) ** 2 - 1
    sh = trainable.sh_base
    if num_rest:
        is_scenery = (trainable.segment < FIRST_ACTOR)[:, None, None]  # actors have no view dependence
        sh = torch.cat([sh, trainable.sh_rest[:, :num_rest] * is_scenery], dim=1)
    return Gaussians(
        means=torch.addcmul(trainable.anchors, trainable.offsets_px, trainable.pixel_m[:, None]),
        log_scales=trainable.log_scales,
        quaternions=trainable.quaternions,
        opacity_logits=trainable.opacity_logits,
        sh=sh,
    )


def claim_parked(trainable: Trainable, scene: Scene) -> int:
    """Give background rows that have got into a parked actor's box to that actor; returns how many.

    Otherwise a car would leave half of itself behind when it is removed.
    """
    with torch.no_grad():
        means = torch.addcmul(trainable.anchors, trainable.offsets_px, trainable.pixel_m[:, None])
        claimed = 0
        for index, actor in enumerate(scene.actors):
            if holds_still(actor):
                box_from_world = inverse(actor.world_from_box.poses[0]).to(means.device)
                is_inside = is_inside_box(transform_points(box_from_world, means), actor.size_m)
                is_inside &= trainable.segment == BACKGROUND
                trainable.segment[is_inside] = FIRST_ACTOR + index
                claimed += int(is_inside.sum())
    return claimed


def gaussians_at_view(trainable: Trainable, scene: Scene, stamp_ns: int, sh_degree: int) -> Gaussians:
    """All that is drawn at a moment: the rows in their places, then the backdrop; differentiable in the rows."""
    placed = place_moving(gaussians_of(trainable, sh_degree), trainable, scene, stamp_ns)
    return concatenate([placed, scene.backdrop.to(placed.means.device)]) if scene.num_backdrop else placed


def place_moving(gaussians: Gaussians, trainable: Trainable, scene: Scene, stamp_ns: int) -> Gaussians:
    """Move the rows of moving actors to where they are at a moment; those not there are not drawn (NaN)."""
    movers = moving_actors(scene)
    if not movers:
        return gaussians
    paths = [scene.actors[index].world_from_box for index in movers]
    is_there = torch.tensor([path.start_ns <= stamp_ns <= path.end_ns for path in paths])
    poses = poses_of(paths, stamp_ns)
    turns = quaternion_from_rotation(poses[:, :3, :3]).to(gaussians.quaternions)
    place_of = torch.full((FIRST_ACTOR + len(scene.actors),), -1)
    place_of[torch.tensor(movers) + FIRST_ACTOR] = torch.arange(len(movers))
    places = place_of.to(trainable.segment.device)[trainable.segment]
    rows = (places >= 0).nonzero()[:, 0]
    own = places[rows]
    world_from_box = poses.to(gaussians.means)[own]
    moved = torch.baddbmm(world_from_box[:, :3, 3:], world_from_box[:, :3, :3], gaussians.means[rows][:, :, None])
    placed = torch.where(is_there.to(own.device)[own, None], moved[:, :, 0], moved.new_tensor(float("nan")))
    turned = multiply_quaternions(turns[own], gaussians.quaternions[rows])
    return replace(
        gaussians,
        means=gaussians.means.index_copy(0, rows, placed),
        quaternions=gaussians.quaternions.index_copy(0, rows, turned),
    )


def scene_of(trainable: Trainable, scene: Scene) -> Scene:
    """Put optimised rows back into the scene they came from."""
    with torch.no_grad():
        degree = round((trainable.sh_rest.shape[1] + 1) ** 0.5) - 1
        rows = gaussians_of(trainable, degree)
        rows = Gaussians(*(getattr(rows, f.name).detach().clone().cpu() for f in fields(rows)))
        segment = trainable.segment.cpu()
        moving = moving_actors(scene)
        actors = []
        for index, actor in enumerate(scene.actors):
            mine = rows.select(segment == FIRST_ACTOR + index)
            mine = replace(mine, sh=mine.sh[:, :1])
            if index not in moving:
                mine = move_gaussians(inverse(actor.world_from_box.poses[0]), mine)
            actors.append(replace(actor, gaussians_box=mine))
        return replace(
            scene,
            background=rows.select(segment == BACKGROUND),
            distant=concatenate([rows.select(segment == DISTANT), scene.backdrop]),
            actors=tuple(actors),
        )
