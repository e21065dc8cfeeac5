"""Anchors of the catalogue, measured anew: what random actions and the scripted experts return on each task."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Anchor, Task
from newt_bench.errors import InputError
from newt_bench.evaluation import evaluate
from newt_bench.results import Results

__all__ = ["ANCHOR_SEED", "AnchorCheck", "Policy", "anchor_of", "check_anchors", "measured_anchors"]

#: Whose returns are anchors.
Policy = Literal["random", "scripted"]

#: A seed that no anchor was measured with: other starts and, of random play, other actions.
ANCHOR_SEED = 1_000

# How probable it is that a check of unchanged tasks raises a false alarm, over all tasks together.
_FALSE_ALARMS = 0.001
# Returns are sums of float32 rewards; where every episode is the same, nothing else separates two measurements.
_ROUNDING = 1e-3


@dataclasses.dataclass(frozen=True)
class AnchorCheck:
    """A task's anchor beside a new measurement.

    Attributes:
        task: The task's name.
        anchor: What the catalogue says.
        found: What was measured.
        holds: Whether they may be of the same distribution.
    """

    task: str
    anchor: Anchor
    found: Anchor
    holds: bool


def anchor_of(task: Task, policy: Policy) -> Anchor | None:
    """What the catalogue says of a policy's returns on a task; None where nothing was measured."""
    return task.random_return if policy == "random" else task.scripted_return


def measured_anchors(results: Iterable[Results]) -> dict[str, Anchor]:
    """Mean, standard error and number of the returns of every task, by its id.

    Args:
        results: Results of one policy.

    Raises:
        InputError: A task has less than two episodes.
    """
    returns: dict[str, list[float]] = defaultdict(list)
    for part in results:
        for record in part.episodes:
            returns[record.task].append(record.episode_return)
    return {task: _anchor(task, np.asarray(values)) for task, values in returns.items()}


def _anchor(task: str, returns: NDArray[np.float64]) -> Anchor:
    if len(returns) < 2:
        raise InputError(f"A mean and its standard error take 2 episodes at least; there is one of {task}")
    return Anchor(float(returns.mean()), float(returns.std(ddof=1) / math.sqrt(len(returns))), len(returns))


def check_anchors(
    policy: Policy,
    tasks: Iterable[Task],
    *,
    episodes: int = 20,
    seed: int = ANCHOR_SEED,
    workers: int = 1,
    progress: bool = True,
) -> list[AnchorCheck]:
    """Plays the tasks anew and compares returns with the catalogue's anchors.

    A measurement holds if it lies within Student's interval of the difference, so wide that all of them together hold
    with a probability of 99.9% where no task has changed.

    Args:
        policy: Whose anchors.
        tasks: The tasks; those without an anchor are left out.
        episodes: Episodes per task, 2 at least.
        seed: Of the starts and of the random actions.
        workers: Processes that share the work.
        progress: Whether to show progress on standard error.

    Returns:
        One check per task.

    Raises:
        InputError: None of the tasks has an anchor, or there are too few episodes.
    """
    if episodes < 2:  # before any is played
        raise InputError(f"A mean and its standard error take 2 episodes at least, not {episodes}")
    anchors = {task: anchor for task in tasks if (anchor := anchor_of(task, policy)) is not None}
    if not anchors:
        raise InputError(f"None of these tasks has an anchor of the {policy} policy")
    results = evaluate(policy, list(anchors), episodes, seed, workers=workers, progress=progress)
    return list(_compared(anchors, measured_anchors([results])))


def _compared(anchors: dict[Task, Anchor], measured: dict[str, Anchor]) -> Iterator[AnchorCheck]:
    from scipy import stats

    level = _FALSE_ALARMS / len(anchors)
    for task, anchor in anchors.items():
        found = measured[task.id]
        freedom = min(anchor.episodes, found.episodes) - 1  # cautious, as the variances may differ
        reach = float(stats.t.isf(level / 2, freedom)) * math.hypot(anchor.sem, found.sem)
        allowed = reach + _ROUNDING * max(1.0, abs(anchor.mean))
        yield AnchorCheck(task.name, anchor, found, abs(anchor.mean - found.mean) <= allowed)
