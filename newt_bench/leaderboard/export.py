"""All results as one flat table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from newt_bench.atomic import atomic_path, write_text
from newt_bench.catalogue import get_task
from newt_bench.leaderboard.board import Row

__all__ = ["COLUMNS", "EPISODE_COLUMNS", "to_csv", "write_csv", "write_episodes"]

#: One line per row of the leaderboard, task and seed.
COLUMNS = (
    *("id", "name", "track", "budget", "tasks", "trust", "submitted", "flags"),
    *("domain", "task", "seed", "episodes", "return", "score", "success"),
)

#: One line per episode.
EPISODE_COLUMNS = (
    *("track", "id", "agent", "budget", "tasks", "trust", "submitted", "flags", "versions"),
    *("domain", "task", "seed", "episode", "return", "success", "score"),
)


def to_csv(rows: Sequence[Row]) -> str:
    """All results as CSV: for each row, task and seed, the means over its episodes.

    Return and score are given to 6 significant digits; `success` is empty where the task defines none.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        submission = row.submission
        budget = "" if submission.budget is None else submission.budget
        head: tuple[str | int, ...] = (row.id, submission.name, submission.track, budget, submission.tasks)
        head += (row.trust.level, submission.submitted, "; ".join(row.flags))
        scores, returns = row.scores, submission.merged.returns()
        for task, by_seed in scores.items():
            record = get_task(task)
            for seed, score, value in zip(submission.seeds, by_seed, returns[task], strict=True):
                success = f"{score:.6g}" if record.has_success else ""
                episodes = submission.episodes_per_seed
                writer.writerow((*head, record.domain, task, seed, episodes, f"{value:.6g}", f"{score:.6g}", success))
    return text.getvalue()


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Writes `to_csv(rows)` to a file, atomically."""
    write_text(path, to_csv(rows))


def write_episodes(rows: Sequence[Row], path: Path) -> None:
    """Writes every episode of every row as one flat CSV, atomically: a line per episode, numbers as submitted.

    `success` is empty where the task defines none, `budget` where the track has none.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EPISODE_COLUMNS)
        for row in rows:
            submission, trust = row.submission, row.trust.level
            head = [submission.track, row.id, submission.name, submission.budget, submission.tasks, trust]
            head += [submission.submitted, "; ".join(row.flags), "; ".join(row.versions)]
            for record in submission.merged.episodes:
                task = get_task(record.task)
                numbers = (record.seed, record.episode, record.episode_return, record.success, record.score)
                writer.writerow((*head, task.domain, task.name, *numbers))
