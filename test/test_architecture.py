"""The rules of the tree: who may import whom, how large things get, what stays out of the core."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gs_sim"

CORE = {"errors", "config", "geometry", "sensing", "scene", "rendering"}
MAY_IMPORT = {
    "errors": set[str](),
    "threads": set[str](),
    "config": {"errors"},
    "geometry": {"errors"},
    "sensing": {"errors", "geometry"},
    "scene": {"errors", "geometry"},
    "rendering": {"errors", "threads", "geometry", "scene"},
    "sources": {"errors", "config", "geometry", "sensing"},
    "reconstruction": CORE,
    "simulation": CORE,
    "evaluation": CORE,
    "training": CORE | {"sources", "reconstruction", "evaluation"},
    "jobs": CORE | {"sources", "reconstruction", "evaluation"},
    "benchmark": CORE | {"sources", "reconstruction", "simulation", "evaluation", "training", "jobs"},
    "nodes": CORE | {"sources", "reconstruction", "simulation", "evaluation", "training", "jobs"},
    "cli": CORE | {"sources", "reconstruction", "simulation", "evaluation", "training", "jobs", "benchmark"},
}
"""Who may import whom; ARCHITECTURE.md shows the same table. A layer may always import itself."""

ONLY_IN_NODES = {
    *(
        "rclpy",
        "gs_sim_msgs",
        "launch",
        "launch_ros",
        "tf2_ros",
        "tf2_msgs",
        "sensor_msgs",
        "geometry_msgs",
        "nav_msgs",
    ),
    *("builtin_interfaces", "diagnostic_msgs", "rcl_interfaces", "rosgraph_msgs", "simulation_interfaces", "std_msgs"),
    *("std_srvs", "vision_msgs", "visualization_msgs"),
}
NOT_IN_A_NODE = {"torch", "numpy", "gsplat"}
"""Node files convert, call and publish; arithmetic on data has its places below them."""
NODES = ("gs_sim/nodes/reconstructor.py", "gs_sim/nodes/sensor_sim.py")
MAX_NODE_LINES = 150
NOT_IN_THE_CORE = {"time", "datetime", "random"}
"""The core is given stamps and generators: only the doors read a clock."""
DOORS = {"cli", "nodes", "benchmark"}

MAX_FILE_LINES = 300
MAX_BODY_LINES = 60
BODY_LINES_95TH = 35
MAX_ARGUMENTS = 5

LONGER_FILES: dict[str, str] = {}
"""Files over the limit, each with its reason."""
BROAD_EXCEPTS = {"gs_sim/nodes/ros/guard.py": "a fault in one callback must not end a simulation of hours"}
"""Files that may catch every error, each with its reason."""
LONGER_BODIES: dict[str, str] = {}
"""Functions (`file.py:name`) over the limit, each with its reason."""
MORE_ARGUMENTS: dict[str, str] = {}
"""Functions (`file.py:name`) with more arguments, each with its reason."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(path: Path) -> ast.Module:
    """Parse one file, once."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def layer_of(path: Path) -> str:
    """The first name below gs_sim; the package's own __init__ is no layer."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every dotted name that is imported, with its line, wherever in the file; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + f"{node.module or ''}.{alias.name}", node.lineno) for alias in node.names)


def layer_violations(tree: ast.AST, layer: str) -> Iterator[str]:
    """What a file of this layer imports and may not."""
    for module, line in imported_modules(tree):
        first, *rest = module.split(".")
        if not first:
            yield f"{line}: relative import of {module}"
        elif first == "gs_sim" and rest and rest[0] not in MAY_IMPORT[layer] | {layer, "__version__"}:
            yield f"{line}: {layer} may not import {rest[0]}"
        elif first in ONLY_IN_NODES and layer != "nodes":
            yield f"{line}: only nodes may import {first}"
        elif first in NOT_IN_THE_CORE and layer not in DOORS:
            yield f"{line}: the core reads no clock and has no hidden randomness, so no {first}"


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return function.end_lineno - body[0].lineno + 1 if body and function.end_lineno else 0


def argument_names(function: Function) -> list[str]:
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def undocumented(tree: ast.Module) -> Iterator[str]:
    """The module and its public classes, functions and methods that have no docstring."""
    if ast.get_docstring(tree) is None:
        yield "1: the module"
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    while scopes:
        for node in scopes.pop().body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[0] != "_":
                if ast.get_docstring(node) is None:
                    yield f"{node.lineno}: {node.name}"
                if isinstance(node, ast.ClassDef):
                    scopes.append(node)


def broad_excepts(tree: ast.AST) -> Iterator[int]:
    """Handlers that swallow any error; one that cleans up and raises it again is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            is_broad = any(
                kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
                for kind in caught
            )
            passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if is_broad and not passes_on:
                yield node.lineno


def import_cycle(imports: dict[str, set[str]]) -> list[str]:
    """One cycle of the graph, or nothing."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for other in sorted(imports.get(module, ())):
            if cycle := visit(other, [*path, module]):
                return cycle
        done.add(module)
        return []

    return next((cycle for module in sorted(imports) if (cycle := visit(module, []))), [])


def module_imports() -> dict[str, set[str]]:
    """Which module of gs_sim imports which, the ones inside functions included."""
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in python_files()}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        targets = [module for module, _ in imported_modules(parsed(path))]
        graph[name] = {t if t in names else t.rpartition(".")[0] for t in targets} & set(names) - {name}
    return graph


