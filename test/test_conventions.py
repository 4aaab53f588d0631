"""Frames chain by name: `world_from_rig @ rig_from_camera` is right, `world_from_camera @ points_lidar` is not.

A pose `a_from_b` maps coordinates of frame b to frame a, and what lies in a frame ends with its
name (`points_lidar`). So a wrong chain can be seen without running anything: this file walks
the syntax trees of the product and its tests and compares the names.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

WELL_KNOWN_FRAMES = {"world", "map", "rig", "camera", "lidar", "box"}
POSE_NAME = re.compile(r"(?:^|_)([a-z0-9]+)_from_([a-z0-9]+)$")
KEEPS_FRAMES = {"as_tensor", "asarray", "clone", "contiguous", "copy", "cpu", "detach", "double", "expand", "float"}
KEEPS_FRAMES |= {"astype", "numpy", "repeat", "requires_grad_", "squeeze", "tensor", "to", "unsqueeze"}
KEEPS_FRAMES |= {"pose_at", "poses_at"}
INVERTS = {"inverse", "inv"}
TRANSPOSES = {"T", "mT", "transpose", "swapaxes", "t"}
MOVES = {"transform_points", "move_gaussians"}


@dataclass(frozen=True)
class Pose:
    """`to_from_source`, or its transpose (what row vectors are multiplied with)."""

    to: str
    source: str
    is_transposed: bool = False

    def __str__(self) -> str:
        return f"{self.to}_from_{self.source}" + (" transposed" if self.is_transposed else "")


@dataclass(frozen=True)
class Inside:
    """Points, directions or Gaussians that are expressed in a frame."""

    frame: str

    def __str__(self) -> str:
        return f"something in the {self.frame} frame"


Meaning = Pose | Inside | None


class Frames:
    """What the names of one file say about frames, and where they contradict each other."""

    def __init__(self, tree: ast.AST) -> None:
        self.tree = tree
        names = [last_name(node) for node in ast.walk(tree)]
        names += [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
        poses = [pose for name in names if isinstance(pose := self.meaning_of_name(name, set()), Pose)]
        self.known = WELL_KNOWN_FRAMES | {frame for pose in poses for frame in (pose.to, pose.source)}

    def meaning_of_name(self, name: str, known: set[str]) -> Meaning:
        if match := POSE_NAME.search(name):
            return Pose(match.group(1).rstrip("s"), match.group(2).rstrip("s"))
        quantity, _, frame = name.rpartition("_")
        return Inside(frame) if quantity and frame in known else None

    def meaning(self, node: ast.expr) -> Meaning:
        """What an expression is, as far as its names tell."""
        if isinstance(node, ast.Attribute) and node.attr in TRANSPOSES:
            return transposed(self.meaning(node.value))
        if is_name(node):
            return self.meaning_of_name(last_name(node), self.known)
        if isinstance(node, ast.Subscript):
            return self.meaning_of_part(node)
        if isinstance(node, ast.Call):
            return self.meaning_of_call(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return product(self.meaning(node.left), self.meaning(node.right))[0]
        return None

    def meaning_of_part(self, node: ast.Subscript) -> Meaning:
        """A part of a pose is a pose, but its last column is a position."""
        whole = self.meaning(node.value)
        last = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) and node.slice.elts else None
        if isinstance(last, ast.Slice):
            last = last.lower
        is_column = isinstance(last, ast.Constant) and last.value in (3, -1) and last.value is not True
        return Inside(whole.to) if isinstance(whole, Pose) and is_column and not whole.is_transposed else whole

    def meaning_of_call(self, node: ast.Call) -> Meaning:
        name = last_name(node.func)
        arguments = [*node.args]
        is_method = isinstance(node.func, ast.Attribute) and not is_module(node.func.value)
        subject = node.func.value if is_method and isinstance(node.func, ast.Attribute) else None
        subject = subject if subject is not None else (arguments[0] if arguments else None)
        if name in MOVES and len(arguments) == 2:
            return product(self.meaning(arguments[0]), self.meaning(arguments[1]))[0]
        if subject is None or name not in KEEPS_FRAMES | INVERTS | TRANSPOSES:
            return None
        meaning = self.meaning(subject)
        if name in INVERTS:
            return Pose(meaning.source, meaning.to, meaning.is_transposed) if isinstance(meaning, Pose) else None
        return transposed(meaning) if name in TRANSPOSES else meaning

    def mistakes(self) -> Iterator[str]:
        """Each contradiction with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                yield from self.product_mistake(node, node.left, node.right)
            elif isinstance(node, ast.Call) and last_name(node.func) in MOVES and len(node.args) == 2:
                yield from self.product_mistake(node, node.args[0], node.args[1])
            for target, value in named_values(node):
                told, found = self.meaning_of_name(target, self.known), self.meaning(value)
                if type(told) is type(found) and told != found and not renames(told, found):
                    yield f"{value.lineno}: '{target}' is given {found}"

    def product_mistake(self, node: ast.expr, left: ast.expr, right: ast.expr) -> Iterator[str]:
        one, other = self.meaning(left), self.meaning(right)
        if not product(one, other)[1]:
            yield f"{node.lineno}: {one} does not meet {other}"


