"""Air hockey: the published scenarios, goals per episode, the opponent's reactions."""

from __future__ import annotations

import numpy as np
import pytest

from newt_bench.envs.miniarcade.games.air_hockey import AirHockey, _Body
from tests.conftest import load_data
from tests.envs.miniarcade.published import FixedChance, assert_events_match

VECTORS = load_data("miniarcade_vectors.json")["pygame-air-hockey"]


def started(seed: int = 0) -> AirHockey:
    game = AirHockey()
    game.start(np.random.default_rng(seed))
    return game


def without_chance() -> AirHockey:
    """Every launch flat and to the left, the first one upwards; a steady hand with the fastest reactions."""
    game = AirHockey()
    game.start(FixedChance())
    return game


def put(game: AirHockey, puck: list[float], agent=(112.0, 170.0), opponent=(112.0, 52.0)) -> None:
    game._puck, game._agent, game._opponent = _Body(*puck), _Body(*agent), _Body(*opponent)
    game._engaged, game._delay = False, 0


def positions(game: AirHockey) -> list[float]:
    puck, agent, opponent = game._puck, game._agent, game._opponent
    return [puck.x, puck.y, puck.vx, puck.vy, agent.x, agent.y, opponent.x, opponent.y]


@pytest.mark.parametrize("scenario", VECTORS["one_step"], ids=lambda scenario: scenario["name"])
def test_scenarios(scenario):
    game = without_chance()
    before, after = scenario["before"], scenario["after"]
    put(game, before["puck"], before["agent_xy"], before["opp_xy"])
    assert game.play(scenario["action"]) == scenario["reward"]
    assert positions(game) == pytest.approx([*after["puck"], *after["agent_xy"], *after["opp_xy"]], abs=1e-5)
    np.testing.assert_allclose(game.observe(), scenario["obs"], atol=1e-5)


def test_an_episode_without_chance():
    published = VECTORS["noise_free_zero_action"]
    rows = {row["step"]: row for row in published["trace"]}
    game = without_chance()
    goals = {}
    for step in range(1, 501):
        reward = game.play((0.0, 0.0))
        if reward:
            goals[step] = reward
        if "puck" in rows.get(step, {}):
            now = positions(game)
            assert now[:4] + now[6:] == pytest.approx(rows[step]["puck"] + rows[step]["opp"], abs=1e-4)
    assert (goals[25], goals[140], min(goals)) == (-1.0, 1.0, 25)
    assert sum(goals.values()) == published["ret"]


def scripted(obs: np.ndarray) -> np.ndarray:
    """Meets the puck in its own half, else waits below it."""
    x, y, agent_x, agent_y = 224 * obs[[0, 1, 4, 5]]
    vx, vy = 12 * obs[2:4]
    target = (x + vx, y + vy + 6) if y > 112 else (x, 176)
    return np.clip((np.array(target) - (agent_x, agent_y)) / 7.5, -1, 1)


@pytest.mark.parametrize("policy", ["random", "scripted"])
def test_goals_per_episode_match_the_published_figures(policy):
    outcomes = []
    for seed in range(60):
        game, rng = started(seed), np.random.default_rng(seed)
        for _ in range(500):
            game.play(rng.uniform(-1, 1, 2) if policy == "random" else scripted(np.array(game.observe(), np.float32)))
        outcomes.append({"goals_for": game._goals, "goals_against": game._conceded})
    assert_events_match("pygame-air-hockey", policy, outcomes)


def test_the_puck_starts_from_the_centre_to_either_side():
    launches = np.array([started(seed).observe()[:4] for seed in range(400)]) * (224, 224, 12, 12)
    np.testing.assert_array_equal(launches[:, :2], 112)
    assert np.abs(launches[:, 2]).min() > 2.7
    assert np.abs(launches[:, 2]).max() <= 6
    assert np.abs(launches[:, 3]).max() < 5.55
    for side in (2, 3):
        assert 150 < (launches[:, side] < 0).sum() < 250


def test_mallets_keep_to_their_halves_and_the_puck_to_its_speed():
    game, rng = started(1), np.random.default_rng(1)
    for _ in range(2000):
        game.play(rng.choice([-1.0, 1.0], 2))
        *_, vx, vy, agent_x, agent_y, opponent_x, opponent_y = positions(game)
        assert np.hypot(vx, vy) <= 12
        assert 43 <= agent_x <= 181
        assert 122 <= agent_y <= 190
        assert 43 <= opponent_x <= 181
        assert 34 <= opponent_y <= 102


@pytest.mark.parametrize(("speed", "delays"), [(1.0, range(5, 11)), (6.0, range(3, 8)), (11.5, range(1, 5))])
def test_the_opponent_reacts_later_to_a_slow_puck(speed, delays):
    game = started()
    seen = set()
    for _ in range(300):
        put(game, [60.0, 100.0, 0.0, -speed])
        game._opponent_target()
        seen.add(game._delay + 1)  # the frame of the draw counts
    assert seen == set(delays)


def test_the_opponent_waits_at_home_until_it_reacts():
    game = without_chance()
    put(game, [60.0, 110.0, 0.0, -1.0])
    targets = [game._opponent_target() for _ in range(7)]
    assert targets == [(112.0, 52.0)] * 5 + [(60.0, 83.0)] * 2


def test_an_alert_opponent_stays_alert_after_conceding():
    game = without_chance()
    put(game, [112.0, 18.0, 0.0, -5.0], opponent=(60.0, 52.0))
    game._engaged = True
    assert game.play((0.0, 0.0)) == 1.0
    assert game._opponent_target() == (112.0, 83.0)  # no new delay, though the puck was just relaunched


def test_a_mallet_held_at_its_limit_hits_with_its_commanded_velocity():
    speeds = []
    for action in ((0.0, 0.0), (0.0, -0.4)):
        game = without_chance()
        put(game, [112.0, 108.0, 0.0, 0.0], agent=(112.0, 122.0))
        game.play(action)
        assert game._agent.y == 122
        speeds.append(game._puck.vy)
    assert speeds == pytest.approx([0, -3 * (1.9 + 0.35) * 0.998], abs=1e-6)
