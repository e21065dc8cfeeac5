"""Highway: the published scenarios, and the rules one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.highway import _BLUE, _CENTERS, _TRUCK, _YELLOW, Highway
from tests.conftest import load_data

VECTORS = {scenario["name"]: scenario for scenario in load_data("miniarcade_vectors.json")["pygame-highway"]}
EVENTS = load_data("miniarcade_figures.json")["pygame-highway"]["events_per_episode"]
#: Place of the player and cars (kind, lane, left edge) of each scenario.
SETUPS = {
    "free drive": (40.0, 2, []),
    "rear-end and drag": (40.0, 2, [(_BLUE, 2, 100.0)]),
    "deep overlap is resolved by snapping the agent to the car front": (90.0, 2, [(_BLUE, 2, 100.0)]),
    "fast car behind truck": (40.0, 4, [(_TRUCK, 0, 150.0), (_YELLOW, 0, 275.0)]),
}


class Lane:
    """Chance that always takes the same lane, and the middle of intervals."""

    def __init__(self, lane: int) -> None:
        self.lane = lane

    def integers(self, high: int) -> int:
        return min(self.lane, high - 1)

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def started(seed: int = 0) -> Highway:
    game = Highway()
    game.start(np.random.default_rng(seed))
    return game


def put(game: Highway, x: float, lane: int, cars: list[tuple]) -> None:
    """Places the player and the cars; nothing else will ever appear."""
    game._x, game._y, game._vx, game._vy = x, _CENTERS[lane] - 9, 0.0, 0.0
    for slot in game._cars:
        slot.active, slot.held, slot.wait = False, 0, 10**9
    for slot, (kind, car_lane, left) in zip(game._cars, cars, strict=False):
        slot.active, slot.kind, slot.lane, slot.x = True, kind, car_lane, left


def prepared(x: float, lane: int, *cars: tuple) -> Highway:
    game = started()
    put(game, x, lane, list(cars))
    return game


@pytest.mark.parametrize("name", SETUPS)
def test_scenarios(name):
    game = started()
    put(game, *SETUPS[name])
    first, second = game._cars[:2]
    expected = {row["step"]: row for row in VECTORS[name]["trace"]}
    total = 0.0
    for step in range(1, max(expected) + 1):
        reward = game.play(VECTORS[name]["action"])
        total += reward
        if step not in expected:
            continue
        obs = game.observe()
        seen = {"step": step, "reward": reward, "return_so_far": total, "agent_x": game._x, "car_active": first.active,
                "car_x": first.x, "timer": first.held, "dx_same": obs[5], "truck_x": first.x, "yellow_x": second.x,
                "obs_first_12": obs[:12]}  # fmt: skip
        for key, value in expected[step].items():
            assert seen[key] == pytest.approx(value, abs=1e-5), (step, key)


def test_the_flash_fades_after_a_collision():
    game = prepared(40, 2, (_BLUE, 2, 72.0))
    flags = []
    for _ in range(5):
        game.play([0.0, 0.0])
        flags.append(game.observe()[4])
    assert flags == pytest.approx([1, 2 / 3, 1 / 3, 0, 0])


def test_during_a_collision_no_other_can_begin_and_the_player_may_still_move_across():
    game = prepared(60, 2, (_BLUE, 2, 93.0), (_BLUE, 3, 70.0))
    rewards = [game.play([0.0, 1.0]) for _ in range(5)]
    assert [reward < -0.9 for reward in rewards] == [True, False, False, False, False]
    assert game._y > _CENTERS[2] - 9 + 5
    assert game._vy > 2


def test_release_stops_the_player_and_empties_the_slot_for_a_while():
    game = prepared(60, 2, (_BLUE, 2, 93.0))
    for _ in range(6):
        game.play([1.0, 0.0])
    assert not game._cars[0].active
    assert game._held is None
    assert (game._vx, game._vy) == (0, 0)
    assert 3 <= game._cars[0].wait <= 10  # 4 to 10, one of which has passed
    assert game.observe()[12:15] == [-1] * 3


@pytest.mark.parametrize(("x", "car"), [(2.0, 29.0), (40.0, 32.0)])
def test_without_space_at_the_left_the_player_is_released_at_once(x, car):
    game = prepared(x, 2, (_BLUE, 2, car + 6))
    game.play([0.0, 0.0])
    assert game._held is game._cars[0]
    game.play([0.0, 0.0])
    assert game._held is None
    assert (game._x, game._cars[0].x) == (x, car)


def test_cars_appear_with_space_and_at_the_places_of_the_rules():
    kinds, lanes, places = set(), set(), []
    for seed in range(300):
        game = started(seed)
        for car in game._cars:
            if not car.active:
                game._appear(car)
        cars = [car for car in game._cars if car.active]
        for one, other in itertools.combinations(cars, 2):
            if one.lane == other.lane:
                assert abs(one.x - other.x) >= max(one.kind.length, other.kind.length) + 18
        kinds.update(car.kind for car in cars)
        lanes.update(car.lane for car in cars)
        places += [car.x for car in cars[1:]]
        assert game._cars[0].x == 264
    assert kinds == {_BLUE, _YELLOW, _TRUCK}
    assert lanes == set(range(5))
    assert (min(places), max(places)) == pytest.approx((244, 284), abs=0.5)


def test_a_car_that_finds_no_space_tries_again_in_the_next_step():
    game = prepared(40, 2, *((_TRUCK, lane, 264.0) for lane in range(4)))
    spare = game._cars[3]
    spare.active, spare.wait = False, 1
    game.rng = Lane(1)
    game.time = 499
    for _ in range(3):
        game.play([0.0, 0.0])
        assert (spare.active, spare.wait) == (False, 1)
    game.rng = Lane(4)
    game.play([0.0, 0.0])
    assert spare.active


def test_there_can_be_more_cars_than_the_quota_but_no_more_before_a_slot():
    game = prepared(40, 4, (_BLUE, 0, 150.0))
    game._cars[1].wait = 1
    for _ in range(5):
        game.play([0.0, 0.0])
    assert not game._cars[1].active  # the one car of the first steps drives in slot 0
    game = prepared(40, 4)
    game._cars[3].active, game._cars[3].x, game._cars[3].lane = True, 150.0, 0
    game._cars[0].wait = 1
    game.play([0.0, 0.0])
    assert [car.active for car in game._cars] == [True, False, False, True]
    game = prepared(40, 4)
    game._cars[0].wait = game._cars[1].wait = 1
    game.play([0.0, 0.0])
    assert [car.active for car in game._cars] == [True, False, False, False]


def test_a_slot_empties_when_its_car_is_gone():
    game = prepared(100, 4, (_TRUCK, 0, -49.0))
    game.play([0.0, 0.0])
    assert game._cars[0].active
    game.play([0.0, 0.0])
    assert not game._cars[0].active
    assert 4 <= game._cars[0].wait <= 10


@pytest.mark.parametrize(
    ("cars", "expected"),
    [
        ([], (-1, 1, 1, -1, -1)),
        ([(_BLUE, 2, 118.0)], (44 / 224, 1, 1, -1, -1)),
        ([(_BLUE, 1, 144.0), (_BLUE, 3, 145.0)], (-1, 0, 1, 70 / 224, 71 / 224)),
        ([(_BLUE, 1, 70.0), (_BLUE, 2, 46.0)], (-1, 1, 1, -1, -1)),  # beside and behind: not seen
        ([(_BLUE, 3, 200.0), (_BLUE, 3, 100.0)], (-1, 1, 0, -1, 26 / 224)),
    ],
)
def test_clearances(cars, expected):
    game = prepared(46, 2, *cars)
    assert game.observe()[5:10] == pytest.approx(expected)


def test_lanes_that_do_not_exist_are_not_free():
    game = prepared(46, 0, (_BLUE, 1, 94.0))
    assert game.observe()[6:10] == pytest.approx([0, 0, -1, 20 / 224])
    game = prepared(46, 4)
    assert game.observe()[6:10] == [1, 0, -1, -1]


@pytest.mark.parametrize(("gap", "expected"), [(84, 0.015), (83, 0.01 - 0.02 / 84), (0, -0.01), (200, 0.015)])
def test_the_reward_of_a_clear_road(gap, expected):
    game = prepared(20, 2, (_BLUE, 2, 20 + 28 + gap + 6.0))
    assert game.play([0.0, 0.0]) == pytest.approx(expected)


def test_control_costs():
    assert prepared(40, 2).play([1.0, 0.0]) == pytest.approx(0.02 - 0.0005)
    game = prepared(40, 2)
    still, moved = prepared(40, 2), game.play([1.0, -1.0])
    still._y += -0.65
    assert moved == pytest.approx(still.play([0.0, 0.0]) - 0.001)


def test_collisions_of_random_play_match_the_published_count():
    counts, episodes = [], 60
    for seed in range(episodes):
        game, actions = started(seed), np.random.default_rng(seed).uniform(-1, 1, (500, 2))
        counts.append(sum(game.play(action) < -0.9 for action in actions.tolist()))
    mean, std = EVENTS["random"]["collisions"]
    assert np.mean(counts) == pytest.approx(mean, abs=4 * std * math.sqrt(1 / episodes + 1 / 50))


def test_the_picture_shows_what_waits_and_what_happens():
    game, canvas = prepared(40, 2, (_YELLOW, 0, 260.0), (_BLUE, 2, 120.0)), Canvas(224)

    def picture() -> np.ndarray:
        game.draw(canvas)
        return canvas.image().astype(int)

    calm = picture()
    assert calm[37, 222].tolist() == [227, 188, 34]
    assert calm[112, 50].argmax() == 0  # the player's red
    assert calm[107, 127].argmax() == 2  # the other's blue
    game._flash = 1
    faint = picture()[200, 100, 0] - calm[200, 100, 0]
    game._flash = 3
    assert picture()[200, 100, 0] - calm[200, 100, 0] > faint > 5
