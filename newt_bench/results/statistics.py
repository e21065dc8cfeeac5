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

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Profile",
    "aggregate_scores",
    "estimate",
    "iqm_difference",
    "performance_profile",
    "probability_of_improvement",
]

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
    low, high = _interval(scores, statistic, resamples, rng_seed)
    return Estimate(value, float(low), float(high), seeds)


def _interval(samples: Scores, statistic: Statistic, resamples: int, rng_seed: int = 0) -> tuple[Any, Any]:
    """Ends of the bootstrap interval. Each sample is resampled on its own, along its last axis."""
    from scipy import stats

    size = sum(sample.size for sample in samples)
    interval = stats.bootstrap(
        tuple(samples),
        statistic,
        n_resamples=resamples,
        batch=max(1, 4_000_000 // size),  # at most 32 MB of resampled scores at a time
        vectorized=True,
        axis=-1,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(rng_seed),
    ).confidence_interval
    return interval.low, interval.high


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


def iqm_difference(
    first: Mapping[str, NDArray[np.float64]], second: Mapping[str, NDArray[np.float64]], resamples: int = _RESAMPLES
) -> Estimate:
    """By how much the first agent's interquartile mean exceeds the second's.

    Args:
        first: Mean score of each of its seeds, by task.
        second: The same of the other agent, for the same tasks; the number of seeds may differ.
        resamples: Number of bootstrap resamples; both agents' seeds are resampled, independently.

    Returns:
        The difference, in [-1, 1] for scores in [0, 1].

    Raises:
        ResultsError: The agents were not evaluated on the same tasks.
    """

    def statistic(*samples: NDArray[np.float64], axis: int) -> Any:
        half = len(samples) // 2
        return _iqm(*samples[:half], axis=axis) - _iqm(*samples[half:], axis=axis)

    return _comparison(first, second, statistic, resamples)


def probability_of_improvement(
    first: Mapping[str, NDArray[np.float64]], second: Mapping[str, NDArray[np.float64]], resamples: int = _RESAMPLES
) -> Estimate:
    """How probable it is that a run of the first agent scores higher than one of the second, on a task drawn at random.

    The mean over tasks of P(X > Y) + P(X = Y) / 2 over pairs of seeds: the Mann-Whitney statistic divided by the number
    of pairs (Agarwal et al., arXiv 2108.13264, section 4.3).

    Args:
        first: Mean score of each of its seeds, by task.
        second: The same of the other agent, for the same tasks; the number of seeds may differ.
        resamples: Number of bootstrap resamples; both agents' seeds are resampled, independently.

    Returns:
        The probability, in [0, 1].

    Raises:
        ResultsError: The agents were not evaluated on the same tasks.
    """

    def statistic(*samples: NDArray[np.float64], axis: int) -> Any:
        half = len(samples) // 2
        return np.mean([_exceeds(x, y) for x, y in zip(samples[:half], samples[half:], strict=True)], axis=0)

    return _comparison(first, second, statistic, resamples)


def _exceeds(x: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    """Share of pairs in which x is greater, and half of those in which they are equal; seeds are on the last axis."""
    return (np.sign(x[..., :, None] - y[..., None, :]).mean(axis=(-2, -1)) + 1) / 2


def _comparison(
    first: Mapping[str, NDArray[np.float64]],
    second: Mapping[str, NDArray[np.float64]],
    statistic: Statistic,
    resamples: int,
) -> Estimate:
    if not first or set(first) != set(second):
        raise ResultsError("Only results on the same tasks can be compared, and at least one")
    samples = [np.asarray(scores[task], dtype=np.float64) for scores in (first, second) for task in first]
    seeds = min(len(sample) for sample in samples)
    value = float(statistic(*samples, axis=-1))
    if seeds < 2:
        return Estimate(value, None, None, seeds)
    low, high = _interval(samples, statistic, resamples)
    return Estimate(value, float(low), float(high), seeds)


@dataclasses.dataclass(frozen=True)
class Profile:
    """A performance profile: which share of all runs scores above a threshold.

    Attributes:
        thresholds: The scores, shape (n,).
        share: Share of runs (tasks and seeds) above each, shape (n,), in [0, 1], never rising.
        low: Lower ends of the pointwise 95% intervals, shape (n,); None where one seed gives no interval.
        high: Upper ends, or None.
    """

    thresholds: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None


def performance_profile(
    scores: Mapping[str, NDArray[np.float64]], thresholds: NDArray[np.float64], resamples: int = _RESAMPLES
) -> Profile:
    """The score distribution over all tasks and seeds (Agarwal et al., arXiv 2108.13264, section 4.2).

    Args:
        scores: Mean score of each seed, shape (seeds,), by task; the same number of seeds for every task.
        thresholds: Scores, shape (n,).
        resamples: Number of bootstrap resamples.

    Raises:
        ResultsError: There is no task, or tasks differ in their number of seeds.
    """
    if len({len(values) for values in scores.values()}) != 1:
        raise ResultsError("A profile needs at least one task, and the same number of seeds for every task")
    thresholds = np.asarray(thresholds, dtype=np.float64)
    # Seeds stay on the last axis: one resampling of them serves all thresholds.
    above = [(np.asarray(values) > thresholds[:, None]).astype(np.float64) for values in scores.values()]
    share = _mean(*above, axis=-1)
    if above[0].shape[-1] < 2:
        return Profile(thresholds, share, None, None)
    return Profile(thresholds, share, *_interval(above, _mean, resamples))
