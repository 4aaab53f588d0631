"""The tf tree of a drive: who is mounted where, and how frames moved.

Our own, since tf2 lives only inside a running ROS; and unlike tf2 it knows the whole drive, so it
interpolates between any two transforms and never has to wait for one.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from gs_sim.errors import FrameLinkError
from gs_sim.geometry.pose import inverse
from gs_sim.geometry.trajectory import Trajectory, poses_at

Link = tuple[str, str]
"""Parent and child."""

STILL_M, STILL_RAD = 1e-3, 1e-4
"""A transform that never leaves these bounds is a mount, even if it was published as moving (as ROS 1 did)."""


@dataclass(frozen=True)
class TransformTree:
    """Transforms by (parent, child), each `parent_from_child`."""

    static: dict[Link, Float64[Tensor, "4 4"]]
    moving: dict[Link, Trajectory]

    @property
    def links(self) -> set[Link]:
        """All (parent, child) pairs."""
        return {*self.static, *self.moving}


@dataclass(frozen=True)
class Step:
    """One link of a chain, walked from parent to child, or back up."""

    link: Link
    is_down: bool


def build_tree(static: Mapping[Link, Float64[Tensor, "4 4"]], published: Mapping[Link, Trajectory]) -> TransformTree:
    """Put `/tf_static` and `/tf` together; links of `/tf` that never move become static."""
    moving = {link: path for link, path in published.items() if not is_still(path)}
    still = {link: path.poses[0] for link, path in published.items() if link not in moving}
    return TransformTree({link: pose for link, pose in (still | dict(static)).items() if link not in moving}, moving)


def is_still(path: Trajectory) -> bool:
    """Whether a link with several poses never moves; a single pose tells nothing and counts as still."""
    change = (path.poses - path.poses[0]).abs()
    return bool(change[:, :3, 3].max() < STILL_M and change[:, :3, :3].max() < STILL_RAD)


def chain_between(tree: TransformTree, target: str, source: str) -> list[Step]:
    """The shortest chain of links from `target` to `source`, up and down the tree.

    Raises:
        FrameLinkError: there is none; the message shows the groups of frames that are connected.
    """
    reached: dict[str, Step | None] = {target: None}
    queue = deque([target])
    neighbours: dict[str, list[Step]] = {}
    for parent, child in sorted(tree.links, key=lambda link: link in tree.moving):
        neighbours.setdefault(parent, []).append(Step((parent, child), is_down=True))
        neighbours.setdefault(child, []).append(Step((parent, child), is_down=False))
    while queue and source not in reached:
        frame = queue.popleft()
        for step in neighbours.get(frame, []):
            after = step.link[1] if step.is_down else step.link[0]
            if after not in reached:
                reached[after] = step
                queue.append(after)
    if source not in reached:
        raise FrameLinkError(missing_link_sentence(tree, target, source))
    chain: list[Step] = []
    frame = source
    while (last := reached[frame]) is not None:
        chain.insert(0, last)
        frame = last.link[0] if last.is_down else last.link[1]
    return chain


def islands(tree: TransformTree) -> list[list[str]]:
    """The groups of connected frames, largest first."""
    group_of: dict[str, set[str]] = {}
    for parent, child in tree.links:
        joined = group_of.get(parent, {parent}) | group_of.get(child, {child})
        for frame in joined:
            group_of[frame] = joined
    unique = {id(group): sorted(group) for group in group_of.values()}
    return sorted(unique.values(), key=lambda group: (-len(group), group))


def missing_link_sentence(tree: TransformTree, target: str, source: str) -> str:
    """Which frames are not connected, what is, and what to publish."""
    groups = islands(tree)
    known = "; ".join("{" + ", ".join(group) + "}" for group in groups) or "no transform at all"
    return (
        f"frames '{target}' and '{source}' are not connected; /tf and /tf_static connect {known}: publish the missing "
        f"mount, for example `ros2 run tf2_ros static_transform_publisher --frame-id {target} --child-frame-id {source}` "
        "with its x y z and rotation, and record /tf_static"
    )


def poses_between(
    tree: TransformTree, target: str, source: str, stamps_ns: Int64[Tensor, "n"], max_extrapolation_ns: int = 0
) -> Float64[Tensor, "n 4 4"]:
    """`target_from_source` at each stamp, interpolated link by link.

    Raises:
        FrameLinkError: the frames are not connected.
        OutsideTrajectoryError: a moving link is not known at a stamp.
    """
    target_from_source = torch.eye(4, dtype=torch.float64).repeat(len(stamps_ns), 1, 1)
    for step in chain_between(tree, target, source):
        if step.link in tree.static:
            parent_from_child = tree.static[step.link]
        else:
            parent_from_child = poses_at(tree.moving[step.link], stamps_ns, max_extrapolation_ns)
        target_from_source = target_from_source @ (parent_from_child if step.is_down else inverse(parent_from_child))
    return target_from_source


def is_connected(tree: TransformTree, target: str, source: str) -> bool:
    """Whether a chain of links, still or moving, leads from one frame to the other."""
    return target == source or any(target in group and source in group for group in islands(tree))


def is_mounted(tree: TransformTree, target: str, source: str) -> bool:
    """Whether the frames are connected by links that never move."""
    if not is_connected(tree, target, source):
        return False
    return all(step.link in tree.static for step in chain_between(tree, target, source))


def mount(tree: TransformTree, target: str, source: str) -> Float64[Tensor, "4 4"]:
    """`target_from_source` of two frames that do not move against each other.

    Raises:
        FrameLinkError: they are not connected, or a link between them moves.
    """
    for step in chain_between(tree, target, source):
        if step.link in tree.moving:
            raise FrameLinkError(
                f"the mount of '{source}' on '{target}' goes over {step.link[0]} -> {step.link[1]}, which moves; "
                "sensors must be fixed to the vehicle: name the right base_frame, or leave that sensor out"
            )
    return poses_between(tree, target, source, torch.zeros(1, dtype=torch.int64))[0]


def trajectory_between(tree: TransformTree, target: str, source: str) -> Trajectory:
    """The path of `source` in `target`, at every stamp of the moving links while all of them are known.

    Raises:
        FrameLinkError: the frames are not connected, or by moving links that share no time.
    """
    moving = [tree.moving[step.link] for step in chain_between(tree, target, source) if step.link in tree.moving]
    if not moving:
        pose = poses_between(tree, target, source, torch.zeros(1, dtype=torch.int64))
        return Trajectory(torch.zeros(1, dtype=torch.int64), pose)
    start_ns, end_ns = max(path.start_ns for path in moving), min(path.end_ns for path in moving)
    stamps_ns = torch.cat([path.stamps_ns for path in moving]).unique()
    stamps_ns = stamps_ns[(stamps_ns >= start_ns) & (stamps_ns <= end_ns)]
    if not len(stamps_ns):
        raise FrameLinkError(
            f"the moving transforms between '{target}' and '{source}' were never published at the same time "
            f"(one ends at {end_ns} ns, another starts at {start_ns} ns); record them over the whole drive"
        )
    return Trajectory(stamps_ns, poses_between(tree, target, source, stamps_ns))
