"""Rocket collect: the published scenarios, coins and asteroids."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.rocket_collect import RocketCollect, _Asteroid
from tests.conftest import load_data
from tests.envs.miniarcade.published import check_events

CLIMB, CONTACT = load_data("miniarcade_vectors.json")["pygame-rocket-collect"]
STILL = [0.0, 0.0]


def started(seed: int = 0) -> RocketCollect:
    game = RocketCollect()
    game.start(np.random.default_rng(seed))
    return game


def put(game: RocketCollect, rocket: tuple[float, float], coin: tuple[float, float], *asteroids: _Asteroid) -> None:
    game._x, game._y = rocket
    game._vx = game._vy = 0.0
    game._coin, game._asteroids = coin, list(asteroids)


def test_scenario_climb():
    game = started()
    put(game, (112.0, 184.0), (112.0, 100.0), _Asteroid(-28.0, 100.0, 1.5, 0.4))
    expected = {row["step"]: row for row in CLIMB["trace"]}
    for step in range(1, max(expected) + 1):
        reward = game.play([0.0, -1.0] if step <= 18 else [-0.4, 0.1])
        if step == 19:
            assert game._collected == 1
            game._coin = (112.0, 60.0)
        if step in expected:
            row, obs = expected[step], np.array(game.observe())
            np.testing.assert_allclose(obs[:2] * 224, row["agent"], atol=1e-4)
            np.testing.assert_allclose(obs[2:4] * 4, row["vel"], atol=1e-4)
            np.testing.assert_allclose(obs[9:13] * (224, 224, 4, 4), row["obstacle"], atol=1e-4)
            assert obs[8] == row["collision_flag"]
            assert reward == pytest.approx(row.get("reward", reward), abs=1e-5)


def test_scenario_contact():
    game = started()
    put(game, (112.0, 184.0), (40.0, 50.0), _Asteroid(60.0, 184.0, 2.0, 0.0, entered=True))
    expected = {row["step"]: row for row in CONTACT["trace"]}
    for step in range(1, max(expected) + 1):
        reward = game.play([0.0, 0.0] if step <= 16 else [0.0, -0.1])
        if step in expected:
            row, obs = expected[step], game.observe()
            assert (224 * obs[1], 224 * obs[9]) == pytest.approx((row["agent_y"], row["obstacle_x"]), abs=1e-4)
            assert obs[8] == row["collision_flag"]
            assert reward == pytest.approx(row["reward"], abs=1e-5)


def test_events_of_random_play():
    check_events(
        "pygame-rocket-collect",
        started,
        lambda game, reward: {"coins": reward > 0.5, "collision_flag_steps": game.observe()[8]},
    )


def test_coins_lie_in_the_upper_half():
    coins = np.array([started(seed)._coin for seed in range(1500)])
    assert coins.min(0).tolist() == [30, 40]
    assert coins.max(0).tolist() == [193, 111]


def test_a_coin_counts_once_even_if_the_next_one_lies_under_the_rocket():
    for seed in range(200):
        game = started(seed)
        put(game, (112.0, 76.0), (112.0, 76.0))
        game._asteroids = []
        reward = game.play(STILL)
        assert 1 <= reward <= 1.002
        if math.dist(game._coin, (112, 76)) < 19:
            break
    else:
        pytest.fail("no coin came to lie under the rocket")
    assert game._collected == 1
    assert game.play(STILL) >= 1
    assert game._collected == 2


@pytest.mark.parametrize(("gap", "reward"), [(18.99, 1.0), (19.0, 0.0)])
def test_a_coin_is_collected_by_touch(gap, reward):
    game = started()
    put(game, (100.0, 100.0), (100.0, 100.0 - gap))
    assert game.play(STILL) == pytest.approx(reward, abs=0.0021)


@pytest.mark.parametrize(("gap", "touched"), [(23.99, 1), (24.0, 0)])
def test_every_touched_asteroid_costs(gap, touched):
    game = started()
    sides = [_Asteroid(100.0 - gap, 150.0, 0.0, 0.0, True), _Asteroid(100.0 + gap, 150.0, 0.0, 0.0, True)]
    put(game, (100.0, 150.0), (100.0, 40.0), *sides)
    assert game.play(STILL) == pytest.approx(-0.4 * touched, abs=0.0021)
    assert game.observe()[8] == touched


def test_the_flag_of_a_collision_stays_for_four_steps():
    game = started()
    put(game, (100.0, 150.0), (100.0, 40.0), _Asteroid(100.0, 150.0, 0.0, 0.0, True))
    game.play(STILL)
    game._asteroids[0].x = 30.0
    flags = [game.observe()[8]]
    for _ in range(6):
        game.play(STILL)
        flags.append(game.observe()[8])
    assert flags == [1.0] * 5 + [0.0] * 2


def test_asteroids_come_one_by_one_and_stay():
    game = started()
    counts = []
    for _ in range(500):
        observed = np.array(game.observe()[9:]).reshape(3, 4)
        counts.append(int(observed.any(1).sum()))
        game.play(STILL)
    assert counts == [1] * 150 + [2] * 150 + [3] * 200


def test_asteroids_start_outside_and_head_for_the_middle():
    sides = np.zeros(4, int)
    for seed in range(800):
        (asteroid,) = started(seed)._asteroids
        x, y = asteroid.x, asteroid.y
        where = [y == -28, y == 252, x == -28, x == 252]
        assert sum(where) == 1
        sides += where
        assert 20 <= (x if y in (-28, 252) else y) <= 203
        assert 1.0 <= math.hypot(asteroid.vx, asteroid.vy) <= 2.2
        steps = np.arange(400)
        xs, ys = x + asteroid.vx * steps, y + asteroid.vy * steps
        assert np.any((xs > 54) & (xs < 170) & (ys > 54) & (ys < 170))
    assert np.all(np.abs(sides - 200) < 50)


def test_asteroids_bounce_only_once_they_have_entered():
    game = started(3)
    speeds, entered = {}, {}
    for _ in range(500):
        game.play(STILL)
        for index, asteroid in enumerate(game._asteroids):
            speed = math.hypot(asteroid.vx, asteroid.vy)
            assert speeds.setdefault(index, speed) == pytest.approx(speed)
            inside = 14 <= asteroid.x <= 210 and 14 <= asteroid.y <= 210
            entered[index] = entered.get(index, False) or inside
            assert inside == entered[index]
    assert entered == {0: True, 1: True, 2: True}


@pytest.mark.parametrize(("place", "velocity", "expected"), [
    ((15.0, 100.0), (-2.0, 0.5), (14, 100.5, 2.0, 0.5)),
    ((209.0, 100.0), (2.0, 0.5), (210, 100.5, -2.0, 0.5)),
    ((100.0, 15.0), (0.5, -2.0), (100.5, 14, 0.5, 2.0)),
    ((209.0, 209.0), (2.0, 2.0), (210, 210, -2.0, -2.0)),
])  # fmt: skip
def test_a_bounce_sets_the_asteroid_to_the_edge(place, velocity, expected):
    asteroid = _Asteroid(*place, *velocity, entered=True)
    asteroid.move()
    assert (asteroid.x, asteroid.y, asteroid.vx, asteroid.vy) == expected


def test_the_rocket_stays_inside_below_its_top_speed_and_keeps_its_velocity_at_edges():
    game = started()
    for action in ([1.0, 1.0], [-1.0, -1.0]):
        for _ in range(120):
            game.play(action)
            assert math.hypot(game._vx, game._vy) <= 4 + 1e-9
        edge = 209 if action[0] > 0 else 15
        assert (game._x, game._y) == (edge, edge)
        assert game._vx == game._vy == pytest.approx(action[0] * math.sqrt(8))


def test_the_picture_shows_a_coin_before_an_asteroid_and_asteroids_beyond_the_edges():
    game, canvas = started(), Canvas(224)
    put(game, (112.0, 184.0), (60.0, 80.0), _Asteroid(60.0, 80.0, 1, 0), _Asteroid(-20.0, 150.0, 1, 0))
    game.draw(canvas)
    image = canvas.image().astype(int)
    red, _, blue = image[80, 60]
    assert red - blue > 150
    assert image[150, 1].min() > 110
    game._asteroids[1].y = 50.0
    game.draw(canvas)
    assert canvas.image()[150, 1].max() < 80
