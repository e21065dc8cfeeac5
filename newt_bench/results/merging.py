"""One results file out of those of several training runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from newt_bench.errors import ResultsError
from newt_bench.results.records import EpisodeRecord, Results

__all__ = ["merge_results"]


def merge_results(parts: Sequence[Results]) -> Results:
    """Joins results of one agent: other seeds on the same tasks, or other tasks with the same seeds.

    Args:
        parts: The results; agent, options but `checkpoint`, and protocol must be the same but for seeds or tasks.

    Returns:
        All episodes. The provenance is that of the first part, with every part's own under `parts`, and all time added.

    Raises:
        ResultsError: They do not belong together; the message says in what they differ.
    """
    if not parts:
        raise ResultsError("There are no results to merge")
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    for other in parts[1:]:
        _check(first, other)
    seeds = tuple(dict.fromkeys(seed for part in parts for seed in part.protocol.seeds))
    tasks = tuple(dict.fromkeys(task for part in parts for task in part.protocol.tasks))
    protocol = dataclasses.replace(first.protocol, seeds=seeds, tasks=tasks)
    records: dict[tuple[str, int, int], EpisodeRecord] = {}
    for part in parts:
        for record in part.episodes:
            if record.key in records:
                raise ResultsError(f"Two parts hold episode {record.episode} of {record.task} with seed {record.seed}")
            records[record.key] = record
    place = {key: index for index, key in enumerate((task, seed) for seed in seeds for task in tasks)}
    ordered = sorted(records.values(), key=lambda record: (place[record.task, record.seed], record.episode))
    wall = sum(part.provenance["wall_seconds"] for part in parts)
    provenance = {**first.provenance, "wall_seconds": round(wall, 3), "parts": [dict(p.provenance) for p in parts]}
    return Results({**first.agent, "options": _options(first)}, protocol, provenance, tuple(ordered))


def _options(results: Results) -> dict[str, Any]:
    """The agent's options, without the weights that each seed has of its own."""
    options: Mapping[str, Any] = results.agent["options"]
    return {name: value for name, value in options.items() if name != "checkpoint"}


def _check(first: Results, other: Results) -> None:
    compared = {
        "agents": (first.agent["spec"], other.agent["spec"]),
        "options": (_options(first), _options(other)),
        "numbers of episodes": (first.protocol.episodes, other.protocol.episodes),
        "observation types": (first.protocol.obs_type, other.protocol.obs_type),
        "options of the environments": (dict(first.protocol.env_options), dict(other.protocol.env_options)),
    }
    for what, (here, there) in compared.items():
        if here != there:
            raise ResultsError(f"The results are of different {what}: {here} and {there}")
    mine, theirs = first.protocol, other.protocol
    if set(mine.tasks) != set(theirs.tasks) and set(mine.seeds) != set(theirs.seeds):
        raise ResultsError("The results differ in tasks and in seeds; merge those of the same tasks first")
