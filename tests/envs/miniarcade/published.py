"""Tools for comparing games with the published scenarios and event rates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

import newt_bench
from newt_bench.envs.miniarcade.game import Game
from tests.conftest import load_data

FIGURES = load_data("miniarcade_figures.json")


class FixedChance:
    """Takes a generator's place in scenarios without chance.

    Integers come out lowest, other numbers in the middle, and those between 0 and 1 as chosen.
    """

    def __init__(self, random: float = 0.0) -> None:
        self._random = random

    def random(self, size: int | None = None) -> float | np.ndarray:
        return self._random if size is None else np.full(size, self._random)

    def uniform(self, low: float, high: float, size: int | None = None) -> float | np.ndarray:
        middle = (low + high) / 2
        return middle if size is None else np.full(size, middle)

    def normal(self, mean: float, deviation: float) -> float:
        return mean

    def integers(self, low: int, high: int | None = None, *, endpoint: bool = False) -> int:
        return 0 if high is None else low


def assert_events_match(
    task: str, policy: str, outcomes: Sequence[Mapping[str, float]], published_episodes: int | None = None
) -> None:
    """Compares the means over our episodes with the published ones, within four combined standard errors."""
    events = FIGURES[task]["events_per_episode"]
    episodes = published_episodes or {"random": 200, "scripted": 50}[policy]
    for event in outcomes[0]:
        mean, spread = events[policy][event]
        ours = np.array([outcome[event] for outcome in outcomes], float)
        error = math.hypot(spread / math.sqrt(episodes), ours.std(ddof=1) / math.sqrt(len(ours)))
        assert ours.mean() == pytest.approx(mean, abs=4 * error + 1e-3), event


def check_events(
    task_name: str, start: Callable[[int], Game], count: Callable[[Game, float], dict[str, float]]
) -> None:
    """Plays 60 episodes at random and compares the number of events with that of 50 published episodes.

    Args:
        task_name: The task.
        start: Gives the game at the start of an episode, by its seed.
        count: The events of a step, by kind; called after each, with the game and the reward.
    """
    task = newt_bench.get_task(task_name)
    outcomes = []
    for seed in range(60):
        game, rng = start(seed), np.random.default_rng(seed)
        totals = Counter()
        for action in rng.uniform(-1, 1, (task.max_episode_steps, task.action_dim)).tolist():
            totals.update(count(game, game.play(action)))
        outcomes.append({kind: totals[kind] for kind in FIGURES[task_name]["events_per_episode"]["random"]})
    assert_events_match(task_name, "random", outcomes, published_episodes=50)
