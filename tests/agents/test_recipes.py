"""Recipes of `baselines/`: they name settings that there are, and the default ones name all of them."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import Any

import pytest

import newt_bench
from newt_bench.agents import load_agent_factory
from newt_bench.content import content_folder
from newt_bench.training.recipes import load_recipe, recipes
from newt_bench.training.settings import TrainingSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

AGENTS = sorted(path.name for path in content_folder("baselines").iterdir() if recipes(path.name))
SHIPPED = [(agent, name) for agent in AGENTS for name in recipes(agent)]


def settings_of(agent: str) -> Any:
    """The class of an agent's hyper-parameters."""
    points = tomllib.loads((content_folder("baselines").parent / "pyproject.toml").read_text())
    path = points["project"]["entry-points"]["newt_bench.agents"][agent]
    factory = load_agent_factory(path)
    return getattr(factory, "SETTINGS", None) or factory.CONFIG


@pytest.mark.parametrize(("agent", "name"), SHIPPED)
def test_every_recipe_can_be_followed(agent, name):
    recipe = load_recipe(agent, name)
    assert recipe.description.endswith(".")
    TrainingSettings.from_mapping({"steps": 0, **recipe.training})
    settings_of(agent).from_options(dict(recipe.options))
    assert [task.name for task in newt_bench.tasks(recipe.tasks)] == list(recipe.tasks) if recipe.tasks else True


@pytest.mark.parametrize("agent", [agent for agent, name in SHIPPED if name == "default"])
def test_the_default_recipe_lists_every_setting_at_its_default(agent):
    """Those that depend on the number of tasks are named in comments, or listed as they are for one task."""
    told, settings = load_recipe(agent, "default").options, settings_of(agent)
    assert settings.from_options(dict(told)).resolved(1) == settings().resolved(1)
    text = (content_folder("baselines") / agent / "default.toml").read_text(encoding="utf-8")
    commented = set(re.findall(r"^# (\w+): .", text, re.MULTILINE))
    names = {field.name: field.default for field in dataclasses.fields(settings)}
    assert set(told) | commented == set(names)
    assert all(names[name] is None for name in commented)
