"""Reads and validates `tasks/*.toml`.

One file per domain. `[domain]` describes the domain, `[embodiments]` names the bodies' sentences,
`[defaults]` holds fields that most tasks of the file share, and each `[tasks.<name>]` is one task.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newt_bench.catalogue.task import Anchor, Domain, Score, Task, default_discount
from newt_bench.content import content_folder
from newt_bench.errors import CatalogueError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DOMAIN_NAMES", "load_domain", "load_tasks", "parse_domain_file", "task_index"]

#: All domains, in the order in which tables and task lists show them.
DOMAIN_NAMES: tuple[str, ...] = (
    "dmcontrol",
    "dmcontrol-ext",
    "metaworld",
    "maniskill",
    "mujoco",
    "box2d",
    "robodesk",
    "ogbench",
    "miniarcade",
    "atari",
)

_TASK_HEADER = re.compile(r"^\[tasks\.([a-z0-9-]+)\]\s*$", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

# Type of each field as it stands in a file. `float` accepts whole numbers too.
_FIELD_TYPES: dict[str, type] = {
    "split": str,
    "instruction": str,
    "paraphrases": list,
    "embodiment": str,
    "simulator_id": str,
    "settings": dict,
    "action_dim": int,
    "obs_dim": int,
    "max_episode_steps": int,
    "action_repeat": int,
    "discount": float,
    "score": dict,
    "assets": list,
    "tags": list,
    "lite": str,
    "fixed_start": bool,
    "needs_renderer": bool,
    "provenance": str,
    "random_return": dict,
    "scripted_return": dict,
}
# The same for the entries of inline tables, by annotation.
_ENTRY_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool}
_OPTIONAL = {field.name for field in dataclasses.fields(Task) if field.default is not dataclasses.MISSING} | {
    "settings",
    "discount",
}


@functools.cache
def task_index() -> Mapping[str, str]:
    """Maps every task name to its domain, in catalogue order.

    It reads table headers only, so that registering 234 ids costs milliseconds; the files are parsed and
    validated by `load_tasks` when a task is first used.
    """
    index: dict[str, str] = {}
    for domain in DOMAIN_NAMES:
        text = _domain_file(domain).read_text(encoding="utf-8")
        for name in _TASK_HEADER.findall(text):
            if name in index:
                raise CatalogueError(f"{domain}.toml: task '{name}' is defined in {index[name]}.toml too")
            index[name] = domain
    return index


@functools.cache
def load_domain(domain: str) -> Domain:
    """The `[domain]` record of one catalogue file."""
    return _load_file(domain)[0]


@functools.cache
def load_tasks(domain: str) -> Mapping[str, Task]:
    """All tasks of one domain by name, in file order.

    Raises:
        CatalogueError: The file breaks the schema; the message names file, task and field.
    """
    return {task.name: task for task in _load_file(domain)[1]}


@functools.cache
def _load_file(domain: str) -> tuple[Domain, tuple[Task, ...]]:
    return parse_domain_file(_domain_file(domain))


def _domain_file(domain: str) -> Path:
    return content_folder("tasks") / f"{domain}.toml"


def parse_domain_file(path: Path) -> tuple[Domain, tuple[Task, ...]]:
    """Parses one catalogue file.

    Args:
        path: A TOML file; its stem is the domain's name.

    Returns:
        The domain and its tasks in file order.

    Raises:
        CatalogueError: The file is not TOML or breaks the schema.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path.name}: not valid TOML: {error}") from error
    unknown = set(content) - {"domain", "embodiments", "defaults", "tasks"}
    if unknown:
        raise CatalogueError(f"{path.name}: unknown table [{sorted(unknown)[0]}]")
    domain = _parse_domain(path, content.get("domain", {}))
    embodiments = content.get("embodiments", {})
    defaults = content.get("defaults", {})
    tasks = tuple(
        _parse_task(path, name, {**defaults, **fields}, embodiments)
        for name, fields in content.get("tasks", {}).items()
    )
    return domain, tasks


