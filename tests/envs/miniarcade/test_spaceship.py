"""Spaceship: the published scenario, waves, coins and the asteroid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.spaceship import Spaceship
from tests.conftest import load_data
from tests.envs.miniarcade.published import check_events

(SCENARIO,) = load_data("miniarcade_vectors.json")["pygame-spaceship"]
STILL = [0.0, 0.0]
NONE = (-1.0, -1.0)


def started(seed: int = 0) -> Spaceship:
    game = Spaceship()
    game.start(np.random.default_rng(seed))
    return game


def put(game: Spaceship, coins: list[tuple[float, float]], asteroid: tuple[float, float] | None = None) -> None:
    game._coins = [*coins, *[None] * (4 - len(coins))]
    game._asteroid = asteroid


def test_scenario():
    game = started()
    put(game, [(250.0, 130.0), (277.0, 148.0), (304.0, 148.0)], (300.0, 150.0))
    for row in SCENARIO["trace"]:
        reward = game.play([0.2, 0.35] if row["step"] <= 14 else [0.0, -0.2])
        obs = np.array(game.observe())
        np.testing.assert_allclose(obs[:2] * 224, row["ship"], atol=1e-4)
        assert reward == row["reward"]
        assert sum(coin is not None for coin in game._coins) == row["coins_left"]
        assert obs[4] == pytest.approx(row["coin0_obs_x"], abs=1e-5)
        assert (game._asteroid is not None) == row["asteroid_active"]
        assert obs[12] * 224 == pytest.approx(row["asteroid_x"], abs=1e-4)


def test_events_of_random_play():
    seen: dict[str, float] = {}

    def count(game: Spaceship, _: float) -> dict[str, float]:
        """Waves after the first one are told by a first coin that lies further to the right than before."""
        new = game.time > 1 and game._coins[0] is not None and game._coins[0][0] > seen["x"]
        seen["x"] = -100.0 if game._coins[0] is None else game._coins[0][0]
        coins = game._collected - (seen["coins"] if game.time > 1 else 0)
        seen["coins"] = game._collected
        return {"asteroid_contact_steps": game._contact, "coins": coins, "waves": new}

    check_events("pygame-spaceship", started, count)


def test_waves():
    sizes, changes, asteroids = [], [], 0
    for seed in range(1000):
        game = started(seed)
        coins = [coin for coin in game._coins if coin is not None]
        assert game._coins[len(coins) :] == [None] * (4 - len(coins))
        assert 244 <= coins[0][0] <= 283
        assert 30 <= coins[0][1] <= 193
        for (left, height), (right, next_height) in itertools.pairwise(coins):
            assert right - left == 27
            assert 20 <= next_height <= 204
            if 38 <= height <= 186:
                changes.append(next_height - height)
        sizes.append(len(coins))
        if game._asteroid is not None:
            asteroids += 1
            x, y = game._asteroid
            assert abs(x - (coins[0][0] + 27 * (len(coins) + 2))) <= 30
            assert 40 <= y <= 183
    assert np.all(np.abs(np.bincount(sizes)[2:] - 1000 / 3) < 60)
    shares = [changes.count(change) / len(changes) for change in (-18, 0, 18)]
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([0.3, 0.4, 0.3], abs=0.05)
    assert asteroids == pytest.approx(500, abs=64)


def test_heights_stay_in_the_window():
    heights = [coin[1] for seed in range(3000) for coin in started(seed)._coins if coin is not None]
    assert min(heights) == 20
    assert max(heights) == 204


def test_a_wave_ends_when_each_coin_is_taken_or_gone():
    game = started()
    put(game, [(-3.0, 30.0), (30.0, 30.0)])
    game.play(STILL)  # the first one is gone, but keeps its place
    assert game.observe()[4:8] == pytest.approx([-15 / 224, 30 / 224, 18 / 224, 30 / 224])
    for x in (6.0, -6.0):  # still to be seen
        game.play(STILL)
        assert game._coins[1] == (x, 30.0)
    game.play(STILL)
    assert game._coins[0][0] >= 244


def test_the_next_wave_comes_a_step_after_the_last_coin_is_taken():
    game = started()
    put(game, [(72.0, 120.0)])
    assert game.play(STILL) == 1
    assert game._coins == [None] * 4
    assert game.observe()[4:12] == [-1.0] * 8
    assert game.play(STILL) == 0
    first = game._coins[0][0]
    assert 244 <= first <= 283  # not moved in the step in which it appears
    game.play(STILL)
    assert game._coins[0][0] == first - 12


def test_coins_are_taken_in_any_order_and_keep_their_places():
    game = started()
    put(game, [(80.0, 30.0), (79.0, 120.0)])
    assert game.play(STILL) == 1
    assert game.observe()[4:8] == pytest.approx([68 / 224, 30 / 224, *NONE])
    assert game.observe()[8:14] == [-1.0] * 6


def test_two_coins_may_be_taken_at_once():
    game = started()
    put(game, [(52.0, 120.0), (79.0, 120.0)])
    assert game.play(STILL) == 2
    assert game._collected == 2


@pytest.mark.parametrize(("x", "y", "taken"), [
    (89.0, 120.0, False), (88.9, 120.0, True), (70.0, 103.0, False), (70.0, 104.0, True), (70.0, 138.9, True),
    (70.0, 139.0, False),
])  # fmt: skip
def test_contact_is_that_of_rectangles_on_whole_pixels(x, y, taken):
    game = started()
    game._x, game._y = 40.0, 112.0
    put(game, [(x, y)])  # moves 12 to the left first: its square then begins at x - 21, y - 9
    assert game.play(STILL) == float(taken)


def test_an_asteroid_costs_two_at_every_step_of_contact():
    game = started()
    put(game, [(2000.0, 30.0)], (150.0, 121.0))
    rewards = []
    for _ in range(15):
        rewards.append(game.play(STILL))
        assert game._contact == (rewards[-1] < 0)
    assert rewards == [0.0] * 5 + [-2.0] * 5 + [0.0] * 5
    assert game.observe()[12:] == list(NONE)


def test_an_asteroid_ends_when_it_has_left_the_window():
    game = started()
    put(game, [(2000.0, 30.0)], (22.0, 40.0))
    for x in (10.0, -2.0, -14.0):
        game.play(STILL)
        assert game.observe()[12:] == [x / 224, 40 / 224]
    game.play(STILL)
    assert game.observe()[12:] == list(NONE)


def test_a_new_asteroid_comes_only_when_there_is_none():
    for seed in range(20):
        game = started(seed)
        put(game, [(-3.0, 30.0)], (150.0, 30.0))
        game.play(STILL)
        assert game._coins[0][0] >= 244
        assert game._asteroid == (138.0, 30.0)


def test_no_asteroid_remains_from_another_episode():
    game = started()
    active = 0
    for seed in range(100):
        put(game, [], (100.0, 121.0))
        game.play(STILL)
        game.start(np.random.default_rng(seed))
        assert not game._contact
        active += game._asteroid is not None
    assert active == pytest.approx(50, abs=20)


def test_the_ship_keeps_its_velocity_at_edges():
    game = started()
    for action, corner in (([1.0, 1.0], (196, 206)), ([-1.0, -1.0], (0, 0))):
        for _ in range(150):
            game.play(action)
        assert (game._x, game._y) == corner
    assert game._vx == game._vy == pytest.approx(-0.65 * 0.95 / 0.05, rel=0.01)


def test_the_ship_moves_before_its_velocity_is_damped():
    game = started()
    game.play([1.0, -0.5])
    assert game.observe()[:4] == pytest.approx([40.65 / 224, 111.675 / 224, 0.06175, -0.030875])


def test_what_waits_beyond_the_edge_is_marked():
    game, canvas = started(), Canvas(224)
    put(game, [(300.0, 60.0), (120.0, 150.0)], (350.0, 180.0))
    game.draw(canvas)
    image = canvas.image().astype(int)
    red, _, blue = image[60, 222]
    assert red - blue > 150
    assert image[180, 222].min() > 100
    put(game, [(120.0, 150.0)])
    game.draw(canvas)
    assert canvas.image()[57:63, 221:].mean() < 60
    assert canvas.image()[177:183, 221:].mean() < 60


def test_the_picture_turns_red_on_contact():
    game, canvas = started(), Canvas(224)
    put(game, [(2000.0, 30.0)], (60.0, 121.0))
    game.draw(canvas)
    before = canvas.image()[..., 0].mean()
    game.play(STILL)
    game.draw(canvas)
    assert canvas.image()[..., 0].mean() > before + 20
