"""The task catalogue: 234 tasks as data, and the questions one can ask of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

from newt_bench.catalogue.loading import DOMAIN_NAMES, load_domain, load_tasks, parse_domain_file, task_index
from newt_bench.catalogue.task import (
    PADDED_ACTION_DIM,
    PADDED_OBS_DIM,
    Anchor,
    Domain,
    Score,
    Task,
    default_discount,
)
from newt_bench.errors import InputError, UnknownTaskError

__all__ = [
    "DOMAIN_NAMES",
    "PADDED_ACTION_DIM",
    "PADDED_OBS_DIM",
    "SPLITS",
    "Anchor",
    "Domain",
    "Score",
    "Split",
    "Task",
    "TaskList",
    "default_discount",
    "get_task",
    "load_domain",
    "parse_domain_file",
    "resolve_tasks",
    "task_index",
    "tasks",
]

Split = Literal["core", "heldout", "lite"]
SPLITS: tuple[Split, ...] = ("core", "heldout", "lite")


class TaskList(tuple[Task, ...]):
    """An immutable sequence of tasks that prints as a table."""

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Task names, in order."""
        return tuple(task.name for task in self)

    def __str__(self) -> str:
        rows = [("task", "domain", "split", "obs", "act", "steps")]
        rows += [(t.name, t.domain, t.split, str(t.obs_dim), str(t.action_dim), str(t.max_episode_steps)) for t in self]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


def get_task(name: str) -> Task:
    """Looks one task up.

    Args:
        name: A task name (`walker-run`) or Gymnasium id (`newt/walker-run-v0`).

    Raises:
        UnknownTaskError: No such task; the message suggests the nearest names.
    """
    short = name.removeprefix("newt/").removesuffix("-v0")
    domain = task_index().get(short)
    if domain is None:
        raise UnknownTaskError(f"There is no task '{name}'. {_suggestion(short, task_index())}")
    return load_tasks(domain)[short]


def resolve_tasks(tasks: str | Task | Iterable[str | Task], purpose: str) -> tuple[Task, ...]:
    """The records of tasks that a caller named, in their order and each once.

    Args:
        tasks: One task or several, by name, Gymnasium id or record.
        purpose: What they are for, for the message, such as `evaluate`.

    Raises:
        InputError: There is none.
        UnknownTaskError: One is unknown.
    """
    items = [tasks] if isinstance(tasks, str | Task) else list(tasks)
    if not items:
        raise InputError(f"There is no task to {purpose}; name tasks or a split")
    return tuple(dict.fromkeys(get_task(item) if isinstance(item, str) else item for item in items))


def tasks(
    names: str | Iterable[str] | None = None,
    *,
    domain: str | Sequence[str] | None = None,
    split: Split | None = None,
    tags: str | Sequence[str] | None = None,
) -> TaskList:
    """Queries the catalogue. Without arguments: all 234 tasks, in catalogue order.

    Args:
        names: Only these tasks, in this order.
        domain: Only tasks of this domain, or of these domains.
        split: `core` (200 tasks), `heldout` (34) or `lite` (20 of the core).
        tags: Only tasks that carry this tag, or all of these tags.

    Returns:
        The matching tasks.

    Raises:
        UnknownTaskError: A name is not in the catalogue.
        InputError: A domain, split or tag is not known.
    """
    domains = _as_tuple(domain)
    wanted_tags = _as_tuple(tags)
    for item in domains:
        _require_known("domain", item, DOMAIN_NAMES)
    if split is not None:
        _require_known("split", split, SPLITS)
    if names is None:
        selected = [t for d in DOMAIN_NAMES if not domains or d in domains for t in load_tasks(d).values()]
    else:
        selected = [get_task(name) for name in _as_tuple(names)]
        selected = [task for task in selected if not domains or task.domain in domains]
    if wanted_tags:
        known = {tag for d in DOMAIN_NAMES for task in load_tasks(d).values() for tag in task.tags}
        for tag in wanted_tags:
            _require_known("tag", tag, sorted(known))
    return TaskList(task for task in selected if _in_split(task, split) and set(wanted_tags) <= set(task.tags))


def _in_split(task: Task, split: Split | None) -> bool:
    if split == "lite":
        return task.lite is not None
    return split is None or task.split == split


def _as_tuple(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _require_known(kind: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"There is no {kind} '{value}'. {_suggestion(value, known)}")


def _suggestion(value: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(value, known, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(name) for name in close)}?"
    if len(known) <= 20:
        return f"Known: {', '.join(known)}."
    return "Run 'newt-bench tasks' for the list."
