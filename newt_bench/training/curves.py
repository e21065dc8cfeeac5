"""Learning curves: scores over environment steps, as the log of a run tells them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import InputError
from newt_bench.media import plot_score_curves
from newt_bench.training.journal import read_journal
from newt_bench.training.run_folder import RunFolder

__all__ = ["Curve", "load_curve", "plot_curves"]


@dataclasses.dataclass(frozen=True)
class Curve:
    """The evaluations of one run.

    Attributes:
        steps: Environment steps at each evaluation, shape (evaluations,).
        scores: Mean scores by task name, shape (evaluations,) each.
        seed: Seed of the run.
        agent: Name of the agent.
        recipe: Name of the recipe, or None.
    """

    steps: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float64]]
    seed: int
    agent: str
    recipe: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-compatible dictionary."""
        return {
            "agent": self.agent,
            "recipe": self.recipe,
            "seed": self.seed,
            "steps": self.steps.tolist(),
            "scores": {task: np.round(values, 5).tolist() for task, values in self.scores.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Curve:
        """The inverse of `to_json`."""
        scores = {task: np.array(values) for task, values in content["scores"].items()}
        return cls(np.array(content["steps"]), scores, content["seed"], content["agent"], content["recipe"])


def load_curve(run: str | Path) -> Curve:
    """Reads the learning curve of a run.

    Args:
        run: The run's folder.

    Raises:
        InputError: There is no run, or no evaluation yet.
    """
    order = RunFolder(run).order()
    rows = read_journal(Path(run), "evaluation")
    if not rows:
        raise InputError(f"{run} has no evaluation yet")
    scores = {task: np.array([row["scores"][task] for row in rows]) for task in rows[0]["scores"]}
    return Curve(np.array([row["steps"] for row in rows]), scores, order.settings.seed, order.agent, order.recipe)


def plot_curves(curves: Sequence[Curve], path: str | Path, title: str) -> None:
    """Draws learning curves: a panel per task, with a line per run that was evaluated on it.

    Args:
        curves: The runs.
        path: A `.png`, `.svg` or `.pdf` file.
        title: Title of the picture.

    Raises:
        InputError: The format is another.
        MissingExtraError: The extra `media` is not installed.
    """
    by_task: dict[str, list[tuple[Any, Any]]] = {}
    for curve in curves:
        for task, scores in curve.scores.items():
            by_task.setdefault(task, []).append((curve.steps, scores))
    plot_score_curves(Path(path), by_task, title)
