"""Coinrun: the runner's jumps, the published scenarios, and the rules one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.coinrun import Coinrun, _Coin
from newt_bench.envs.miniarcade.runner import Runner
from tests.conftest import load_data

VECTORS = load_data("miniarcade_vectors.json")["pygame-coinrun"]
EVENTS = load_data("miniarcade_figures.json")["pygame-coinrun"]["events_per_episode"]
SCENARIOS = {"collect_idle": {}, "collect_one_full_jump": {12: 1.0}}


def started(seed: int = 0) -> Coinrun:
    game = Coinrun()
    game.start(np.random.default_rng(seed))
    return game


def put(game: Coinrun, *coins: tuple[float, float]) -> None:
    game._coins = [_Coin(x, y) for x, y in coins]


def leap(obs: list[float]) -> float:
    """Jumps for the next coin when the rise, one pixel in the last step and one more in each before, fits."""
    ahead = [(224 * x, 224 * y) for x, y in zip(obs[2::2], obs[3::2], strict=True) if y > 0 and 224 * x > 30]
    if obs[0] < 0 or not ahead:
        return -1.0
    x, y = min(ahead)
    rise = 169 - y
    steps = next((k for k in range(1, 11) if k * (k + 1) / 2 >= rise), 11)
    return (steps + 1) / 12 if rise >= 8 and x - 10 * steps <= 58 else -1.0


@pytest.mark.parametrize("jump", VECTORS["jumps"], ids=lambda jump: str(jump["action"]))
def test_jumps(jump):
    runner = Runner()
    for step, expected in enumerate(zip(jump["y"], jump["v"], strict=True)):
        runner.move(jump["action"] if step == 0 else -1.0)
        assert (runner.y, runner.v) == pytest.approx(expected, abs=1e-9)


def test_a_landing_to_the_pixel_keeps_its_speed_for_a_step_and_another_jump():
    runner = Runner()
    for _ in range(23):
        runner.move(1.0)
    assert (runner.y, runner.v, runner.grounded) == (154.0, 11.0, True)
    runner.move(1.0)
    assert (runner.y, runner.v) == (143.0, -11.0)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios(name):
    scenario, jumps = VECTORS[name], SCENARIOS[name]
    game = started()
    put(game, *scenario["coins"])
    rewards = []
    for step in range(1, 30):
        reward = game.play([jumps.get(step, -1.0)])
        if reward:
            rewards.append([step, reward])
        if step == 1:
            np.testing.assert_allclose(game.observe(), scenario["obs_after_step_1"], atol=1e-5)
    assert [event for event in rewards if event[0] <= scenario["reward_events"][-1][0]] == scenario["reward_events"]


def test_groups_match_the_rules():
    game = started()
    groups = [game._new_group() for _ in range(2000)]
    assert {len(group) for group in groups} == {2, 3, 4, 5}
    assert {group[0].x for group in groups} == set(range(244, 284))
    assert {group[0].y for group in groups} == {155, 137, 119, 101}
    steps = [(b.x - a.x, abs(b.y - a.y)) for group in groups for a, b in itertools.pairwise(group)]
    assert set(steps) == {(27, 0), (27, 18)}
    inner = [b.y != a.y for group in groups for a, b in itertools.pairwise(group) if a.y not in (83, 173)]
    assert sum(inner) / len(inner) == pytest.approx(0.6, abs=0.03)
    rows = [coin.y for group in groups for coin in group]
    for row, share in {83: 0.07, 101: 0.20, 119: 0.24, 137: 0.23, 155: 0.19, 173: 0.07}.items():
        assert rows.count(row) / len(rows) == pytest.approx(share, abs=0.02)


def test_the_next_group_comes_a_step_after_the_last_coin():
    game = started()
    put(game, (60, 155))
    assert game.play([-1.0]) == 1
    assert game.observe()[2:] == [-1] * 10
    assert game.play([-1.0]) == 0
    assert 244 / 224 <= game.observe()[2] <= 283 / 224


def test_missed_coins_stay_until_the_group_is_done():
    game = started()
    put(game, (5, 101), (45, 101))
    for expected in (-5, -15, -25, -35):
        game.play([-1.0])
        assert game.observe()[2] == pytest.approx(expected / 224)
    game.play([-1.0])  # the second coin is at -5: still there
    assert game.observe()[2] == pytest.approx(-45 / 224)
    game.play([-1.0])
    assert game.observe()[2] >= 244 / 224


def test_who_stands_reaches_the_two_lowest_rows_only():
    for y, reward in ((173, 1), (155, 1), (137, 0), (83, 0)):
        game = started()
        put(game, (60, y))
        assert game.play([-1.0]) == reward


def test_random_play_matches_the_published_events():
    coins, grounded, episodes = [], [], 60
    for seed in range(episodes):
        game, actions = started(seed), np.random.default_rng(seed).uniform(-1, 1, 500)
        stood = 0
        coins.append(0.0)
        for action in actions.tolist():
            coins[-1] += game.play([action])
            stood += game._runner.grounded
        grounded.append(stood)
    for ours, (mean, std) in ((coins, EVENTS["random"]["coins"]), (grounded, EVENTS["random"]["steps_grounded"])):
        assert np.mean(ours) == pytest.approx(mean, abs=4 * std * math.sqrt(1 / episodes + 1 / 200))


def test_well_measured_jumps_collect_the_published_number_of_coins():
    episodes = 30
    coins = []
    for seed in range(episodes):
        game = started(seed)
        coins.append(sum(game.play([leap(game.observe())]) for _ in range(500)))
    mean, std = EVENTS["scripted"]["coins"]
    assert np.mean(coins) == pytest.approx(mean, abs=4 * std * math.sqrt(1 / episodes + 1 / 50))


def test_only_coins_not_yet_collected_are_seen():
    game, canvas = started(), Canvas(224)
    put(game, (150, 101))
    game.draw(canvas)
    assert canvas.image()[101, 145].tolist()[2] < 80  # gold has little blue
    game._coins[0].taken = True
    game.draw(canvas)
    assert canvas.image()[101, 145].tolist()[2] > 150
    put(game, (300, 101))
    game.draw(canvas)
    assert canvas.image()[101, 222].tolist() == [255, 215, 0]
