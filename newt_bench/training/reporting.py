"""Tells how training goes: to the log, to TensorBoard, and on the screen."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from newt_bench.agents.team import Team
from newt_bench.catalogue import get_task
from newt_bench.progress import StepsBar, steps_bar
from newt_bench.results import EpisodeRecord
from newt_bench.training.journal import Journal
from newt_bench.training.run_folder import LoopState, RunFolder
from newt_bench.training.settings import TrainingSettings

__all__ = ["Reporter", "reporter"]

# Updates between lines of the log in pretraining.
_PRETRAINING_INTERVAL = 100


class Reporter:
    """Gathers what happens between two lines of the log. Only the first process of a team writes.

    Args:
        journal: The log; None in the other processes.
        bar: The progress bar.
        interval: Environment steps between lines.
        steps: Environment steps so far.
        team: The processes that train together.
    """

    def __init__(self, journal: Journal | None, bar: StepsBar, interval: int, steps: int, team: Team) -> None:
        self._journal, self._bar, self._interval, self._team = journal, bar, interval, team
        self._ended: list[tuple[str, float]] = []
        self._metrics: list[Mapping[str, float]] = []
        self._mark = (steps, time.monotonic())
        self._score = ""

    @property
    def log_size(self) -> int:
        """Bytes of the log."""
        return self._journal.size if self._journal is not None else 0

    def busy(self, steps: int, what: str) -> None:
        """Something else than stepping goes on."""
        self._bar(steps, what)

    def pretraining(self, updates: int, metrics: Mapping[str, float]) -> None:
        """One update on demonstrations."""
        self._metrics.append(metrics)
        if updates % _PRETRAINING_INTERVAL == 0:
            means = _means(self._metrics)
            self._metrics = []
            self._write("pretraining", updates, {"metrics": means})
            self._bar.say(0, f"pretraining: {updates:,} updates, loss {_loss(means)}")

    def training(
        self, steps: int, seconds: float, ended: Iterable[tuple[str, float]], metrics: Mapping[str, float]
    ) -> None:
        """One step of every slot.

        Args:
            steps: Environment steps so far.
            seconds: Time so far.
            ended: Task and return of the episodes that ended.
            metrics: What the agent told of its updates; empty if there were none.
        """
        self._ended += ended
        if metrics:
            self._metrics.append(metrics)
        done, since = self._mark
        if steps // self._interval == done // self._interval:
            self._bar(steps, self._score)
            return
        speed = (steps - done) / max(time.monotonic() - since, 1e-9)
        collected: defaultdict[str, list[float]] = defaultdict(list)
        for part in self._team.gather(self._ended):
            for task, value in part:
                collected[task].append(value)
        returns = {task: float(np.mean(values)) for task, values in collected.items()}
        means = _means(self._metrics)
        row = {"seconds": round(seconds, 3), "steps_per_second": speed, "returns": returns, "metrics": means}
        self._write("training", steps, row)
        shown = f"return {np.mean(list(returns.values())):.1f}" if len(returns) == 1 else ""
        loss = f"loss {_loss(means)}" if means else ""
        self._bar.say(steps, "  ".join(filter(None, (self._score, shown, loss, f"{speed:.0f} steps/s"))))
        self._ended, self._metrics, self._mark = [], [], (steps, time.monotonic())

    def evaluation(self, steps: int, seconds: float, records: Iterable[EpisodeRecord]) -> None:
        """Evaluation episodes, of all processes."""
        scores: defaultdict[str, list[float]] = defaultdict(list)
        returns: defaultdict[str, list[float]] = defaultdict(list)
        for record in records:
            name = get_task(record.task).name
            scores[name].append(record.score)
            returns[name].append(record.episode_return)
        row = {
            "seconds": round(seconds, 3),
            "score": float(np.mean([np.mean(values) for values in scores.values()])),
            "scores": {task: float(np.mean(values)) for task, values in scores.items()},
            "returns": {task: float(np.mean(values)) for task, values in returns.items()},
            "episodes": min(len(values) for values in scores.values()),
        }
        self._write("evaluation", steps, row)
        self._score = f"score {row['score']:.3f}"
        self._bar.say(steps, f"evaluation: {self._score}")
        self._mark = (steps, time.monotonic())

    def _write(self, kind: str, steps: int, row: Mapping[str, Any]) -> None:
        if self._journal is not None:
            self._journal.write(kind, steps, row)


@contextmanager
def reporter(
    folder: RunFolder, settings: TrainingSettings, slots: int, state: LoopState, team: Team, progress: bool
) -> Iterator[Reporter]:
    """Opens the log and the progress bar.

    Args:
        folder: The run's folder.
        settings: How it is trained.
        slots: Slots of all processes.
        state: Where the run goes on.
        team: The processes that train together.
        progress: Whether to show anything on the screen.
    """
    first = team.rank == 0
    journal = Journal(folder.path, state.log_size, state.steps) if first else None
    try:
        with steps_bar(progress and first, settings.steps, state.steps) as bar:
            yield Reporter(journal, bar, settings.log_interval(slots), state.steps, team)
    finally:
        if journal is not None:
            journal.close()


def _means(metrics: list[Mapping[str, float]]) -> dict[str, float]:
    """Means of every metric over the updates that told it."""
    collected: defaultdict[str, list[float]] = defaultdict(list)
    for row in metrics:
        for name, value in row.items():
            collected[name].append(value)
    return {name: float(np.mean(values)) for name, values in collected.items()}


def _loss(means: Mapping[str, float]) -> str:
    value = means.get("total", next(iter(means.values()), float("nan")))
    return f"{value:.3f}"
