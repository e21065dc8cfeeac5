"""Cowboy: the published scenarios, and the rules one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.cowboy import Cowboy
from tests.conftest import load_data

VECTORS = load_data("miniarcade_vectors.json")["pygame-cowboy"]
EVENTS = load_data("miniarcade_figures.json")["pygame-cowboy"]["events_per_episode"]
POLICIES = {
    "idle": lambda game: -1.0,
    "always_jump": lambda game: 1.0,
    "always_half_jump": lambda game: 0.5,
    "jump_at_60_to_100": lambda game: 1.0 if 40 < game._left <= 100 else -1.0,
}


class Always:
    """Chance that always gives the same number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def integers(self, high: int) -> int:
        return self.number


def started(seed: int = 0, variant: int | None = None) -> Cowboy:
    game = Cowboy()
    game.start(np.random.default_rng(seed) if variant is None else Always(variant))
    return game


@pytest.mark.parametrize("jump", VECTORS["jumps"], ids=lambda jump: str(jump["action"]))
def test_jumps(jump):
    game = started()
    for step, (y, v) in enumerate(zip(jump["y"][:21], jump["v"], strict=False)):
        game.play([jump["action"] if step == 0 else -1.0])
        np.testing.assert_allclose(game.observe(), [(y - 154) / 224, v / 10, (254 - 10 * step) / 224], atol=1e-9)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("variant", range(4))
def test_scenarios(variant, policy):
    expected = VECTORS[f"variant_{variant}_only"][policy]
    game = started(variant=variant)
    rewards, respawns = [], []
    for step in range(1, 501):
        left = game._left
        rewards.append(game.play([POLICIES[policy](game)]))
        if game._left > left:
            respawns.append(step)
    negative = [step for step, reward in enumerate(rewards, 1) if reward < 0]
    assert (sum(rewards), len(negative)) == (expected["ret"], expected["n_negative"])
    assert (negative[0] if negative else None) == expected["first_negative_step"]
    assert respawns[:3] == expected["first_respawns_at_step"]


def test_all_shapes_come():
    game = started()
    shapes = []
    for _ in range(400):
        game._new_obstacle()
        shapes.append((game._width, game._height, game._variant))
    assert set(shapes) == {(15, 25, 0), (20, 40, 1), (40, 40, 2), (40, 40, 3)}
    assert all(shapes.count(shape) > 60 for shape in set(shapes))


def test_the_world_stands_still_while_he_is_blocked():
    game = started(variant=1)
    places = []
    for _ in range(25):
        game.play([-1.0])
        places.append(game._left)
    assert places[20:] == [54] * 5


@pytest.mark.parametrize(("variant", "weak", "strong"), [(0, 0.6, 0.64), (1, 0.76, 0.8)])
def test_a_jump_on_the_spot_frees_him_if_it_is_high_enough(variant, weak, strong):
    for strength, free in ((weak, False), (strong, True)):
        game = started(variant=variant)
        for _ in range(25):
            game.play([-1.0])
        rewards = [game.play([strength if step == 0 else -1.0]) for step in range(16)]
        assert (1.0 in rewards) == free


def test_he_rides_on_a_cactus_without_a_jump_of_his_own_and_is_blocked_behind_it():
    game = started(variant=3)
    game._left = 44.0
    game._runner.y, game._runner.v = 112.0, 4.0
    seen = []
    for _ in range(6):
        reward = game.play([1.0])
        seen.append((reward, game._runner.y, game._left))
    assert seen == [(1, 114, 34), (1, 114, 24), (1, 114, 14), (1, 114, 4), (-1, 115, 4), (-1, 117, 4)]


@pytest.mark.parametrize("left", [54.0, 34.0])
def test_who_is_above_a_cactus_by_less_than_half_does_not_stand_on_it(left):
    game = started(variant=0)
    game._left = left
    game._runner.y, game._runner.v = 129.0, 4.0
    assert game.play([1.0]) == -1
    assert (game._runner.y, game._runner.v, game._left) == (134, 5, left)


def test_who_rises_into_a_cactus_is_blocked():
    game = started(variant=3)
    game._left = 44.0
    game._runner.y, game._runner.v = 140.0, -5.0
    assert game.play([1.0]) == -1
    assert (game._runner.y, game._runner.v) == (136, -4)


def test_heights_lose_their_fraction_before_collisions():
    game = started(variant=0)
    game._left = 54.0
    game._runner.y, game._runner.v = 128.6, 0.0  # one pixel lower touches
    assert game.play([0.0]) == 1


def test_random_play_matches_the_published_events():
    blocked, grounded, episodes = [], [], 60
    for seed in range(episodes):
        game, actions = started(seed), np.random.default_rng(seed).uniform(-1, 1, 500)
        stopped = stood = 0
        for action in actions.tolist():
            stopped += game.play([action]) < 0
            stood += game._runner.grounded
        blocked.append(stopped)
        grounded.append(stood)
    for ours, name in ((blocked, "steps_blocked"), (grounded, "steps_grounded")):
        mean, std = EVENTS["random"][name]
        assert np.mean(ours) == pytest.approx(mean, abs=4 * std * math.sqrt(1 / episodes + 1 / 200))


def test_the_picture_shows_shape_and_blocking():
    game, canvas = started(variant=0), Canvas(224)
    game._left = 120.0

    def picture() -> np.ndarray:
        game.draw(canvas)
        return canvas.image().astype(float)

    free = picture()
    assert free[175, 127].argmax() == 1  # green
    assert free[150, 130].argmax() != 1
    game._variant = 1
    assert picture()[150, 130].argmax() == 1
    game._variant, game._blocked = 0, True
    assert picture()[20, 20, 2] < free[20, 20, 2] - 5
