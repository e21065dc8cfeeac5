"""Coconut dodge: the published scenarios, and the rules one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.coconut_dodge import CoconutDodge, _Coconut
from tests.conftest import load_data

VECTORS = load_data("miniarcade_vectors.json")["pygame-coconut-dodge"]
EVENTS = load_data("miniarcade_figures.json")["pygame-coconut-dodge"]["events_per_episode"]


class Middle:
    """Chance as the scenarios have it: the lower bound of integers, the middle of intervals."""

    def integers(self, low: int, high: int) -> int:
        return low

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def started(seed: int = 0) -> CoconutDodge:
    game = CoconutDodge()
    game.start(np.random.default_rng(seed))
    return game


def put(game: CoconutDodge, *coconuts: _Coconut, x: float = 112.0, v: float = 0.0) -> None:
    game._x, game._v = x, v
    game._coconuts = list(coconuts)


def dodge(obs: list[float]) -> float:
    """Looks 24 steps ahead for each of five constant actions, and takes the one with the fewest hits."""
    x, v = 12 + 200 * obs[0], 5 * obs[1]
    falling = [(12 + 200 * obs[i], 12 + 200 * obs[i + 1], 5 * obs[i + 2], 5 * obs[i + 3])
               for i in range(5, 29, 4) if obs[i + 1] <= 0.97 and obs[i + 3] != 0]  # fmt: skip

    def cost(action: float) -> float:
        place, speed, hits = x, v, 0
        for step in range(1, 25):
            speed = min(max(0.97 * (speed + 0.85 * action), -5), 5)
            place = min(max(place + speed, 21), 203)
            for cx, cy, vx, vy in falling:
                beyond = (cx + step * vx - 19) % 372  # there and back between walls 186 apart
                across, down = 19 + min(beyond, 372 - beyond), cy + step * vy
                hits += down < 205.5 and math.hypot(across - place, down - 200) < 18
        return hits + 0.001 * abs(place - 112)

    return min((-1.0, -0.5, 0.0, 0.5, 1.0), key=lambda action: (cost(action), abs(action)))


@pytest.mark.parametrize("name", ["hit_and_land", "wall_bounce"])
def test_scenarios(name):
    scenario = VECTORS[name]
    start = dict(scenario["start"]["coconut"])
    game = started()
    game.rng = Middle()
    put(game, _Coconut(0, start["x"], start["y"], start["vx"], start["vy"], start["r"]))
    expected = {row["step"]: row for row in scenario["trace"]}
    hits = []
    for step in range(1, max(expected) + 1):
        if game.play([scenario["action"]]):
            hits.append(step)
        if step in expected:
            row, coconut = expected[step], game._coconuts[0]
            assert (game._x, game._v) == pytest.approx((row["agent_x"], row["agent_vx"]), abs=1e-5)
            assert [coconut.x, coconut.y, coconut.vx, coconut.vy] == pytest.approx(row["coconut"], abs=1e-5)
            assert (coconut.cracked == 0) == row["falling"]
            np.testing.assert_allclose(game.observe()[:5], row["obs_head"], atol=1e-5)
    assert hits == scenario["hit_steps"]


def test_coconuts_become_more():
    game = started()
    counts = [[0, len(game._coconuts)]]
    for step in range(1, 501):
        game.play([0.0])
        if len(game._coconuts) != counts[-1][1]:
            counts.append([step, len(game._coconuts)])
    assert counts == VECTORS["spawn_counts"]["counts"]


def test_new_coconuts_match_the_rules():
    game = started()
    new = [game._new_coconut(250) for _ in range(3000)]
    assert {c.radius for c in new} == {6, 7, 8}
    assert all(12 + c.radius <= c.x <= 212 - c.radius and c.y == 13 + c.radius for c in new)
    across, down = [c.vx for c in new], [c.vy for c in new]
    assert (min(across), max(across)) == pytest.approx((-0.65, 0.65), abs=0.01)
    assert (min(down), max(down)) == pytest.approx((1.96, 3.64), abs=0.02)


def test_several_hits_cost_no_more_than_one_and_coconuts_remain():
    game = started()
    put(game, _Coconut(0, 106.0, 190.0, 0.0, 0.5, 6), _Coconut(1, 118.0, 190.0, 0.0, 0.5, 8))
    assert [game.play([0.0]) for _ in range(5)] == [-1.0] * 5
    assert [c.x for c in game._coconuts] == [106.0, 118.0]


def test_the_flag_of_a_hit_lasts_five_steps():
    game = started()
    put(game, _Coconut(0, 112.0, 190.0, 0.0, 0.0, 6))
    assert game.play([0.0]) == -1
    flags = [game.observe()[4]]
    put(game, _Coconut(0, 30.0, 30.0, 0.0, 0.0, 6))
    for _ in range(6):
        assert game.play([0.0]) == 0
        flags.append(game.observe()[4])
    assert flags == [1, 1, 1, 1, 1, 0, 0]


def test_broken_coconuts_are_harmless_and_keep_place_and_velocity_in_the_observation():
    game = started()
    put(game, _Coconut(0, 112.0, 206.0, 0.25, 2.0, 6, cracked=9), _Coconut(1, 30.0, 30.0, 0.0, 1.0, 6))
    assert game.play([0.0]) == 0
    obs = game.observe()
    assert obs[2:4] == pytest.approx([(30 - 112) / 200, (31 - 200) / 200])
    assert obs[5:13] == pytest.approx([0.5, 194 / 200, 0.05, 0.4, 18 / 200, 19 / 200, 0, 0.2])
    assert obs[13:] == [0] * 16


def test_the_speed_is_kept_at_the_edge():
    game = started()
    put(game, _Coconut(0, 30.0, 30.0, 0.0, 0.0, 6), x=200.0, v=5.0)
    for _ in range(3):
        game.play([0.0])
    assert game._x == 203
    assert game._v == pytest.approx(5 * 0.97**3)


def test_hits_of_random_play_match_the_published_count():
    counts, episodes = [], 60
    for seed in range(episodes):
        game, actions = started(seed), np.random.default_rng(seed).uniform(-1, 1, 500)
        counts.append(-sum(game.play([action]) for action in actions.tolist()))
    mean, std = EVENTS["random"]["steps_hit"]
    assert np.mean(counts) == pytest.approx(mean, abs=4 * std * math.sqrt(1 / episodes + 1 / 200))


def test_looking_ahead_is_enough_to_dodge_them_all():
    for seed in range(5):
        game = started(seed)
        assert sum(game.play([dodge(game.observe())]) for _ in range(500)) == 0


def test_hits_and_broken_coconuts_are_seen():
    game, canvas = started(), Canvas(224)

    def picture() -> np.ndarray:
        game.draw(canvas)
        return canvas.image().astype(float)

    put(game, _Coconut(0, 60.0, 205.0, 0.0, 2.0, 7))
    whole = picture()
    game._coconuts[0].cracked = 5
    assert np.abs(picture() - whole)[195:212, 45:75].mean() > 10
    game._coconuts[0].cracked = 0
    game._flash = 3
    assert np.abs(picture() - whole)[40:60, 40:60].mean() > 10
