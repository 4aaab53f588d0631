"""What a goal asks for, checked before any work begins: no path or setting from a message is trusted."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from gs_sim.config import override
from gs_sim.errors import ConfigError, InputError
from gs_sim.jobs.reconstruct_bag import ReconstructBagSettings, refuse_output, refuse_unbuilt
from gs_sim.nodes.reconstructing.settings import ReconstructorSettings
from gs_sim.nodes.reconstructing.work import ReconstructionOrder
from gs_sim.nodes.ros.paths import inside

MIN_LIVE_S, MAX_LIVE_S = 0.1, 86_400.0
MAX_YAML_CHARACTERS = 100_000


def order_at_start(settings: ReconstructorSettings) -> ReconstructionOrder:
    """The order that the parameters `bag` and `scene` give; whoever starts a node may name any path.

    Raises:
        GsSimError: the scene could not be saved, or a setting is not built yet.
    """
    bag = Path(settings.bag).expanduser().absolute()
    output = Path(settings.scene).expanduser().absolute() if settings.scene else bag.parent / scene_name(bag)
    return checked(ReconstructionOrder(bag, 0.0, output, settings.reconstruct))


def order_from_goal(goal: Any, settings: ReconstructorSettings) -> ReconstructionOrder:
    """The order that a goal of `gs_sim_msgs/action/Reconstruct` gives.

    Raises:
        GsSimError: a path leaves its folder, a setting is unknown or out of bounds, or the scene could not be saved.
    """
    bag_folder = folder_of_bags(settings)
    scene_folder = Path(settings.scene_folder).expanduser().resolve() if settings.scene_folder else bag_folder
    bag = inside(bag_folder, goal.bag, "bag") if goal.bag else None
    if bag is None and not MIN_LIVE_S <= goal.live_duration_s <= MAX_LIVE_S:
        raise InputError(
            f"without a bag, live_duration_s must be between {MIN_LIVE_S:g} and {MAX_LIVE_S:g} s, "
            f"got {goal.live_duration_s:g}"
        )
    if goal.scene_path:
        output = inside(scene_folder, goal.scene_path, "scene_path")
        if output == scene_folder:
            raise InputError(f"scene_path must name a folder inside {scene_folder}, not that folder itself")
    else:
        output = default_output(bag, scene_folder)
    chosen = settings_from_goal(goal, settings.reconstruct)
    return checked(ReconstructionOrder(bag, goal.live_duration_s, output, chosen))


def checked(order: ReconstructionOrder) -> ReconstructionOrder:
    """The order, if it can be carried out as far as one can tell beforehand.

    Raises:
        GsSimError: it cannot.
    """
    if order.bag is not None and not order.bag.exists():
        raise InputError(f"there is no bag at {order.bag}")
    refuse_unbuilt(order.settings)
    refuse_output(order.output)
    return order


def folder_of_bags(settings: ReconstructorSettings) -> Path:
    """The folder that goals may read from."""
    if settings.bag_folder:
        return Path(settings.bag_folder).expanduser().resolve()
    return Path(settings.bag).expanduser().resolve().parent if settings.bag else Path.cwd()


def scene_name(bag: Path) -> str:
    """How the scene of a bag is called where nobody names it."""
    return f"{bag.stem if bag.suffix in {'.mcap', '.db3', '.bag'} else bag.name}_scene"


def default_output(bag: Path | None, scene_folder: Path) -> Path:
    """Beside the bag if scenes may be there, otherwise in the folder of scenes."""
    if bag is None:
        return scene_folder / f"live_{datetime.now().astimezone():%Y%m%d_%H%M%S}_scene"
    beside = bag.parent / scene_name(bag)
    return beside if beside.is_relative_to(scene_folder) and beside != scene_folder else scene_folder / beside.name


def settings_from_goal(goal: Any, settings: ReconstructBagSettings) -> ReconstructBagSettings:
    """The node's settings, below the goal's YAML, below the goal's own fields.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type or is out of bounds.
    """
    weights = settings.g3r.weights
    settings = override(settings, mapping_from_yaml(goal.config_yaml), where="config_yaml")
    if settings.g3r.weights != weights:
        raise ConfigError("config_yaml: g3r.weights names a file; set it as a parameter of the node, not in a goal")
    values: dict[str, Any] = {}
    if goal.method:
        values["method"] = goal.method
    method = goal.method or settings.method  # also the name of that method's settings
    if goal.steps:
        values[method] = {"steps": goal.steps, "budget_s": 0.0}
    if goal.budget_s != 0 or math.isnan(goal.budget_s):
        values[method] = values.get(method, {}) | {"budget_s": goal.budget_s}
    topics: dict[str, Any] = {}
    if goal.image_topics and tuple(goal.image_topics) != settings.bag.image_topics:
        # calibration was named for other images: it is looked for beside these
        topics |= {"image_topics": list(goal.image_topics), "camera_info_topics": []}
    if goal.cloud_topics:
        topics["lidar_topics"] = list(goal.cloud_topics)
    settings = override(settings, values, where="goal")
    return replace(settings, bag=override(settings.bag, topics, where="goal"))


def mapping_from_yaml(text: str) -> Mapping[str, Any]:
    """Settings as a goal writes them.

    Raises:
        ConfigError: the text is too long or no YAML.
    """
    if len(text) > MAX_YAML_CHARACTERS:
        raise ConfigError(f"config_yaml may have {MAX_YAML_CHARACTERS} characters, got {len(text)}")
    try:
        values: Mapping[str, Any] | None = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"config_yaml is no valid YAML: {' '.join(str(error).split())}") from error
    return {} if values is None else values