def documented_table() -> dict[str, set[str]]:
    """The table between the layer marks of ARCHITECTURE.md, as a dict."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- layers -->(.*)<!-- /layers -->", text, re.DOTALL)
    assert table, "ARCHITECTURE.md has no table between <!-- layers --> and <!-- /layers -->"
    rows = re.findall(r"^\| *`(\w+)` *\|([^|]*)\|", table.group(1), re.MULTILINE)
    return {layer: set(re.findall(r"\w+", imports)) for layer, imports in rows}


def test_every_folder_and_module_is_a_layer() -> None:
    layers = {layer_of(path) for path in python_files()} - {"__init__", "__main__"}
    assert layers <= set(MAY_IMPORT), "a new layer must say in MAY_IMPORT what it may import"


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_a_layer_imports_only_what_it_may(path: Path) -> None:
    layer = layer_of(path)
    if layer not in ("__init__", "__main__"):
        assert list(layer_violations(parsed(path), layer)) == []


def test_the_layer_rule_sees_planted_violations() -> None:
    planted = """
import time
import rclpy.node
from gs_sim.reconstruction.reconstruct import reconstruct
from gs_sim import cli
from .scene import Scene
def late():
    import gs_sim.nodes.ros.worker
from gs_sim.geometry.pose import inverse
from gs_sim.errors import InputError
"""
    found = [violation.split(":")[0] for violation in layer_violations(ast.parse(planted), "geometry")]
    assert found == ["2", "3", "4", "5", "6", "8"]


def test_the_table_has_no_way_around_itself() -> None:
    assert import_cycle(MAY_IMPORT) == []
    assert all("cli" not in allowed and "nodes" not in allowed for allowed in MAY_IMPORT.values())


def test_architecture_md_shows_the_same_table() -> None:
    assert documented_table() == MAY_IMPORT


def test_no_module_imports_itself_through_others() -> None:
    assert import_cycle(module_imports()) == []
    assert import_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_only_the_command_line_prints() -> None:
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files()
        if layer_of(path) != "cli"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "breakpoint")
    ]
    assert printing == []


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {name for name, lines in lengths.items() if lines > MAX_FILE_LINES} == set(LONGER_FILES)


def test_no_function_body_is_longer_than_60_lines_and_nearly_all_are_short() -> None:
    lengths = {
        f"{name_of(path)}:{function.name}": body_lines(function)
        for path in python_files()
        for function in functions(parsed(path))
    }
    assert {
        name: lines for name, lines in lengths.items() if lines > MAX_BODY_LINES and name not in LONGER_BODIES
    } == {}
    longest = sorted(lengths.values())[: int(len(lengths) * 0.95)]
    assert longest[-1] <= BODY_LINES_95TH


def test_no_function_takes_more_than_five_arguments() -> None:
    counts = {
        f"{name_of(path)}:{function.name}": len(argument_names(function))
        for path in python_files()
        for function in functions(parsed(path))
    }
    assert {name: n for name, n in counts.items() if n > MAX_ARGUMENTS and name not in MORE_ARGUMENTS} == {}


def test_every_exception_to_a_limit_is_still_needed() -> None:
    over: set[str] = set()
    for path in python_files():
        for function in functions(parsed(path)):
            name = f"{name_of(path)}:{function.name}"
            over |= {f"body {name}"} if body_lines(function) > MAX_BODY_LINES else set()
            over |= {f"arguments {name}"} if len(argument_names(function)) > MAX_ARGUMENTS else set()
    listed = {f"body {name}" for name in LONGER_BODIES} | {f"arguments {name}" for name in MORE_ARGUMENTS}
    assert listed - over == set()


def test_no_except_catches_everything() -> None:
    assert list(broad_excepts(ast.parse("try:\n  f()\nexcept (OSError, Exception):\n  pass"))) == [3]
    assert list(broad_excepts(ast.parse("try:\n  f()\nexcept BaseException:\n  close()\n  raise"))) == []
    found = [name_of(path) for path in python_files() for _ in broad_excepts(parsed(path))]
    assert found == list(BROAD_EXCEPTS)


@pytest.mark.parametrize("name", NODES)
def test_a_node_file_holds_no_arithmetic_and_is_short(name: str) -> None:
    tree = parsed(ROOT / name)
    assert {module.split(".")[0] for module, _ in imported_modules(tree)} & NOT_IN_A_NODE == set()
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= MAX_NODE_LINES


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_everything_public_has_a_docstring(path: Path) -> None:
    assert list(undocumented(parsed(path))) == []


def test_no_folder_or_module_is_named_after_nothing() -> None:
    names = {part.removesuffix(".py") for path in python_files() for part in path.relative_to(PACKAGE).parts}
    assert not names & {"utils", "util", "common", "helpers", "helper", "misc", "core", "base", "lib"}


def test_the_source_parses_on_the_oldest_python_too() -> None:
    for path in [*python_files(), ROOT / "setup.py"]:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 10))
        used = {module for module, _ in imported_modules(parsed(path))}
        assert not used & {"tomllib", "typing.Self", "typing.override", "datetime.UTC", "enum.StrEnum"}, path
    assert sys.version_info >= (3, 10)


def test_ros_folders_are_no_python_packages() -> None:
    """With an __init__.py here, `import launch` in the repository root would find our folder instead of ROS's."""
    for folder in ("launch", "config", "test", "models"):
        assert list((ROOT / folder).rglob("__init__.py")) == []