def _parse_domain(path: Path, fields: Mapping[str, Any]) -> Domain:
    expected: dict[str, type] = {"title": str, "extra": str, "packages": list}
    for field, kind in expected.items():
        if not isinstance(fields.get(field), kind):
            raise CatalogueError(f"{path.name}: [domain]: field '{field}' must be given, as {kind.__name__}")
    if set(fields) - set(expected):
        raise CatalogueError(f"{path.name}: [domain]: unknown field '{min(set(fields) - set(expected))}'")
    return Domain(path.stem, fields["title"], fields["extra"], tuple(fields["packages"]))


def _parse_task(path: Path, name: str, fields: dict[str, Any], embodiments: Mapping[str, str]) -> Task:
    where = f"{path.name}: task '{name}'"
    if not _NAME.fullmatch(name):
        raise CatalogueError(f"{where}: the name must be lower-case words joined by single hyphens")
    _check_fields(where, fields)
    if fields["embodiment"] not in embodiments:
        raise CatalogueError(
            f"{where}: field 'embodiment': '{fields['embodiment']}' is not in [embodiments] "
            f"({', '.join(sorted(embodiments))})"
        )
    for anchor in ("random_return", "scripted_return"):
        if anchor in fields:
            fields[anchor] = _record(where, anchor, Anchor, fields[anchor])
    fields["score"] = _record(where, "score", Score, fields["score"])
    fields["embodiment"] = embodiments[fields["embodiment"]]
    fields["paraphrases"] = tuple(fields["paraphrases"])
    fields["assets"] = tuple(fields.get("assets", ()))
    fields["tags"] = tuple(sorted(fields.get("tags", ())))
    fields.setdefault("discount", default_discount(max(fields["max_episode_steps"], 1)))
    task = Task(name=name, domain=path.stem, **fields)
    try:
        task.check()
    except ValueError as error:
        field, _, reason = str(error).partition(": ")
        raise CatalogueError(f"{where}: field '{field}': {reason}") from error
    return task


def _check_fields(where: str, fields: Mapping[str, Any]) -> None:
    unknown = sorted(set(fields) - set(_FIELD_TYPES))
    if unknown:
        raise CatalogueError(f"{where}: unknown field '{unknown[0]}'")
    for field, kind in _FIELD_TYPES.items():
        if field not in fields:
            if field in _OPTIONAL:
                continue
            raise CatalogueError(f"{where}: field '{field}' is missing")
        if not _has_type(fields[field], kind):
            raise CatalogueError(f"{where}: field '{field}' must be of type {kind.__name__}, not {fields[field]!r}")
        if kind is list and not all(isinstance(item, str) for item in fields[field]):
            raise CatalogueError(f"{where}: field '{field}' must be a list of strings")


def _has_type(value: object, kind: type) -> bool:
    if isinstance(value, bool):  # bool is an int in Python, not in a catalogue
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _record(where: str, field: str, kind: type[Any], values: Mapping[str, Any]) -> Any:
    """Builds a small dataclass from an inline table, with its field names checked."""
    known = dataclasses.fields(kind)
    unknown = sorted(set(values) - {item.name for item in known})
    missing = [item.name for item in known if item.default is dataclasses.MISSING and item.name not in values]
    if unknown or missing:
        problem = f"unknown entry '{unknown[0]}'" if unknown else f"entry '{missing[0]}' is missing"
        raise CatalogueError(f"{where}: field '{field}': {problem}")
    for item in known:
        expected = _ENTRY_TYPES.get(str(item.type))
        if expected and item.name in values and not _has_type(values[item.name], expected):
            raise CatalogueError(
                f"{where}: field '{field}': '{item.name}' must be of type {expected.__name__}, "
                f"not {values[item.name]!r}"
            )
    return kind(**values)
