"""Bird attack: the published scenarios, hits per episode, the rules of firing."""

from __future__ import annotations

import numpy as np
import pytest

from newt_bench.envs.miniarcade.games.bird_attack import BirdAttack, _BigBird, _BigShot, _Bird
from tests.conftest import load_data
from tests.envs.miniarcade.published import FixedChance, assert_events_match

VECTORS = load_data("miniarcade_vectors.json")["pygame-bird-attack"]

#: What the published one-step scenarios start from, by name; the birds with (x, y, lives).
STARTS = {
    "first hit": {"birds": [(100, 60, 2)], "own": [(110, 72)]},
    "kill, flock empty so bonus in the same step": {"birds": [(100, 60, 1)], "own": [(110, 72)]},
    "two simultaneous enemy shots, second one skipped": {"birds": [(100, 60, 2)], "enemy": [(112, 180), (113, 181)]},
    "big shot hits": {"birds": [(100, 60, 2)], "big": _BigBird(reload=40, fade=0), "big_shot": (112, 170, 0, 5)},
    "stunned move": {"birds": [(100, 60, 2)], "stun": 10, "reload": 3},
    "empty flock bonus": {"birds": []},
    "turn and drop": {"birds": [(190, 60, 2)]},
}


def started(seed: int = 0) -> BirdAttack:
    game = BirdAttack()
    game.start(np.random.default_rng(seed))
    return game


def without_chance() -> BirdAttack:
    """The flock never fires, and the big bird keeps still."""
    game = BirdAttack()
    game.start(FixedChance(random=1.0))
    return game


def put(game: BirdAttack, birds, own=(), enemy=(), big=None, big_shot=None, stun=0, reload=0) -> None:
    game._birds = [_Bird(*bird) for bird in birds]
    game._own_shots, game._enemy_shots = list(own), list(enemy)
    game._big, game._big_shot = big, _BigShot(*big_shot) if big_shot else None
    game._stun, game._reload = stun, reload


def state(game: BirdAttack) -> dict:
    shot = game._big_shot
    return {
        "agent_x": pytest.approx(game._x, abs=1e-5),
        "stun": game._stun,
        "reload": game._reload,
        "agent_shots": [list(shot) for shot in game._own_shots],
        "enemy_shots": [list(shot) for shot in game._enemy_shots],
        "birds": [[bird.x, bird.y, bird.lives] for bird in game._birds],
        "big_shot": shot and [shot.x, shot.y, shot.vx, shot.vy],
    }


@pytest.mark.parametrize("scenario", VECTORS["one_step"], ids=lambda scenario: scenario["name"])
def test_scenarios(scenario):
    game = without_chance()
    put(game, **STARTS[scenario["name"]])
    assert game.play(scenario["action"]) == scenario["reward"]
    after = state(game)
    assert {key: scenario[key] for key in after} == after


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("stand_and_shoot", lambda t: (0.0, 1.0)),
        ("idle", lambda t: (0.0, 0.0)),
        ("sweep", lambda t: (1.0 if t // 20 % 2 == 0 else -1.0, 1.0)),
    ],
)
def test_episodes_without_chance(name, action):
    published = VECTORS[f"no_enemy_fire_no_jitter_{name}"]
    game = without_chance()
    rewards = [game.play(action(t)) for t in range(500)]
    events = [[step, reward] for step, reward in enumerate(rewards, 1) if reward]
    assert events[:24] == published["events"]
    assert sum(rewards) == published["ret"]
    assert len(game._birds) == published["birds_left"]
    assert max(bird.y for bird in game._birds) == published["final_lowest_bird_y"]
    np.testing.assert_allclose(game.observe(), published["final_obs"], atol=1e-5)


def scripted(obs: np.ndarray) -> tuple[float, float]:
    """Flees from the lowest shot above the ship, else goes below the nearest bird; always fires."""
    left = 224 * obs[0]
    center = left + 7
    threats = [(y, x) for x, y in 224 * obs[30:50].reshape(10, 2) if y > 110 and abs(x - center) < 13]
    big_x, big_y = 224 * obs[51:53]
    if big_y > 90 and abs(big_x - center) < 30:
        threats.append((big_y, big_x))
    if threats:
        if left < 26 or left > 184:
            return (1.0 if left < 26 else -1.0), 1.0
        return (1.0 if center >= max(threats)[1] else -1.0), 1.0
    birds = 224 * obs[3 : 3 + round(16 * obs[2])] + 7
    if len(birds) == 0:
        return 0.0, 1.0
    return float(np.clip((birds[np.abs(birds - center).argmin()] - center) / 6, -1, 1)), 1.0


