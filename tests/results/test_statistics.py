"""Intervals resample seeds within tasks, agree with a published implementation, and cover."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from newt_bench.errors import ResultsError
from newt_bench.results.statistics import (
    Estimate,
    aggregate_scores,
    estimate,
    iqm_difference,
    performance_profile,
    probability_of_improvement,
)
from tests.conftest import load_data


def mean(*samples, axis):
    return np.mean([sample.mean(axis=axis) for sample in samples], axis=0)


def test_known_values():
    scores = {"a": np.array([0.0, 0.2]), "b": np.array([0.4, 0.6]), "c": np.array([1.0, 1.0])}
    found = aggregate_scores(scores, {"a": "x", "b": "x", "c": "y"})
    assert found["mean"].value == pytest.approx((0.1 + 0.5 + 1.0) / 3)
    assert found["domain_mean"].value == pytest.approx((0.3 + 1.0) / 2)
    # 6 scores, a quarter (1) cut at each end: 0.2, 0.4, 0.6, 1.0.
    assert found["iqm"].value == pytest.approx(0.55)


def test_intervals_agree_with_rliable():
    """rliable 1.2.0 (arXiv 2108.13264) on fixed arrays, 100,000 resamples each: within 1% of the width."""
    reference = load_data("rliable.json")
    names = [f"task{i}" for i in range(len(reference["scores"]))]
    scores = dict(zip(names, map(np.array, reference["scores"]), strict=True))
    domains = dict(zip(names, reference["domains"], strict=True))
    estimates = aggregate_scores(scores, domains, resamples=100_000)
    for label, found in estimates.items():
        expected = reference[label]
        width = expected["high"] - expected["low"]
        assert found.value == pytest.approx(expected["value"], abs=1e-12)
        assert found.low == pytest.approx(expected["low"], abs=0.01 * width)
        assert found.high == pytest.approx(expected["high"], abs=0.01 * width)


def test_coverage():
    """95% intervals cover the truth in 95 +- 2% of simulated studies of 40 seeds (docs/results.md has fewer)."""
    rng = np.random.default_rng(0)
    truth = np.linspace(0.1, 0.9, 10)
    covered = 0
    studies = 1500
    for _ in range(studies):
        samples = [rng.normal(center, 0.1, 40) for center in truth]
        found = estimate(samples, mean, resamples=1000, rng_seed=int(rng.integers(2**31)))
        covered += found.low <= truth.mean() <= found.high
    assert 0.93 <= covered / studies <= 0.97


def test_one_seed_gives_no_interval():
    found = aggregate_scores({"a": np.array([0.3]), "b": np.array([0.5])}, {"a": "x", "b": "y"})
    for item in found.values():
        assert (item.low, item.high, item.seeds) == (None, None, 1)
    assert str(found["mean"]) == "0.400 (no interval: 1 seed)"


def test_seeds_are_resampled_within_tasks():
    """Tasks that differ greatly but repeat exactly over seeds leave nothing uncertain."""
    found = aggregate_scores({"a": np.array([0.0] * 4), "b": np.array([1.0] * 4)}, {"a": "x", "b": "x"})
    assert found["mean"] == Estimate(0.5, 0.5, 0.5, 4)


@pytest.mark.parametrize("samples", [[], [np.array([])], [np.array([0.1, 0.2]), np.array([0.1])]])
def test_uneven_or_empty_data_is_refused(samples):
    with pytest.raises(ResultsError, match="same number of seeds"):
        estimate(samples, mean)


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, (3, 4), elements=st.floats(0, 1)))
def test_interval_properties(data):
    scores = dict(zip("abc", data, strict=True))
    domains = {"a": "x", "b": "x", "c": "y"}
    found = aggregate_scores(scores, domains)
    again = aggregate_scores({name: row[::-1] for name, row in scores.items()}, domains)
    for label, item in found.items():
        assert -1e-12 <= item.low <= item.high + 1e-12 <= 1 + 2e-12  # quantiles round
        assert again[label].value == pytest.approx(item.value)
    assert found == aggregate_scores(scores, domains)


def random_scores(seeds: int, rng: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(rng)
    return {name: random.random(seeds).round(1) for name in "abc"}  # rounded, so that there are ties


def test_probability_of_improvement_is_the_share_of_pairs():
    first, second = random_scores(4, 0), random_scores(5, 1)
    pairs = [[(x > y) + 0.5 * (x == y) for x in first[t] for y in second[t]] for t in "abc"]
    found = probability_of_improvement(first, second)
    assert found.value == pytest.approx(np.mean([np.mean(task) for task in pairs]))
    assert found.low <= found.value <= found.high
    turned = probability_of_improvement(second, first)
    assert found.value + turned.value == pytest.approx(1)


def test_comparison_intervals_are_those_of_all_resamples():
    """Two seeds each on one task: 16 equally probable resamples, counted one by one."""
    first, second = {"a": np.array([0.2, 0.6])}, {"a": np.array([0.1, 0.4])}
    draws = [
        (np.array([first["a"][i], first["a"][j]]), np.array([second["a"][k], second["a"][n]]))
        for i, j, k, n in itertools.product(range(2), repeat=4)
    ]
    chances = [np.mean(np.sign(x[:, None] - y[None]) / 2 + 0.5) for x, y in draws]
    differences = [x.mean() - y.mean() for x, y in draws]  # of two values, a quarter of which is none
    for found, all_values in (
        (probability_of_improvement(first, second, 20_000), chances),
        (iqm_difference(first, second, 20_000), differences),
    ):
        low, high = np.quantile(all_values, [0.025, 0.975], method="inverted_cdf")
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_difference_of_interquartile_means():
    first, second = random_scores(6, 0), random_scores(6, 1)
    domains = dict.fromkeys("abc", "x")
    found = iqm_difference(first, second)
    expected = [aggregate_scores(scores, domains)["iqm"].value for scores in (first, second)]
    assert found.value == pytest.approx(expected[0] - expected[1])
    assert iqm_difference(first, first).value == 0
    assert found.low <= found.value <= found.high


def test_comparisons_need_the_same_tasks_and_two_seeds():
    with pytest.raises(ResultsError, match="same tasks"):
        iqm_difference({"a": np.array([0.1, 0.2])}, {"b": np.array([0.1, 0.2])})
    with pytest.raises(ResultsError, match="same tasks"):
        probability_of_improvement({}, {})
    found = probability_of_improvement({"a": np.array([0.3])}, {"a": np.array([0.1, 0.2])})
    assert (found.value, found.low, found.high) == (1, None, None)


def test_performance_profile_is_the_share_of_runs_above():
    scores = random_scores(5, 2)
    thresholds = np.linspace(0, 1, 11)
    found = performance_profile(scores, thresholds)
    runs = np.concatenate(list(scores.values()))
    np.testing.assert_allclose(found.share, [(runs > t).mean() for t in thresholds])
    # Each threshold's band is the interval of a mean, which `estimate` computes.
    for index, threshold in enumerate(thresholds):
        alone = estimate([(values > threshold).astype(float) for values in scores.values()], mean)
        assert (found.low[index], found.high[index]) == (pytest.approx(alone.low), pytest.approx(alone.high))


def test_profile_of_one_seed_has_no_band():
    found = performance_profile({"a": np.array([0.3])}, np.array([0.1, 0.5]))
    assert found.share.tolist() == [1, 0]
    assert found.low is None
    with pytest.raises(ResultsError, match="at least one task"):
        performance_profile({}, np.array([0.1]))
