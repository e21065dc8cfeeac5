"""Landing: the published scenarios, and the rules one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.landing import Landing
from tests.conftest import load_data

SCENARIOS = load_data("miniarcade_vectors.json")["pygame-landing"]
EVENTS = load_data("miniarcade_figures.json")["pygame-landing"]["events_per_episode"]["random"]


def started(seed: int = 0) -> Landing:
    game = Landing()
    game.start(np.random.default_rng(seed))
    return game


def prepared(x: float, y: float, *, vx: float = 0.0, vy: float = 0.0, ship: float = 74, heading: int = 1,
             speed: float = 1.4) -> Landing:  # fmt: skip
    game = started()
    game._x, game._y, game._vx, game._vy = x, y, vx, vy
    game._ship, game._heading, game._speed = ship, heading, speed
    return game


def land(obs: list[float]) -> list[float]:
    """Follows the ship high above it, comes down once it is near, and then stays."""
    x, y, vx, vy, ship, _, drift = (scale * number for scale, number in zip((224, 224, 10, 10, 224, 224, 5), obs,
                                                                           strict=True))  # fmt: skip
    off = ship - (x + 14)
    height = 165 - y
    sink = max(0.12 * height, 0.2) if abs(off) < 25 else 0.12 * (height - 30)
    right = 0.2 * off + drift - vx
    down = -1 / 3 + sink - vy if height > 1 else 0.0
    return [min(max(right, -1), 1), min(max(down, -1), 1)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenarios(scenario):
    setup = scenario["setup"]
    game = prepared(setup["x"], setup["y"], vx=setup["vx"], vy=setup["vy"], ship=setup["ship_x"],
                    heading=setup["ship_dir"], speed=setup["ship_speed"])  # fmt: skip
    expected = {row["step"]: row for row in scenario["trace"]}
    total = 0.0
    for step in range(1, max(expected) + 1):
        reward = game.play(scenario["action"])
        total += reward
        if step in expected:
            seen = {"step": step, "x": game._x, "y": game._y, "vx": game._vx, "vy": game._vy, "ship_x": game._ship,
                    "ship_dir": game._heading, "contact": game._contact, "locked": game._locked, "reward": reward,
                    "return_so_far": total}  # fmt: skip
            assert seen == pytest.approx(expected[step], abs=1e-4)


def test_the_observation_follows_the_ship_and_hides_the_lock():
    game = prepared(60, 140, vx=1.0, vy=-2.0, ship=100, heading=-1, speed=1.5)
    expected = [60 / 224, 140 / 224, 0.1, -0.2, 100 / 224, 0.84375, -0.3]
    assert game.observe() == pytest.approx(expected)
    game._contact = game._locked = True
    assert game.observe() == pytest.approx(expected)


def test_the_ship_turns_at_both_ends():
    game = prepared(0, 0, ship=188.0)
    assert [(game.play([0.0, -1.0]), game._ship, game._heading)[1:] for _ in range(2)] == [(189, -1), (187.6, -1)]
    game = prepared(0, 0, ship=36.0, heading=-1)
    assert [(game.play([0.0, -1.0]), game._ship, game._heading)[1:] for _ in range(2)] == [(35, 1), (36.4, 1)]


def test_starts_match_the_rules():
    games = [started(seed) for seed in range(400)]
    for name, low, high in (("_x", 12, 36), ("_y", 12, 36), ("_vx", -0.3, 0.3), ("_vy", -0.3, 0.3),
                            ("_speed", 1.1, 1.7)):  # fmt: skip
        values = [getattr(game, name) for game in games]
        assert (min(values), max(values)) == pytest.approx((low, high), abs=0.02 * (high - low))
    assert 150 < sum(game._heading == 1 for game in games) < 250


@pytest.mark.parametrize("vy", [1.0, 4.0, 7.0])
def test_touching_down_costs_twice_the_speed_up_to_ten(vy):
    game = prepared(60, 164.9 - vy, vy=vy)
    reward = game.play([0.0, -1 / 3])
    assert game._contact
    assert reward == pytest.approx(_at_rest(game) - min(10, 2 * 0.96 * vy), abs=0.02)
    assert game.play([0.0, -1 / 3]) > 0  # once only


def _at_rest(game: Landing) -> float:
    centred = 1 - abs(int(game._x) + 14 - int(game._ship - 35) - 35) / 35
    return 0.1 + 0.9 * centred + 0.025 * centred + 0.1 * (1 - 15 / 224)


def test_resting_at_the_middle_of_the_deck_pays_best():
    game = prepared(60, 165.0, vx=1.4)
    game._contact = game._locked = True
    assert game.play([0.0, 0.0]) == pytest.approx(1.1183, abs=1e-4)


@pytest.mark.parametrize(("y", "below"), [(174.0, False), (175.0, True)])
def test_below_the_level_of_the_deck_every_step_costs(y, below):
    game = prepared(160, y)
    assert game.play([0.0, -1 / 3]) == pytest.approx(-0.5 if below else 0.1 * (1 - 6 / 224), abs=1e-6)


def test_hovering_within_three_pixels_is_contact():
    for y, contact in ((161.9, False), (162.1, True)):
        game = prepared(60, y)
        game.play([0.0, -1 / 3])
        assert game._contact == contact


def test_the_ends_of_the_deck_do_not_hold():
    for x, contact in ((74 - 35 - 24 + 1.3, False), (74 - 35 - 24 + 3, True), (74 + 35 - 4 + 2, False), (104, True)):
        game = prepared(x, 163.0)
        game.play([0.0, -1 / 3])
        assert game._contact == contact, x


def test_a_locked_helicopter_rides_along_and_turns_with_the_ship():
    game = prepared(150, 165.0, vx=1.4, ship=170.0)
    game._contact = game._locked = True
    offsets = []
    for _ in range(60):
        game.play([0.0, 0.0])
        offsets.append(game._x - game._ship)
    assert game._locked
    assert game._heading == -1
    assert max(offsets) - min(offsets) < 4  # the ship turns a step before what stands on it
    assert game._y == 165


def test_a_deck_side_pushes_even_out_of_the_window():
    game = prepared(0.0, 186.0, ship=63.4, heading=-1)
    game.play([0.0, -1 / 3])
    assert game._x == -1
    assert game.observe()[0] < 0


def test_from_below_the_deck_is_solid_too():
    game = prepared(60, 197.0, vy=-6.0)
    assert game.play([0.0, 0.0]) == pytest.approx(-0.5)
    assert (game._y, game._vy) == (195, 0)


def test_speed_is_kept_at_the_borders():
    game = prepared(0, 0, vx=-3.0, vy=-3.0)
    game.play([-1.0, -1.0])
    assert (game._x, game._y) == (0, 0)
    assert (game._vx, game._vy) == pytest.approx((-3.6 * 0.96, -3.4 * 0.96))


def test_random_play_matches_the_published_events():
    episodes = 60
    counts = {"contact_steps": [], "touchdowns": [], "locked_steps": []}
    for seed in range(episodes):
        game, actions = started(seed), np.random.default_rng(seed).uniform(-1, 1, (200, 2))
        contacts, locks = [False], []
        for action in actions.tolist():
            game.play(action)
            contacts.append(game._contact)
            locks.append(game._locked)
        counts["contact_steps"].append(sum(contacts))
        counts["touchdowns"].append(sum(now and not before for before, now in itertools.pairwise(contacts)))
        counts["locked_steps"].append(sum(locks))
    for name, ours in counts.items():
        mean, std = EVENTS[name]
        assert np.mean(ours) == pytest.approx(mean, abs=4 * std * math.sqrt(1 / episodes + 1 / 50)), name


def test_a_simple_pilot_comes_near_the_best_score():
    for seed in range(10):
        game = started(seed)
        assert sum(game.play(land(game.observe())) for _ in range(200)) > 180


def test_contact_and_lock_are_seen():
    game, canvas = prepared(60, 165.0), Canvas(224)

    def picture() -> np.ndarray:
        game.draw(canvas)
        return canvas.image().astype(int)

    flying = picture()
    game._contact = True
    standing = picture()
    game._locked = True
    assert np.abs(standing - flying)[20:40, 20:40].mean() > 5
    locked = picture()[172, 74]
    assert locked.argmax() == 1
    assert locked.tolist() != standing[172, 74].tolist()
