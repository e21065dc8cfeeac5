"""Point maze: the published scenarios, and the project's own mazes."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from newt_bench.envs.miniarcade.games.point_maze import MAZES, PointMaze
from tests.conftest import load_data

VECTORS = load_data("miniarcade_vectors.json")
SCENARIOS = [
    pytest.param(f"var{number}", scenario, id=f"var{number}-{index}")
    for number in range(1, 5)
    for index, scenario in enumerate(VECTORS[f"pygame-point-maze-var{number}"])
]


def started(variant: str, seed: int = 0) -> PointMaze:
    game = PointMaze(variant)
    game.start(np.random.default_rng(seed))
    return game


def put(game: PointMaze, setup: dict) -> None:
    row, column = setup["wind_cell"]
    game._windy_cell, game._wind_direction = (row, column), setup["wind_dir"]
    game._cells = list(game._map)
    game._cells[5 * row + column] = -1.0
    game._x, game._y = setup["agent"]
    game._goal = tuple(setup["goal"])


@pytest.mark.parametrize(("variant", "scenario"), SCENARIOS)
def test_scenarios(variant, scenario):
    game = started(variant)
    put(game, scenario["setup"])
    expected = {row["step"]: row for row in scenario["trace"]}
    total = 0.0
    for step in range(1, max(expected) + 1):
        reward = game.play(scenario["action"])
        total += reward
        if step in expected:
            row, obs = expected[step], game.observe()
            np.testing.assert_allclose(obs[:6], row["base6"], atol=1e-5)
            np.testing.assert_allclose(obs[-9:], row["tail9"], atol=1e-5)
            assert (reward, total) == pytest.approx((row["reward"], row["return_so_far"]), abs=1e-4)
            assert game.success == row["success"]


@pytest.mark.parametrize("variant", MAZES)
def test_every_goal_can_be_reached(variant):
    game = started(variant)
    free = {(x, y) for x in range(27, 198) for y in range(27, 198)} - game._blocked
    for seed in range(30):
        game.start(np.random.default_rng(seed))
        start = (int(game._x), int(game._y))
        reached, queue = {start}, deque([start])
        while queue:
            x, y = queue.popleft()
            for near in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if near in free and near not in reached:
                    reached.add(near)
                    queue.append(near)
        assert (int(game._goal[0]), int(game._goal[1])) in reached
        assert 36.8 <= np.hypot(game._goal[0] - game._x, game._goal[1] - game._y) <= 128.8


def test_success_is_of_the_current_step_only():
    game = started("var4")
    put(game, {"wind_cell": [4, 2], "wind_dir": 0, "agent": [112.0, 112.0], "goal": [112.0, 75.0]})
    flags = []
    for action in [(0.0, -1.0)] * 6 + [(0.0, 1.0)] * 3:
        game.play(action)
        flags.append(game.success)
    assert flags == [False] * 4 + [True] * 2 + [True] * 1 + [False] * 2
