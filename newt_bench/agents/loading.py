"""Finds agents by entry point name or import path."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from newt_bench.agents.base import Agent
from newt_bench.catalogue import get_task
from newt_bench.errors import AgentError
from newt_bench.extras import install_command

__all__ = ["ENTRY_POINT_GROUP", "AgentFactory", "load_agent_factory", "saved_tasks"]

ENTRY_POINT_GROUP = "newt_bench.agents"

#: Builds an agent: called with the tasks, `seed=` and the agent's own options. An `Agent` class is one.
AgentFactory = Callable[..., Agent]


def load_agent_factory(spec: str) -> AgentFactory:
    """Finds what builds an agent.

    Args:
        spec: A name that some installed package registers under the entry point group
            `newt_bench.agents`, such as `random`, or an import path `package.module:Name` of an `Agent`
            class or a function that returns an agent.

    Returns:
        The class or function.

    Raises:
        AgentError: Nothing is found there, its module fails to import, or it is not callable.
    """
    found = _import_path(spec) if ":" in spec else _entry_point(spec)
    if not callable(found):
        raise AgentError(f"Agent '{spec}' is neither a class nor a function but {type(found).__name__}")
    factory: AgentFactory = found
    return factory


def saved_tasks(folder: Path) -> list[str]:
    """Names of the tasks that a saved agent knows, as its `config.json` lists them.

    Raises:
        AgentError: The folder holds no saved agent.
        UnknownTaskError: A task is not in the catalogue.
    """
    path = Path(folder) / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [get_task(facts["id"]).name for facts in content["tasks"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AgentError(f"{folder} is no saved agent with a list of tasks: {error}") from error


def _entry_point(name: str) -> Any:
    points = {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    if name not in points:
        close = difflib.get_close_matches(name, points, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Installed: {', '.join(sorted(points)) or 'none'}."
        raise AgentError(
            f"There is no agent '{name}'. {hint} An agent of your own is named by import path, as package.module:Class"
        )
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        hint = _hint(error)
        raise AgentError(f"Agent '{name}' ({points[name].value}) does not load: {error}{hint}") from error


def _import_path(spec: str) -> Any:
    module_name, _, attribute = spec.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise AgentError(f"Agent '{spec}': module '{module_name}' does not import: {error}{_hint(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise AgentError(f"Agent '{spec}': module '{module_name}' has no '{attribute}'") from None


def _hint(error: Exception) -> str:
    """What to install, if a package of the agents' extra is what is missing."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in ("torch", "safetensors"):
        return f". Install it with: {install_command('agents')}"
    return ""
