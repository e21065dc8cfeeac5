"""The commands behind a row's numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from newt_bench.catalogue import SPLITS, get_task, tasks
from newt_bench.leaderboard.rules import recorded_training
from newt_bench.leaderboard.submission import Submission
from newt_bench.results import Results

__all__ = ["reproduction_commands"]

_SETTING = re.compile(r"[a-z_]{1,40}")


def reproduction_commands(submission: Submission) -> list[list[str]]:
    """The commands that make a submission's results anew, as argument lists.

    They are derived from what was trained and evaluated: the command line that a submission reports is a stranger's.

    Args:
        submission: The submission.

    Returns:
        One command per results file: `newt-bench train` where that made it, into a folder `<slug>-<number>`, else
        `newt-bench evaluate`, into `<slug>-<number>.json`.
    """
    commands = []
    for number, results in enumerate(submission.results):
        settings = recorded_training(results)
        command = _evaluate(results) if settings is None else _train(results, settings)
        suffix = ".json" if settings is None else ""
        commands.append(["newt-bench", *command, "--out", f"{submission.slug}-{number}{suffix}"])
    return commands


def _evaluate(results: Results) -> list[str]:
    protocol = results.protocol
    seeds = [word for seed in protocol.seeds for word in ("--seed", str(seed))]
    obs_type = [] if protocol.obs_type == "state" else ["--obs-type", protocol.obs_type]
    return [
        *("evaluate", "--agent", str(results.agent["spec"])),
        *_pairs("--option", results.agent["options"]),
        *_tasks(protocol.tasks),
        *obs_type,
        *("--episodes", str(protocol.episodes)),
        *seeds,
    ]


def _train(results: Results, settings: Mapping[str, Any]) -> list[str]:
    told = {key: value for key, value in settings.items() if value not in (None, {}) and _SETTING.fullmatch(key)}
    start = results.provenance["training"].get("adapted_from")
    return [
        *("train", str(results.agent["spec"])),
        *_tasks(results.protocol.tasks),
        *([] if start is None else ["--adapt", str(start)]),
        *_pairs("--setting", told),
        *_pairs("--option", results.agent["options"]),
    ]


def _pairs(flag: str, values: Mapping[str, Any]) -> list[str]:
    return [word for key, value in values.items() for word in (flag, f"{key}={_text(value)}")]


def _tasks(ids: Sequence[str]) -> tuple[str, str]:
    for split in SPLITS:
        if {task.id for task in tasks(split=split)} == set(ids):
            return "--split", split
    return "--tasks", ",".join(get_task(task).name for task in ids)


def _text(value: Any) -> str:
    """The inverse of what the command line makes of `key=value`: JSON, except for text that is no JSON."""
    text = json.dumps(value)
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return text
