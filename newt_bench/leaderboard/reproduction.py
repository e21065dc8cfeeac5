"""The commands behind a row's numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from newt_bench.catalogue import SPLITS, get_task, tasks
from newt_bench.leaderboard.submission import Submission
from newt_bench.results import Results

__all__ = ["evaluation_commands"]


def evaluation_commands(submission: Submission) -> list[list[str]]:
    """The `newt-bench evaluate` commands that make a submission's results anew, as argument lists.

    They are derived from what was evaluated; the command line that a submission reports is a stranger's text.

    Args:
        submission: The submission.

    Returns:
        One command per results file; each writes `<slug>-<number>.json`.
    """
    return [
        ["newt-bench", "evaluate", *_arguments(results), "--out", f"{submission.slug}-{number}.json"]
        for number, results in enumerate(submission.results)
    ]


def _arguments(results: Results) -> list[str]:
    protocol = results.protocol
    seeds = [word for seed in protocol.seeds for word in ("--seed", str(seed))]
    options = [
        word for key, value in results.agent["options"].items() for word in ("--option", f"{key}={_option_text(value)}")
    ]
    obs_type = [] if protocol.obs_type == "state" else ["--obs-type", protocol.obs_type]
    return [
        *("--agent", str(results.agent["spec"])),
        *options,
        *_tasks(protocol.tasks),
        *obs_type,
        *("--episodes", str(protocol.episodes)),
        *seeds,
    ]


def _tasks(ids: Sequence[str]) -> tuple[str, str]:
    for split in SPLITS:
        if {task.id for task in tasks(split=split)} == set(ids):
            return "--split", split
    return "--tasks", ",".join(get_task(task).name for task in ids)


def _option_text(value: Any) -> str:
    """The inverse of what the command line makes of `key=value`: JSON, except for text that is no JSON."""
    text = json.dumps(value)
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return text