def product(left: Meaning, right: Meaning) -> tuple[Meaning, bool]:
    """What `left @ right` is, and whether their frames touch."""
    if isinstance(left, Pose) and isinstance(right, Pose) and not left.is_transposed and not right.is_transposed:
        return Pose(left.to, right.source), left.source == right.to
    if isinstance(left, Pose) and isinstance(right, Inside):
        source, to = (left.to, left.source) if left.is_transposed else (left.source, left.to)
        return Inside(to), source == right.frame
    if isinstance(left, Inside) and isinstance(right, Pose):  # row vectors: x_b @ a_from_b.T is x_a
        source, to = (right.source, right.to) if right.is_transposed else (right.to, right.source)
        return Inside(to), source == left.frame
    return None, True


def renames(told: Meaning, found: Meaning) -> bool:
    """Whether a name tells the frames apart anew, on purpose.

    So does `other_from_view` for a chain from one camera to another, and `bag_from_street`
    for a pose whose own names, world and map, mean another object's.
    """
    if not isinstance(told, Pose) or not isinstance(found, Pose):
        return False
    frames = {told.to, told.source}
    return found.to == found.source or not frames & (WELL_KNOWN_FRAMES | {found.to, found.source})


def transposed(meaning: Meaning) -> Meaning:
    return Pose(meaning.to, meaning.source, not meaning.is_transposed) if isinstance(meaning, Pose) else meaning


def is_name(node: ast.AST) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute))


def last_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def is_module(node: ast.expr) -> bool:
    return ast.unparse(node) in ("torch", "np", "numpy", "torch.linalg", "np.linalg")


