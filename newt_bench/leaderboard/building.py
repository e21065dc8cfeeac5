"""Makes a submission from results files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from newt_bench.errors import InputError
from newt_bench.leaderboard.reading import parse_submission
from newt_bench.leaderboard.rules import recorded_training
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.tracks import Track, get_track, task_set
from newt_bench.results import Results, load_results, split_results

__all__ = ["Entry", "build_submission"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a submitter says, beside the results.

    Attributes:
        name: Of the agent, for people.
        track: Name of the track.
        code: Link to the code.
        training: What one training run used, by the names of `newt_bench.leaderboard.TRAINING_FIELDS`.
            `environment_steps` may be None where `newt_bench.train` made the results: they tell.
        budget: One of the track's budgets; None for the smallest that holds what was used.
        authors: Names.
        paper: Link to the paper.
        checkpoints: Links to trained agents.
        notes: What a reader should know.
    """

    name: str
    track: str
    code: str
    training: Mapping[str, int | None]
    budget: int | None = None
    authors: Sequence[str] = ()
    paper: str | None = None
    checkpoints: Sequence[str] = ()
    notes: str = ""


def build_submission(entry: Entry, files: Sequence[str | Path]) -> Submission:
    """Makes a submission and checks it as the maintainers will.

    Args:
        entry: What the submitter says.
        files: Results files that `newt_bench.evaluate` wrote, which together hold every task, seed and episode once.
            Merged ones are taken apart again, so that a submission says of every run where it comes from.

    Returns:
        The submission.

    Raises:
        InputError: There is no file, no such track, or it is not told how many steps training took.
        ResultsError: A file cannot be read.
        SubmissionError: The submission breaks a rule.
    """
    if not files:
        raise InputError("There are no results to submit; name files that 'newt-bench evaluate --out' wrote")
    track = get_track(entry.track)
    results = tuple(run for path in files for run in split_results(load_results(path)))
    training = dict(entry.training)
    if training["environment_steps"] is None:
        training["environment_steps"] = _recorded_steps(results)
    budget = entry.budget if entry.budget is not None else track.smallest_budget(training)
    submission = Submission(
        name=entry.name,
        track=track.name,
        tasks=_task_set(track, results),
        budget=budget,
        code=entry.code,
        training=training,
        results=results,
        submitted=datetime.now(timezone.utc).date().isoformat(),
        authors=tuple(entry.authors),
        paper=entry.paper,
        checkpoints=tuple(entry.checkpoints),
        notes=entry.notes,
    )
    return parse_submission(submission.to_text())


def _recorded_steps(results: Sequence[Results]) -> int:
    told = [(recorded_training(item) or {}).get("steps") for item in results]
    steps = [value for value in told if isinstance(value, int)]
    if len(steps) < len(told):
        raise InputError("Say how many agent steps a training run played (--steps), 0 if it played none")
    return max(steps)


def _task_set(track: Track, results: Sequence[Results]) -> str:
    """The track's task set that the results cover, or the one that they come nearest to."""
    played = {task for item in results for task in item.protocol.tasks}

    def likeness(name: str) -> float:
        wanted = {task.id for task in task_set(name)}
        return len(wanted & played) / len(wanted | played)

    return max(track.tasks, key=likeness)
