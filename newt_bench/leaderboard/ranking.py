"""Ranks rows that can be compared: same track, budget and tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from newt_bench.leaderboard.board import Row
from newt_bench.leaderboard.tracks import Track, budget_label, get_track, tracks
from newt_bench.results.statistics import (
    Estimate,
    Profile,
    iqm_difference,
    performance_profile,
    probability_of_improvement,
)

__all__ = ["Board", "Placed", "boards", "profile", "rank"]

_THRESHOLDS = np.linspace(0, 1, 101)
_ROUNDING = 1e-9  # sums of equal scores differ by that much at most


@dataclasses.dataclass(frozen=True)
class Placed:
    """A row at its place.

    Attributes:
        rank: From 1. Rows that cannot be told apart share one.
        row: The row.
        improvement: How probable it is that a run of this row scores higher than one of the next row below, on a task
            drawn at random; None for the last row.
    """

    rank: int
    row: Row
    improvement: Estimate | None


@dataclasses.dataclass(frozen=True)
class Board:
    """Rows that can be compared, best first.

    Attributes:
        track: The track.
        budget: The budget, or None.
        tasks: Name of the task set.
        rows: The rows at their places.
    """

    track: Track
    budget: int | None
    tasks: str
    rows: tuple[Placed, ...]

    @property
    def id(self) -> str:
        """Such as `multitask/10M/core`: unique, and fit for a file's name once `/` and `:` are replaced."""
        return "/".join(part for part in (self.track.name, budget_label(self.budget), self.tasks) if part)

    @property
    def title(self) -> str:
        """For people, such as `Multitask, online: 10M, core`."""
        return f"{self.track.title}: " + ", ".join(part for part in (budget_label(self.budget), self.tasks) if part)


def boards(rows: Sequence[Row]) -> tuple[Board, ...]:
    """Sorts rows into boards and ranks each.

    Args:
        rows: Any rows.

    Returns:
        All boards that have a row, in the order of tracks, budgets and task sets.
    """
    groups: dict[tuple[str, int | None, str], list[Row]] = {}
    for row in rows:
        submission = row.submission
        groups.setdefault((submission.track, submission.budget, submission.tasks), []).append(row)
    order = list(tracks())
    made = [Board(get_track(t), budget, tasks, rank(group)) for (t, budget, tasks), group in groups.items()]
    return tuple(sorted(made, key=lambda b: (order.index(b.track.name), b.budget or 0, b.track.tasks.index(b.tasks))))


def rank(rows: Sequence[Row]) -> tuple[Placed, ...]:
    """Ranks rows of one board by their interquartile mean.

    Going down from the best, a row shares the rank of the row that opened it while the 95% interval of their difference
    contains 0; the first row for which it does not opens the next rank, which counts all rows above.

    Args:
        rows: Rows on the same tasks.

    Returns:
        The same rows, best first; rows of equal scores in the order of their ids.
    """
    ordered = sorted(rows, key=lambda row: (-row.aggregate["iqm"].value, row.id))
    placed: list[Placed] = []
    head = 0
    for index, row in enumerate(ordered):
        if index and not _tied(ordered[head], row):
            head = index
        below = ordered[index + 1] if index + 1 < len(ordered) else None
        improvement = None if below is None else probability_of_improvement(row.scores, below.scores)
        placed.append(Placed(head + 1, row, improvement))
    return tuple(placed)


def _tied(first: Row, second: Row) -> bool:
    difference = iqm_difference(first.scores, second.scores)
    if difference.low is None or difference.high is None:
        return True  # one seed: nothing can be told
    return difference.low <= _ROUNDING and difference.high >= -_ROUNDING


def profile(row: Row) -> Profile:
    """Share of a row's runs that score above each of 101 thresholds from 0 to 1."""
    return performance_profile(row.scores, _THRESHOLDS)
