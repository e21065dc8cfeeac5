"""Compares what happens in random play with the published figures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import newt_bench
from newt_bench.envs.miniarcade.game import Game
from tests.conftest import load_data

__all__ = ["check_events"]

EPISODES = 60
PUBLISHED_EPISODES = 50  # behind the events of the games whose tests use this


def check_events(
    task_name: str, start: Callable[[int], Game], count: Callable[[Game, float], dict[str, float]]
) -> None:
    """Plays at random and compares the number of events per episode, by their kinds, with the published one.

    Args:
        task_name: The task.
        start: Gives the game at the start of an episode, by its seed.
        count: The events of a step, by kind; called after each, with the game and the reward.
    """
    task = newt_bench.get_task(task_name)
    published = load_data("miniarcade_figures.json")[task_name]["events_per_episode"]["random"]
    totals = {kind: np.zeros(EPISODES) for kind in published}
    for seed in range(EPISODES):
        game, rng = start(seed), np.random.default_rng(seed)
        for action in rng.uniform(-1, 1, (task.max_episode_steps, task.action_dim)).tolist():
            for kind, events in count(game, game.play(action)).items():
                totals[kind][seed] += events
    for kind, (mean, spread) in published.items():
        error = spread * math.sqrt(1 / EPISODES + 1 / PUBLISHED_EPISODES)
        assert totals[kind].mean() == pytest.approx(mean, abs=4 * error), kind
