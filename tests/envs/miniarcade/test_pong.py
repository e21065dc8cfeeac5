"""Pong: the published scenarios, the rules of the rally, and the opponent's habits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.pong import Pong
from tests.conftest import load_data
from tests.envs.miniarcade.published import check_events

SCENARIOS = load_data("miniarcade_vectors.json")["pygame-pong"]


def started(seed: int = 0) -> Pong:
    game = Pong()
    game.start(np.random.default_rng(seed))
    return game


def put(game: Pong, ball: tuple[float, float], velocity: tuple[float, float], **paddles: float) -> None:
    """Sets the ball and the paddles; the opponent has noticed the ball already."""
    (game._x, game._y), (game._vx, game._vy) = ball, velocity
    game._agent, game._opponent = paddles.get("agent", 92.0), paddles.get("opponent", 92.0)
    game._attentive, game._reaction = True, 0


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenarios(scenario):
    game, setup = started(), scenario["setup"]
    put(game, setup["ball"], setup["vel"], agent=setup["agent_y"], opponent=setup["opp_y"])
    game._attentive, game._reaction = setup["zone_flag"], setup["delay"]
    expected = {row["step"]: row for row in scenario["trace"]}
    for step in range(1, max(expected) + 1):
        reward = game.play(scenario["action"])
        if step not in expected:
            continue
        row = expected[step]
        assert reward == row.get("reward", 0.0)
        if "ball" in row:
            state = [*row["ball"], 28 * row["vel"][0], 28 * row["vel"][1], row["agent_y"], row["opp_y"]]
            np.testing.assert_allclose(np.array(game.observe()) * 224, state, atol=1e-4)


def test_events_of_random_play():
    check_events("pygame-pong", started, lambda _, reward: {"points_for": reward > 0, "points_against": reward < 0})


def test_serves_go_from_the_middle_into_any_direction():
    directions = []
    for seed in range(800):
        game = started(seed)
        assert (game._x, game._y) == (112, 112)
        assert math.hypot(game._vx, game._vy) == pytest.approx(8)
        directions.append(math.atan2(game._vy, game._vx) % (2 * math.pi))
    counts, _ = np.histogram(directions, 8, (0, 2 * math.pi))
    assert np.all(np.abs(counts - 100) < 40)  # 4 standard deviations


@pytest.mark.parametrize(("ball", "velocity", "reward"), [((24.0, 150.0), -5.0, -1.0), ((200.0, 150.0), 5.0, 1.0)])
def test_a_point_brings_a_serve_at_once(ball, velocity, reward):
    game = started()
    put(game, ball, (velocity, 0.0), agent=30.0, opponent=30.0)
    assert game.play([0.0]) == reward
    assert game.observe()[:2] == (0.5, 0.5)
    assert (game._won, game._lost) == (reward > 0, reward < 0)


@pytest.mark.parametrize(
    ("y", "vy", "after"), [(28.0, -4.0, 4.0), (196.0, 4.0, -4.0), (24.0, 1.0, 1.0), (200.0, -1.0, -1.0)]
)
def test_walls_turn_the_ball_outwards_where_it_is(y, vy, after):
    game = started()
    put(game, (112.0, y), (3.0, vy))
    game.play([0.0])
    assert (game._y, game._vx, game._vy) == (y + vy, 3.0, after)


@pytest.mark.parametrize(
    ("paddle", "hit"),
    [(76.0, False), (76.99, False), (77.0, True), (122.99, True), (123.0, False)],
)
def test_paddles_turn_the_ball_without_spin_where_whole_pixels_overlap(paddle, hit):
    game = started()
    put(
        game, (44.0, 117.0), (-6.0, 3.0), agent=paddle
    )  # next at (38, 120), so that its square is [34, 41) x [116, 123)
    game.play([0.0])
    assert (game._vx, game._vy) == (6.0 if hit else -6.0, 3.0)


def test_the_ball_passes_a_paddle_from_behind():
    game = started()
    put(game, (30.0, 112.0), (5.0, 0.0))
    game.play([0.0])
    assert game._vx == 5.0


def test_the_opponent_heeds_the_ball_on_its_part_of_the_court_only():
    game = started()
    put(game, (75.0, 60.0), (-4.0, 0.0))
    game.play([0.0])
    assert game._opponent == 92.0
    assert not game._attentive


def test_the_opponent_reacts_after_two_to_six_steps_once_per_visit():
    waits = []
    for seed in range(300):
        game = started(seed)
        put(game, (70.0, 30.0), (8.0, 0.0))
        game._attentive = False
        game.play([0.0])
        moves = []
        for _ in range(8):
            before = game._opponent
            game.play([0.0])
            moves.append(game._opponent != before)
        wait = moves.index(True)
        assert moves == [False] * wait + [True] * (8 - wait)
        waits.append(wait)
    assert sorted(set(waits)) == [2, 3, 4, 5, 6]
    assert np.all(np.abs(np.bincount(waits)[2:] - 60) < 28)


def test_the_opponent_is_faster_near_its_side():
    speeds = []
    for x in (76.0, 150.0, 195.0, 203.0):
        game = started()
        put(game, (x, 30.0), (-1.0, 0.0))
        game.play([0.0])
        speeds.append((92.0 - game._opponent) / 8.5)
    assert speeds[0] == pytest.approx(0.5, abs=0.01)
    assert speeds[0] < speeds[1] < speeds[2]
    assert speeds[2:] == pytest.approx([0.85, 0.85], abs=0.002)


def test_the_opponent_trembles_beside_a_level_ball():
    game = started()
    put(game, (112.0, 112.0), (0.0, 0.0))
    heights = []
    for _ in range(6):
        game.play([0.0])
        heights.append(game._opponent)
    assert np.all(np.diff(np.sign(np.diff(heights))) != 0)


def test_a_shallow_serve_is_returned_for_ever():
    game = started()
    put(game, (112.0, 112.0), (-7.99, 0.4))
    turns = 0
    for _ in range(500):
        before = game._vx
        assert game.play([float(np.clip((game._y - 20 - game._agent) / 8.5, -1, 1))]) == 0
        turns += game._vx != before
    assert turns >= 20


def test_paddles_stay_in_the_court():
    game = started()
    put(game, (112.0, 112.0), (0.0, 0.0))
    for action, edge in ((-1.0, 20.0), (1.0, 164.0)):
        for _ in range(20):
            game.play([action])
        assert game._agent == edge


def test_the_picture_shows_the_ball_and_both_paddles_in_their_places():
    game, canvas = started(), Canvas(224)
    put(game, (140.5, 70.5), (0.0, 0.0), agent=50.0, opponent=130.0)
    game.draw(canvas)
    image = canvas.image().astype(int)
    assert image[67:74, 137:144].min() > 150
    assert image[60, 140].max() < 80
    for top, left in ((50, 30), (130, 188)):
        assert np.all(image[top + 2 : top + 38, left + 2 : left + 4].max(-1) > 160)
        assert image[top - 2, left + 3].max() < 80
