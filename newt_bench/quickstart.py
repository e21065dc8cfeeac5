"""The first run: an agent evaluated, its results written down, plotted and filmed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from newt_bench.catalogue import tasks
from newt_bench.evaluation import evaluate
from newt_bench.filming import film
from newt_bench.media import plot_scores
from newt_bench.results import Results

__all__ = ["QUICKSTART_TASKS", "Quickstart", "run_quickstart"]

QUICKSTART_TASKS = ("cartpole-balance", "reacher-easy", "walker-walk")
_FILMED_TASK = "walker-walk"


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """What the quickstart made: the results, and the files that show them."""

    results: Results
    results_file: Path
    plot_file: Path
    video_file: Path


def run_quickstart(folder: Path) -> Quickstart:
    """Evaluates the random agent on three tasks with three seeds, and writes results, plot and video.

    Args:
        folder: Where to write; files of an earlier quickstart are replaced.
    """
    results_file, plot_file = folder / "results.json", folder / "scores.png"
    video_file = folder / f"{_FILMED_TASK}.mp4"
    results = evaluate("random", QUICKSTART_TASKS, episodes=5, seed=(0, 1, 2))
    results.save(results_file)
    scores = {
        task.name: np.array([record.score for record in results.episodes if record.task == task.id])
        for task in tasks(QUICKSTART_TASKS)
    }
    plot_scores(plot_file, scores, "Random agent")
    film(video_file, _FILMED_TASK, "random", steps=200)
    return Quickstart(results, results_file, plot_file, video_file)
