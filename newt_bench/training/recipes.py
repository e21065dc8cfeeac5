"""Recipes: all settings of a training run in one TOML file. The only door to `baselines/*/*.toml`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newt_bench.content import content_folder
from newt_bench.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Recipe", "load_recipe", "recipes"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How an agent is trained, and with which hyper-parameters.

    Attributes:
        name: Name of the file, without `.toml`.
        agent: Entry point name or import path of the agent.
        description: What it is for, in a sentence or two.
        training: `TrainingSettings` by name, those that are not the defaults.
        options: The agent's options by name.
        tasks: Names of the tasks that it is for; empty for any.
    """

    name: str
    agent: str
    description: str
    training: Mapping[str, Any]
    options: Mapping[str, Any]
    tasks: tuple[str, ...] = ()


def recipes(agent: str) -> tuple[str, ...]:
    """Names of the recipes that ship for an agent."""
    folder = content_folder("baselines") / agent
    return tuple(sorted(path.stem for path in folder.glob("*.toml"))) if _is_plain(agent) else ()


def load_recipe(agent: str, name: str | Path) -> Recipe:
    """Reads a recipe.

    Args:
        agent: Name of the agent that it must be for.
        name: Name of a recipe that ships for the agent, such as `cpu`, or a TOML file.

    Raises:
        InputError: There is no such recipe, it is malformed, or it is for another agent.
    """
    text = str(name)
    if text.endswith(".toml"):
        path = Path(text)
        if not path.is_file():
            raise InputError(f"There is no recipe {path}")
    else:
        if text not in recipes(agent):
            raise InputError(
                f"There is no recipe {text!r} for {agent}; there are: {', '.join(recipes(agent)) or 'none'}. "
                "A file of your own is named with its .toml"
            )
        path = content_folder("baselines") / agent / f"{text}.toml"
    recipe = _read(path)
    if recipe.agent != agent:
        raise InputError(f"{path} is a recipe for {recipe.agent}, not for {agent}")
    return recipe


def _read(path: Path) -> Recipe:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    unknown = sorted(set(content) - {"agent", "description", "training", "options", "tasks"})
    if unknown:
        raise InputError(f"{path}: a recipe has no {', '.join(unknown)}")
    kinds = {"agent": str, "description": str, "training": dict, "options": dict, "tasks": list}
    for key, kind in kinds.items():
        if not isinstance(content.get(key, kind()), kind):
            raise InputError(f"{path}: {key} must be a {kind.__name__}")
    if not content.get("agent"):
        raise InputError(f"{path}: say which agent the recipe is for")
    return Recipe(
        path.stem,
        content["agent"],
        content.get("description", ""),
        content.get("training", {}),
        content.get("options", {}),
        tuple(content.get("tasks", ())),
    )


def _is_plain(agent: str) -> bool:
    return agent.replace("-", "").replace("_", "").isalnum()
