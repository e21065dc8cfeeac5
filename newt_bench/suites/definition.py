"""What a suite is. The only reader of `baselines/suites.toml`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from newt_bench.catalogue import TaskList, tasks
from newt_bench.content import content_folder
from newt_bench.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Suite", "get_suite", "suites"]


@dataclasses.dataclass(frozen=True)
class Suite:
    """Several agents, each of which learns the same tasks at once, with the same seeds.

    Attributes:
        name: Its name.
        description: What it is for, in a sentence.
        tasks: The tasks.
        seeds: Seeds of the training runs.
        episodes: Episodes per task and seed of the evaluation at the end.
        agents: Entry point names in the order of the table, each with its recipe, by name or as a TOML file; "" for
            one that does not learn.
    """

    name: str
    description: str
    tasks: TaskList
    seeds: tuple[int, ...]
    episodes: int
    agents: Mapping[str, str]


def suites() -> dict[str, Suite]:
    """All suites that ship, by name."""
    content = tomllib.loads((content_folder("baselines") / "suites.toml").read_text(encoding="utf-8"))
    return {name: _suite(name, values) for name, values in content.items()}


def get_suite(name: str) -> Suite:
    """The suite of a name.

    Raises:
        InputError: There is none.
    """
    found = suites()
    if name not in found:
        raise InputError(f"There is no suite {name!r}; there are: {', '.join(found)}")
    return found[name]


def _suite(name: str, values: Mapping[str, Any]) -> Suite:
    return Suite(
        name,
        values["description"],
        tasks(split=values["split"]),
        tuple(values["seeds"]),
        values["episodes"],
        values["agents"],
    )
