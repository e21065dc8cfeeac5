"""One results file out of those of several runs, and back."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from newt_bench.errors import ResultsError
from newt_bench.results.records import EpisodeRecord, Results

__all__ = ["merge_results", "split_results"]


def merge_results(parts: Sequence[Results]) -> Results:
    """Joins results of one agent: other seeds on the same tasks, or other tasks with the same seeds.

    Args:
        parts: The results; agent, options but `checkpoint`, and protocol must be the same but for seeds or tasks.

    Returns:
        All episodes. The provenance is that of the first part, with all time added, and with every run's own under
        `parts`, where `covers` says which tasks, seeds and options it had. `split_results` takes them apart again.

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
    runs = [run for part in parts for run in split_results(part)]
    provenance = {
        **first.provenance,
        "wall_seconds": round(wall, 3),
        "parts": [{**run.provenance, "covers": _covers(run)} for run in runs],
    }
    return Results({**first.agent, "options": _options(first)}, protocol, provenance, tuple(ordered))


def split_results(results: Results) -> list[Results]:
    """The runs that `merge_results` joined, each with its own options and provenance; the results alone if none were.

    Args:
        results: Any results.

    Raises:
        ResultsError: What is told of the parts is not what was merged.
    """
    parts = results.provenance.get("parts")
    if parts is None:
        return [results]
    try:
        runs = [_part(results, part) for part in parts]
    except (TypeError, KeyError, ValueError) as error:
        raise ResultsError("provenance.parts does not say what each part covers; merge the runs' files anew") from error
    if Counter(r.key for run in runs for r in run.episodes) != Counter(r.key for r in results.episodes):
        raise ResultsError("provenance.parts does not cover every episode once; merge the runs' files anew")
    return runs


def _covers(run: Results) -> dict[str, Any]:
    return {
        "tasks": list(run.protocol.tasks),
        "seeds": list(run.protocol.seeds),
        "options": dict(run.agent["options"]),
    }


def _part(results: Results, part: Mapping[str, Any]) -> Results:
    covers = part["covers"]
    tasks, seeds = tuple(covers["tasks"]), tuple(covers["seeds"])
    return Results(
        {**results.agent, "options": dict(covers["options"])},
        dataclasses.replace(results.protocol, tasks=tasks, seeds=seeds),
        {name: value for name, value in part.items() if name != "covers"},
        tuple(record for record in results.episodes if record.task in tasks and record.seed in seeds),
    )


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
