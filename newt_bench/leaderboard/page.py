"""What the leaderboard's page shows, as one JSON document."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from newt_bench.catalogue import Task, load_domain
from newt_bench.leaderboard.board import Row
from newt_bench.leaderboard.ranking import Board, Placed, profile
from newt_bench.leaderboard.tracks import Track, budget_label, task_set, tracks
from newt_bench.leaderboard.trust import LEVELS
from newt_bench.results.statistics import Estimate, aggregate_scores, iqm_difference, probability_of_improvement
from newt_bench.version import __version__

__all__ = ["Pictures", "page_data", "run_path"]

#: Pictures by task name, each by its suffix without the dot.
Pictures = Mapping[str, Mapping[str, Path]]

_DIGITS = 4  # more than intervals resolve, and half the size of the file


def run_path(row: Row) -> str:
    """Where the site keeps a submission's own file, as a relative link."""
    return f"runs/{row.id}.json"


def page_data(boards: Sequence[Board], pictures: Pictures, advance: Callable[[str], None] = lambda _: None) -> Any:
    """Everything that the page shows.

    Numbers are rounded to 4 digits. An estimate is a list `[value, low, high]`; `low` and `high` are null where one
    seed gives no interval. `scores` holds one list per task, in the order of the board's `tasks`, of each seed's mean
    score. `pairs` holds for rows i < j, by `"i,j"`, the difference of their interquartile means and the probability
    that a run of row i scores higher than one of row j.

    Args:
        boards: All boards.
        pictures: Pictures of tasks, which the site keeps as `pictures/<task>.<suffix>`.
        advance: Told the name of every board that is done.

    Returns:
        The document, of JSON's types only.
    """
    shown = {task.name: task for board in boards for task in task_set(board.tasks)}
    made = []
    for board in boards:
        made.append(_board(board))
        advance(board.title)
    return {
        "version": __version__,
        "levels": list(LEVELS),
        "domains": {name: load_domain(name).title for name in dict.fromkeys(t.domain for t in shown.values())},
        "tasks": {name: _task(task, pictures.get(name, {})) for name, task in shown.items()},
        "tracks": [_track(track) for track in tracks().values()],
        "boards": made,
    }


def _task(task: Task, pictures: Mapping[str, Path]) -> dict[str, Any]:
    measured = task.random_return
    return {
        "id": task.id,
        "domain": task.domain,
        "instruction": task.instruction,
        "embodiment": task.embodiment,
        "steps": task.max_episode_steps,
        "score": "success at the last step" if task.score.kind == "final_success" else _scale(task),
        "random": None if measured is None or task.has_success else round(task.score(measured.mean, 0.0), _DIGITS),
        "pictures": sorted(pictures),
    }


def _scale(task: Task) -> str:
    return f"return, scaled so that {task.score.low:g} is 0 and {task.score.high:g} is 1"


def _track(track: Track) -> dict[str, Any]:
    return {
        "name": track.name,
        "title": track.title,
        "summary": track.summary,
        "rules": list(track.rules),
        "budget_unit": track.budget_unit,
    }


def _board(board: Board) -> dict[str, Any]:
    rows = [place.row for place in board.rows]
    return {
        "id": board.id,
        "track": board.track.name,
        "title": board.title,
        "budget": budget_label(board.budget),
        "task_set": board.tasks,
        "tasks": list(task_set(board.tasks).names),
        "rows": [_row(place, [other.rank for other in board.rows].count(place.rank) > 1) for place in board.rows],
        "pairs": {
            f"{i},{j}": [_numbers(compare(rows[i].scores, rows[j].scores)) for compare in _COMPARISONS]
            for i, j in itertools.combinations(range(len(rows)), 2)
        },
    }


_COMPARISONS = (iqm_difference, probability_of_improvement)


def _row(place: Placed, tied: bool) -> dict[str, Any]:
    row, submission = place.row, place.row.submission
    curve = profile(row)
    return {
        "id": row.id,
        "rank": place.rank,
        "tied": tied,
        "name": submission.name,
        "authors": list(submission.authors),
        "code": submission.code,
        "paper": submission.paper,
        "checkpoints": list(submission.checkpoints),
        "run": run_path(row),
        "notes": submission.notes,
        "submitted": submission.submitted,
        "training": dict(submission.training),
        "seeds": len(submission.seeds),
        "episodes": submission.episodes_per_seed,
        "trust": {"level": row.trust.level, "date": row.trust.date, "evidence": row.trust.evidence},
        "flags": list(row.flags),
        "versions": list(row.versions),
        "renderers": list(row.renderers),
        "aggregate": {name: _numbers(estimate) for name, estimate in row.aggregate.items()},
        "improvement": None if place.improvement is None else _numbers(place.improvement),
        "domains": {name: _numbers(estimate) for name, estimate in _domains(row).items()},
        "scores": [[round(float(score), _DIGITS) for score in by_seed] for by_seed in row.scores.values()],
        "profile": [
            None if values is None else [round(float(value), _DIGITS) for value in values]
            for values in (curve.share, curve.low, curve.high)
        ],
    }


def _domains(row: Row) -> dict[str, Estimate]:
    """Mean score over a domain's tasks, by domain, with its interval."""
    domains = {task.name: task.domain for task in task_set(row.submission.tasks)}
    found = {}
    for domain in dict.fromkeys(domains.values()):
        members = {task: scores for task, scores in row.scores.items() if domains[task] == domain}
        found[domain] = aggregate_scores(members, domains)["mean"]
    return found


def _numbers(estimate: Estimate) -> list[float | None]:
    ends = (estimate.value, estimate.low, estimate.high)
    return [None if value is None else round(value, _DIGITS) for value in ends]
