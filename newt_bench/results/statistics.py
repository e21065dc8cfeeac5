"""Aggregate scores with confidence intervals.

The unit of replication is the seed: one training run. Episodes only refine a seed's mean score. Intervals
are percentile intervals of a bootstrap that resamples seeds within each task, independently over tasks (the
stratified bootstrap of Agarwal et al., arXiv 2108.13264), computed by `scipy.stats.bootstrap`.

With few seeds such intervals are too narrow: resampling n seeds has (n-1)/n of their variance. `docs/results.md`
gives the coverage that was measured for n = 2 to 20.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import ResultsError

__all__ = ["CONFIDENCE", "Estimate", "aggregate_scores", "estimate"]

CONFIDENCE = 0.95
_RESAMPLES = 2000

Scores = Sequence[NDArray[np.float64]]
Statistic = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A statistic with its 95% interval.

    Attributes:
        value: The statistic of the data.
        low: Lower end of the interval, or None where one seed gives no interval.
        high: Upper end, or None.
        seeds: Number of seeds per task.
    """

    value: float
    low: float | None
    high: float | None
    seeds: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval: 1 seed)"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate(scores: Scores, statistic: Statistic, resamples: int = _RESAMPLES, rng_seed: int = 0) -> Estimate:
    """A statistic of seeds' scores over tasks, with a stratified bootstrap interval.

    Args:
        scores: One array per task: the mean score of each seed, shape (seeds,).
        statistic: Called with one array per task, each of shape (..., seeds), and `axis=-1`.
        resamples: Number of bootstrap resamples.
        rng_seed: Seed of the resampling; equal input gives equal intervals.

    Returns:
        The statistic and its interval; no interval where there is one seed.

    Raises:
        ResultsError: There is no task, or tasks differ in their number of seeds.
    """
    counts = {len(task_scores) for task_scores in scores}
    if len(counts) != 1 or 0 in counts:
        raise ResultsError(
            "Aggregates need at least one task, and the same number of seeds for every task; "
            f"found {sorted(counts) or 'no task'}"
        )
    seeds = counts.pop()
    value = float(statistic(*scores, axis=-1))
    if seeds == 1:
        return Estimate(value, None, None, seeds)
    from scipy import stats

    interval = stats.bootstrap(
        tuple(scores),
        statistic,
        n_resamples=resamples,
        batch=max(1, 4_000_000 // (len(scores) * seeds)),  # at most 32 MB of resampled scores at a time
        vectorized=True,
        axis=-1,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(rng_seed),
    ).confidence_interval
    return Estimate(value, float(interval.low), float(interval.high), seeds)


def aggregate_scores(
    scores: Mapping[str, NDArray[np.float64]], domains: Mapping[str, str], resamples: int = _RESAMPLES
) -> dict[str, Estimate]:
    """The benchmark's aggregates.

    Args:
        scores: Mean score of each seed, shape (seeds,), by task.
        domains: Domain of each task.
        resamples: Number of bootstrap resamples.

    Returns:
        `mean` (of task scores), `domain_mean` (mean over domains of their tasks' mean) and `iqm`
        (interquartile mean of all tasks' and seeds' scores).
    """
    samples = [np.asarray(values, dtype=np.float64) for values in scores.values()]
    groups = [domains[task] for task in scores]
    return {
        "mean": estimate(samples, _mean, resamples),
        "domain_mean": estimate(samples, _domain_mean(groups), resamples),
        "iqm": estimate(samples, _iqm, resamples),
    }


def _mean(*samples: NDArray[np.float64], axis: int) -> Any:
    return np.mean([sample.mean(axis=axis) for sample in samples], axis=0)


def _domain_mean(groups: Sequence[str]) -> Statistic:
    members = [[i for i, group in enumerate(groups) if group == name] for name in dict.fromkeys(groups)]

    def statistic(*samples: NDArray[np.float64], axis: int) -> Any:
        return np.mean([_mean(*(samples[i] for i in group), axis=axis) for group in members], axis=0)

    return statistic


def _iqm(*samples: NDArray[np.float64], axis: int) -> Any:
    from scipy import stats

    return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)
