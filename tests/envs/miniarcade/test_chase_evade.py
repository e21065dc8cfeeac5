"""Chase and evade: the published scenarios, catches per episode, the arena's rules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.games.chase_evade import ChaseEvade, _Player
from tests.conftest import load_data
from tests.envs.miniarcade.published import FixedChance, assert_events_match

VECTORS = load_data("miniarcade_vectors.json")["pygame-chase-evade"]
CENTER = np.array((112.0, 118.0))


def started(seed: int = 0) -> ChaseEvade:
    game = ChaseEvade()
    game.start(np.random.default_rng(seed))
    return game


def put(agent, opponent, evading: bool) -> ChaseEvade:
    """A game whose pillars start at 0, 120 and 240 degrees and turn by growing angles; signs come out as -1."""
    game = ChaseEvade()
    game.start(FixedChance())
    game._agent, game._opponent = _Player(*agent), _Player(*opponent)
    game._evading, game._pillar_angle, game._rotation = evading, 0.0, 1.0
    game._place_pillars()
    return game


def place(player: _Player) -> np.ndarray:
    return np.array((player.x, player.y))


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "setup"])
def test_scenarios(name):
    scenario = VECTORS[name]
    start = scenario["start"]
    game = put((start["agent_x"], start["agent_y"]), (start["opp_x"], start["opp_y"]), evading=start["agent_is_evader"])
    expected = {row["step"]: row for row in scenario["trace"]}
    total = 0.0
    for step in range(1, max(expected) + 1):
        reward = game.play(scenario["action"])
        total += reward
        if step in expected:
            row = expected[step]
            for player, values in ((game._agent, row["agent"]), (game._opponent, row["opp"])):
                assert [player.x, player.y, player.vx, player.vy] == pytest.approx(values, abs=1e-5)
            assert (reward, total) == pytest.approx((row["reward"], row["ret"]), abs=1e-5)
            assert (game._evading, game._swapping) == (row["agent_is_evader"], row["swap_phase"])


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def scripted(obs: np.ndarray) -> np.ndarray:
    """Chases straight, flees along the edge, and keeps off the pillars."""
    agent, opponent = 224 * obs[0:2], 224 * obs[4:6]
    way = unit(opponent - agent)
    if obs[8] > 0.5:
        way, out = -way, agent - CENTER
        if np.linalg.norm(out) > 60:
            along = unit(np.array((-out[1], out[0])))
            way = along * (1 if along @ way >= 0 else -1) + 0.2 * way - 0.3 * unit(out)
    way = unit(way)
    for pillar in 224 * obs[9:].reshape(3, 2):
        far = np.linalg.norm(agent - pillar)
        if far < 30:
            way = way + (30 - far) / 15 * unit(agent - pillar)
    return way / max(np.abs(way).max(), 1e-9)


@pytest.mark.parametrize("policy", ["random", "scripted"])
def test_events_per_episode_match_the_published_figures(policy):
    outcomes = []
    for seed in range(40):
        game, rng = started(seed), np.random.default_rng(seed)
        counts = dict.fromkeys(("catches", "steps_as_evader", "steps_in_swap", "abs_reward"), 0.0)
        for _ in range(500):
            role = game._evading
            action = rng.uniform(-1, 1, 2) if policy == "random" else scripted(np.array(game.observe(), np.float32))
            counts["abs_reward"] += abs(game.play(action))
            counts["catches"] += game._evading != role
            counts["steps_as_evader"] += game._evading
            counts["steps_in_swap"] += game._swapping
        outcomes.append(counts)
    assert_events_match("pygame-chase-evade", policy, outcomes)


def test_starts():
    agents, roles, turns = [], [], []
    for seed in range(300):
        game = started(seed)
        agents.append(place(game._agent) - CENTER)
        roles.append(game._evading)
        turns.append(game._rotation)
        np.testing.assert_array_equal(place(game._opponent), CENTER)
    np.testing.assert_allclose(np.linalg.norm(agents, axis=1), 75)
    assert np.abs(np.mean(agents, 0)).max() < 13
    assert 110 < sum(roles) < 190
    assert set(turns) == {-1.0, 1.0}


def test_nobody_leaves_the_arena_or_enters_a_pillar_in_play():
    game, rng = started(4), np.random.default_rng(4)
    for step in range(1500):
        if step % 7 == 0:
            action = rng.choice([-1.0, 1.0], 2)
        swapping = game._swapping
        game.play(action)
        for player in (game._agent, game._opponent):
            assert np.linalg.norm(place(player) - CENTER) < 78.51
            if not swapping:
                gaps = [np.hypot(player.x - x, player.y - y) for x, y in game._pillars]
                assert min(gaps) > 20


def test_pillars_orbit_from_the_second_frame_on():
    game = started(1)
    before = game._pillars
    game.play((0.0, 0.0))
    assert game._pillars == before
    game.play((0.0, 0.0))
    for (x, y), (old_x, old_y) in zip(game._pillars, before, strict=True):
        turn = math.atan2(y - 118, x - 112) - math.atan2(old_y - 118, old_x - 112)
        assert math.remainder(turn, 2 * math.pi) == pytest.approx(0.01 * game._rotation)


def caught() -> ChaseEvade:
    """A game in which the agent has just caught the opponent."""
    game = put((112.0, 180.0), (112.0, 170.0), evading=False)
    assert game.play((0.0, 0.0)) > 0  # the reward has the sign of the new role
    assert game._evading
    assert game._swapping
    return game


def test_actions_and_pillars_do_nothing_while_roles_change():
    obedient, stubborn = caught(), caught()
    frames = 0
    while obedient._swapping:
        velocities = [obedient.observe()[k] for k in (2, 3, 6, 7)]
        assert obedient.play((1.0, -1.0)) == stubborn.play((-1.0, 0.3))
        assert [obedient.observe()[k] for k in (2, 3, 6, 7)] == velocities
        frames += 1
    assert obedient.observe() == stubborn.observe()
    assert frames == 14  # of 3.5 pixels each, from a distance of 48.7 to less than 2
    assert np.linalg.norm(place(obedient._opponent) - CENTER) < 2
    assert np.linalg.norm(place(obedient._agent) - CENTER) == pytest.approx(67)
    obedient.play((1.0, 0.0))
    assert obedient._agent.vx == 3.325


def test_roles_take_five_frames_to_change_at_least():
    game = put((112.0, 130.0), (112.0, 118.0), evading=False)
    game._evading, game._swapping = True, True
    phases = []
    for _ in range(6):
        game.play((0.0, 0.0))
        phases.append(game._swapping)
    assert phases == [True] * 4 + [False] * 2


def test_an_evader_at_the_edge_is_pulled_inwards_when_roles_change():
    game = put((112.0, 194.0), (112.0, 170.0), evading=True)
    game._swapping = True
    game.play((0.0, 0.0))
    assert place(game._agent) == pytest.approx([112, 185])


def test_an_evading_opponent_zigzags_with_a_sign_for_each_axis():
    ways = set()
    for seed in range(60):
        game = put((100.0, 190.0), (112.0, 175.0), evading=False)
        game.rng = np.random.default_rng(seed)
        ways.add(tuple(np.round(game._evading_way(), 6)))
    assert len(ways) == 4
    game = put((100.0, 190.0), (140.0, 175.0), evading=False)
    game.rng = np.random.default_rng(0)
    assert len({game._evading_way() for _ in range(20)}) == 1  # not from farther away
