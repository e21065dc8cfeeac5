"""How often do the 95% intervals cover the truth, by number of seeds?

Simulates studies of ten tasks whose seeds' scores are normal, takes the interval of the mean of task scores
with `newt_bench.results.statistics.estimate`, and counts. Prints the table of `docs/results.md`.

    python benchmarks/interval_coverage.py [--studies 2000]
"""

from __future__ import annotations

import argparse

import numpy as np

from newt_bench.results.statistics import estimate

TRUTH = np.linspace(0.1, 0.9, 10)
SPREAD = 0.1


def mean(*samples, axis):
    return np.mean([sample.mean(axis=axis) for sample in samples], axis=0)


def coverage(seeds: int, studies: int) -> float:
    rng = np.random.default_rng(seeds)
    covered = 0
    for _ in range(studies):
        samples = [rng.normal(center, SPREAD, seeds) for center in TRUTH]
        found = estimate(samples, mean, rng_seed=int(rng.integers(2**31)))
        covered += found.low <= TRUTH.mean() <= found.high
    return covered / studies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    print(f"{studies} simulated studies of {len(TRUTH)} tasks; nominal coverage 95%\n")
    print("| seeds | coverage |\n| ---: | ---: |")
    for seeds in (2, 3, 4, 5, 8, 10, 20, 40):
        print(f"| {seeds} | {100 * coverage(seeds, studies):.1f}% |")


if __name__ == "__main__":
    main()
