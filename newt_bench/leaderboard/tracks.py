"""The leaderboard's tracks: reads and checks `leaderboard/tracks.toml`."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newt_bench.catalogue import DOMAIN_NAMES, SPLITS, TaskList, tasks
from newt_bench.content import content_folder
from newt_bench.errors import InputError, LeaderboardError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "REPOSITORY_VARIABLE",
    "TRAINING_FIELDS",
    "Limits",
    "Track",
    "budget_label",
    "get_track",
    "hub_repository",
    "limits",
    "parse_tracks",
    "task_set",
    "tracks",
]

REPOSITORY_VARIABLE = "NEWT_BENCH_LEADERBOARD_REPO"

#: Numbers that every submission reports on one training run, with what each counts.
TRAINING_FIELDS: Mapping[str, str] = {
    "environment_steps": "agent steps played for learning",
    "demonstrations": "demonstrated episodes used per task",
    "actions_per_look": "actions played per look at the environment in evaluation",
    "parameters": "learned parameters, without copies such as target networks",
}

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What holds in every track.

    Attributes:
        seeds: Least and greatest number of training runs per task.
        episodes: Least and greatest number of episodes per task and seed.
        file_bytes: Greatest size of a submission.
    """

    seeds: tuple[int, int]
    episodes: tuple[int, int]
    file_bytes: int


@dataclasses.dataclass(frozen=True)
class Track:
    """One competition and its rules.

    Attributes:
        name: Its name in files and commands.
        title: Its name for people.
        summary: One sentence on it.
        tasks: Names of the task sets that a submission may cover, see `task_set`.
        obs_types: Observation types that agents may see.
        rules: Sentences that the submitter vouches for.
        budget: The field of `TRAINING_FIELDS` that budgets bound, or None.
        budgets: The budgets, ascending; rows of different budgets are not compared. Empty: there is one board.
        budget_unit: What a budget counts.
        exact: Whether the number must equal the budget; else it must not exceed it.
        bounds: Least and greatest value of fields of `TRAINING_FIELDS`; None for no greatest.
    """

    name: str
    title: str
    summary: str
    tasks: tuple[str, ...]
    obs_types: tuple[str, ...]
    rules: tuple[str, ...]
    budget: str | None = None
    budgets: tuple[int, ...] = ()
    budget_unit: str = ""
    exact: bool = False
    bounds: Mapping[str, tuple[int, int | None]] = dataclasses.field(default_factory=dict, hash=False)

    def smallest_budget(self, training: Mapping[str, Any]) -> int | None:
        """The least budget that holds what a training run used; None where there is none."""
        if self.budget is None:
            return None
        used = training[self.budget]
        fitting = [b for b in self.budgets if (used == b if self.exact else used <= b)]
        return min(fitting, default=None)


def tracks() -> Mapping[str, Track]:
    """All tracks by name, in the order in which tables show them.

    Raises:
        LeaderboardError: The file is malformed.
    """
    return _packaged()[2]


def get_track(name: str) -> Track:
    """Looks one track up.

    Raises:
        InputError: There is no such track.
    """
    if name not in tracks():
        raise InputError(f"There is no track {name!r}; there are {', '.join(tracks())}")
    return tracks()[name]


def limits() -> Limits:
    """What holds in every track."""
    return _packaged()[1]


def hub_repository() -> str:
    """The Hub repository that takes submissions: `NEWT_BENCH_LEADERBOARD_REPO` if set, else that of `tracks.toml`.

    Raises:
        InputError: The variable holds no repository's name.
    """
    named = os.environ.get(REPOSITORY_VARIABLE)
    if named and not _REPOSITORY.fullmatch(named):
        raise InputError(f"{REPOSITORY_VARIABLE} must be owner/name, not {named!r}")
    return named or _packaged()[0]


def task_set(name: str) -> TaskList:
    """The tasks of a set: a split, such as `core`, or a split's tasks of one domain, such as `core:dmcontrol`.

    Raises:
        InputError: There is no such set.
    """
    split, separator, domain = name.partition(":")
    if split not in SPLITS or (separator and domain not in DOMAIN_NAMES):
        raise InputError(f"There is no task set {name!r}; it is one of {', '.join(SPLITS)}, or such as core:dmcontrol")
    found = tasks(split=split, domain=domain or None)
    if not found:
        raise InputError(f"The task set {name!r} is empty: the domain has no tasks in that split")
    return found


def budget_label(budget: int | None) -> str:
    """A budget in short: `100k`, `10M`; empty for None."""
    if budget is None:
        return ""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if budget and budget % size == 0:
            return f"{budget // size}{unit}"
    return str(budget)


@functools.cache
def _packaged() -> tuple[str, Limits, Mapping[str, Track]]:
    return parse_tracks(content_folder("leaderboard") / "tracks.toml")


def parse_tracks(path: Path) -> tuple[str, Limits, Mapping[str, Track]]:
    """Reads a file of tracks.

    Returns:
        The Hub repository, what holds in every track, and the tracks by name.

    Raises:
        LeaderboardError: It is malformed; the message names the track and the field.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LeaderboardError(f"{path}: cannot be read: {error}") from error
    _require(set(document) == {"repository", "limits", "tracks"}, path, "must hold repository, [limits] and [tracks]")
    repository = document["repository"]
    _require(
        isinstance(repository, str) and bool(_REPOSITORY.fullmatch(repository)), path, "repository: not owner/name"
    )
    try:
        raw = document["limits"]
        bounds = Limits(_pair(raw["seeds"]), _pair(raw["episodes"]), int(raw["file_bytes"]))
        found = {name: _track(name, fields) for name, fields in document["tracks"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LeaderboardError(f"{path}: {error}") from error
    return repository, bounds, found


def _pair(values: Any) -> tuple[int, int]:
    low, high = values
    return int(low), int(high)


def _track(name: str, fields: dict[str, Any]) -> Track:
    where = f"track '{name}'"
    _require(bool(_NAME.fullmatch(name)), where, "the name must be lower-case words joined by hyphens")
    known = {field.name for field in dataclasses.fields(Track)} - {"name"}
    _require(set(fields) <= known, where, f"unknown field {sorted(set(fields) - known)}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    values["bounds"] = {
        key: (value[0], value[1] if len(value) > 1 else None) for key, value in fields.get("bounds", {}).items()
    }
    values["tasks"] = tuple(name for pattern in values.get("tasks", ()) for name in _expanded(pattern))
    track = Track(name=name, **values)
    _require(bool(track.tasks and track.obs_types), where, "tasks and obs_types must not be empty")
    _require((track.budget is None) == (not track.budgets), where, "budget and budgets go together")
    _require(list(track.budgets) == sorted(set(track.budgets)), where, "budgets must ascend")
    _require({track.budget or "parameters", *track.bounds} <= set(TRAINING_FIELDS), where, "unknown number bounded")
    return track


def _expanded(pattern: str) -> list[str]:
    split, _, domain = pattern.partition(":")
    if domain != "*":
        task_set(pattern)
        return [pattern]
    present = {task.domain for task in task_set(split)}
    return [f"{split}:{name}" for name in DOMAIN_NAMES if name in present]


def _require(condition: bool, where: object, message: str) -> None:
    if not condition:
        raise LeaderboardError(f"{where}: {message}")