def named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Every place where a name is given a value: assignments, loops, keyword arguments, returns of named poses."""
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield last_name(node.target), node.value
    elif isinstance(node, (ast.For, ast.comprehension)):
        yield last_name(node.target), node.iter
    elif isinstance(node, ast.keyword) and node.arg is not None:
        yield node.arg, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from ((last_name(t), v) for t, v in zip(target.elts, node.value.elts, strict=False))
            else:
                yield last_name(target), node.value
    elif isinstance(node, ast.FunctionDef) and set(POSE_NAME.sub(r" \1 \2", node.name).split()) <= WELL_KNOWN_FRAMES:
        returns = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return))
        yield from ((node.name, value) for value in returns if value is not None)


def mistakes_in(source: str) -> list[str]:
    return list(Frames(ast.parse(source)).mistakes())


PLANTED = [
    "world_from_camera = world_from_rig @ camera_from_rig",
    "camera_from_world = world_from_rig @ rig_from_camera",
    "x = world_from_rig @ inverse(world_from_lidar @ rig_from_lidar)",
    "x = rig_from_camera @ inverse(world_from_rig).float()",
    "world_from_camera = inverse(world_from_camera)",
    "world_from_camera: Tensor = mounted.rig_from_camera.to(device)",
    "view = Views(camera_from_world=world_from_rig @ mounted.rig_from_camera)",
    "points_world = transform_points(rig_from_lidar, points_lidar)",
    "x = transform_points(world_from_rig, sweep.points_lidar)",
    "x = world_from_camera @ points_lidar",
    "x = move_gaussians(pose_at(actor.world_from_box, stamp_ns), scene.gaussians_world)",
    "points_camera = points_world @ camera_from_world[:3, :3]",
    "points_world = points_camera @ camera_from_world[:3, :3].T",
    "origin_camera = world_from_camera[:3, 3]",
    "x = directions_world @ world_from_camera[..., :3, :3].transpose(-1, -2)",
    "for world_from_camera in cameras_from_world: pass",
    "x = [f(rig_from_camera) for rig_from_camera in self.camera_from_rig]",
    "def world_from_camera(self):\n    return self.rig_from_camera",
    "a_from_c = a_from_b @ c_from_b",
    "expected_world_from_camera = inverse(world_from_rig)",
    "bag_from_world = inverse(map_from_world) @ map_from_bag",
    "a, world_from_rig = 1, rig_from_world",
    "x = f(world_from_rig @ g(world_from_lidar @ rig_from_camera))",
]

SOUND = [
    "world_from_camera = world_from_rig @ rig_from_camera",
    "camera_from_world = inverse(world_from_rig @ mounted.rig_from_camera).float()",
    "camera_from_world = torch.linalg.inv(world_from_camera)",
    "b_from_a = a_from_b.inverse()",
    "points_world = transform_points(world_from_rig @ rig_from_lidar, sweep.points_lidar)",
    "points_a = points_b @ a_from_b[..., :3, :3].transpose(-1, -2) + a_from_b[..., None, :3, 3]",
    "directions_camera = directions_world @ world_from_camera[:3, :3]",
    "directions_world = directions_camera @ world_from_camera[:3, :3].T",
    "directions_camera = world_from_camera[:3, :3].T @ directions_world",
    "origin_world = world_from_camera[:3, 3]",
    "centre_world = pose_at(recording.world_from_rig, stamp_ns)[..., :3, 3]",
    "gaussians_world = move_gaussians(pose_at(actor.world_from_box, stamp_ns), actor.gaussians_box)",
    "view = Views(camera_from_world=inverse(world_from_camera), width_px=raw_camera.width_px)",
    "quaternion = quaternion_from_rotation(world_from_camera[:3, :3])",
    "rotation = rotation_from_quaternion(q) @ pose_from_twist(t)",
    "world_from_rig = Trajectory(stamps_ns, poses)",
    "for world_from_camera in worlds_from_camera: pass",
    "loss = weights @ errors_px + num_camera @ sizes_m",
    "size_m = resize_camera(raw_camera, width_px)",
    "def pose_from_twist(twist):\n    return world_from_rig",
    "world_from_camera[i] = something",
    "raw_camera = self.camera",
    "bag_from_street = inverse(bag.map_from_world)",
    "other_from_view = inverse(other.world_from_camera) @ view.world_from_camera",
]


@pytest.mark.parametrize("source", PLANTED)
def test_a_planted_mistake_is_found(source: str) -> None:
    assert len(mistakes_in(source)) >= 1


@pytest.mark.parametrize("source", SOUND)
def test_a_sound_line_is_not_flagged(source: str) -> None:
    assert mistakes_in(source) == []


def test_a_mistake_is_told_with_its_line_and_frames() -> None:
    assert mistakes_in("\n\nx = world_from_camera @ points_lidar") == [
        "3: world_from_camera does not meet something in the lidar frame"
    ]


@pytest.mark.parametrize("folder", ["gs_sim", "test"])
def test_frames_chain_by_name(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): mistakes
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (mistakes := mistakes_in(path.read_text(encoding="utf-8")))
    }
    assert found == {}