@pytest.mark.parametrize("policy", ["random", "scripted"])
def test_events_per_episode_match_the_published_figures(policy):
    outcomes = []
    for seed in range(50):
        game, rng = started(seed), np.random.default_rng(seed)
        stunned = 0
        for _ in range(500):
            game.play(rng.uniform(-1, 1, 2) if policy == "random" else scripted(np.array(game.observe(), np.float32)))
            stunned += game._stun > 0
        outcomes.append({"steps_stunned": stunned, "kills": 16 - len(game._birds)})
    assert_events_match("pygame-bird-attack", policy, outcomes)


def test_the_ship_fires_once_in_eight_frames_and_three_shots_are_in_flight():
    game = without_chance()
    game._birds = game._birds[:1]
    in_flight = []
    for _ in range(60):
        game.play((-1.0, 1.0))
        in_flight.append(len(game._own_shots))
    heights = sorted({y for _, y in game._own_shots})
    assert np.diff(heights).tolist() == [56.0] * (len(heights) - 1)
    assert max(in_flight) == 3


def test_only_positive_commands_fire():
    game = without_chance()
    for trigger in (-1.0, 0.0):
        game.play((0.0, trigger))
        assert game._own_shots == []
    game.play((0.0, 1e-6))
    assert game._own_shots == [(112.0, 171.0)]


def test_a_hit_keeps_the_ship_slow_and_silent_for_sixteen_frames():
    game = without_chance()
    put(game, [(30, 40, 2)], enemy=[(112, 180)])
    assert game.play((0.0, 0.0)) == -2
    places, shots = [], []
    for _ in range(17):
        game.play((0.5, 1.0))
        places.append(game._x)
        shots.append(len(game._own_shots))
    assert np.diff([105.0, *places]) == pytest.approx([0.6] * 16 + [3.0])
    assert shots == [0] * 16 + [1]


def test_the_flock_fires_at_the_published_rate():
    game = started(3)
    fired = 0
    for _ in range(2000):
        game._enemy_shots, game._stun = [], 0
        game._march()
        fired += len(game._enemy_shots)
    assert fired == pytest.approx(2000 * 16 * 0.0075, abs=4 * np.sqrt(240))


def test_the_whole_flock_turns_sixteen_times():
    game = started()
    turns, heading = [], game._heading
    for step in range(1, 501):
        game.play((0.0, -1.0))
        if game._heading != heading:
            turns.append(step)
            heading = game._heading
    assert turns == [*range(11, 500, 31)]
    assert len(turns) == 16
    assert game._birds[-1].y == 124


def test_the_big_bird_comes_after_half_the_episode_sways_and_aims_at_the_ship():
    game = started()
    game._birds = game._birds[:1]
    for step in range(1, 306):
        game._enemy_shots = []
        game.play((-1.0, 0.0))
        assert (game._big is not None) == (step > 250)
        if step > 255:
            assert abs(game._big.x - 112) <= 0.03 * 184
            assert abs(game._big.y - 40) <= 0.01 * 184
        if step < 305:
            assert game._big_shot is None
    shot = game._big_shot
    assert np.hypot(shot.vx, shot.vy) == pytest.approx(5)
    to_ship = np.array((game._x + 7 - shot.x, 188 - shot.y))
    np.testing.assert_allclose(to_ship / np.linalg.norm(to_ship), (shot.vx / 5, shot.vy / 5), atol=1e-9)


def test_a_big_shot_bounces_off_the_sides_and_disappears_below():
    game = without_chance()
    put(game, [(100, 60, 2)], big_shot=(192, 100, 4, 3))
    game.play((0.0, 0.0))
    assert (game._big_shot.x, game._big_shot.vx) == (196, -4)
    put(game, [(100, 60, 2)], big_shot=(40, 210, 0, 5))
    assert game.play((0.0, 0.0)) == 0
    assert game._big_shot is None
