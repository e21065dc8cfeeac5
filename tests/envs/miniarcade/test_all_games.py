"""Every game: the published figures, and pictures that neither need nor change the episode."""

from __future__ import annotations

import math

import numpy as np
import pytest

import newt_bench
from newt_bench.envs.miniarcade import make
from tests.conftest import load_data

TASKS = newt_bench.tasks(domain="miniarcade")
FIGURES = load_data("miniarcade_figures.json")
PUBLISHED = [task for task in TASKS if task.name in FIGURES]
EPISODES = 60
RESETS = 400
every_game = pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
every_published_game = pytest.mark.parametrize("task", PUBLISHED, ids=lambda task: task.name)


def actions(policy: str, task, rng: np.random.Generator) -> np.ndarray:
    shape = (task.max_episode_steps, task.action_dim)
    if policy == "random":
        return rng.uniform(-1, 1, shape).astype(np.float32)
    return np.full(shape, float(policy), np.float32)


def episode(task, policy: str, seed: int) -> tuple[float, float, np.ndarray]:
    """Return, score and observations after each step."""
    simulation = make(task)
    simulation.reset(seed)
    total, success, seen = 0.0, math.nan, []
    for action in actions(policy, task, np.random.default_rng(seed)):
        obs, reward, success = simulation.step(action)
        total += reward
        seen.append(obs)
    return total, task.score(total, success), np.array(seen)


@every_published_game
@pytest.mark.parametrize("policy", ["random", "0", "-1", "1"])
def test_returns_and_scores_match_the_published_figures(task, policy):
    published = FIGURES[task.name]["policies"][policy]
    outcomes = [episode(task, policy, seed)[:2] for seed in range(EPISODES)]
    for kind, ours in zip(("return", "score"), np.transpose(outcomes), strict=True):
        spread = published[f"{kind}_std"]
        error = spread * math.sqrt(1 / EPISODES + 1 / published["episodes"])
        assert ours.mean() == pytest.approx(published[f"{kind}_mean"], rel=1e-4, abs=4 * error + 1e-4)
        if spread == 0:
            assert ours.std() == pytest.approx(0, abs=1e-6)


@every_published_game
def test_first_observations_match_the_published_distribution(task):
    published = FIGURES[task.name]["reset_obs"]
    simulation = make(task)
    first = np.array([simulation.reset(seed) for seed in range(RESETS)])
    error = np.array(published["std"]) * math.sqrt(1 / RESETS + 1 / published["episodes"])
    assert np.all(np.abs(first.mean(0) - published["mean"]) <= 4.5 * error + 1e-4)
    low, high = np.array(published["min"]), np.array(published["max"])
    margin = 0.02 * (high - low) + 1e-4  # the published extremes are those of a sample, too
    assert np.all(first >= low - margin)
    assert np.all(first <= high + margin)


@every_published_game
def test_observations_of_random_play_match_the_published_ones(task):
    published = FIGURES[task.name]["random_policy_obs"]
    means = np.array([episode(task, "random", seed)[2].mean(0) for seed in range(EPISODES)])
    # Rare events differ much between samples of few episodes: the spread over episodes is not trusted to be tiny.
    spread = np.maximum(means.std(0, ddof=1), 0.2 * np.array(published["std"]))
    error = spread * math.sqrt(1 / EPISODES + 1 / published["episodes"])
    deviation = np.abs(means.mean(0) - published["mean"]) - 5 * error - 2e-4
    if task.name == "pygame-highway":
        deviation[4] = 0  # the published game never resets this flag unless it draws; this one does
    assert np.all(deviation <= 0), np.flatnonzero(deviation > 0)


@every_game
def test_drawing_changes_nothing_and_is_a_function_of_the_state(task):
    drawn, blind = make(task), make(task)
    np.testing.assert_array_equal(drawn.reset(5), blind.reset(5))
    for step, action in enumerate(actions("random", task, np.random.default_rng(5))):
        if step % 10 < 2:
            frame = drawn.render(64)
            np.testing.assert_array_equal(frame, drawn.render(64))
        obs, reward, _ = drawn.step(action)
        expected, expected_reward, _ = blind.step(action)
        np.testing.assert_array_equal(obs, expected)
        assert reward == expected_reward
    np.testing.assert_array_equal(drawn.render(64), blind.render(64))


@every_game
def test_nothing_of_an_episode_remains_in_the_next(task):
    used, fresh = make(task), make(task)
    used.reset(1)
    for action in actions("random", task, np.random.default_rng(1)):
        used.step(action)
    np.testing.assert_array_equal(used.reset(2), fresh.reset(2))
    np.testing.assert_array_equal(used.render(64), fresh.render(64))
    for action in actions("random", task, np.random.default_rng(2))[:200]:
        ours, theirs = used.step(action), fresh.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1] == theirs[1]


@every_game
def test_frames_are_smooth_at_any_size(task):
    simulation = make(task)
    simulation.reset(3)
    for action in actions("random", task, np.random.default_rng(3))[:40]:
        simulation.step(action)
    small, large = simulation.render(112), simulation.render(448)
    assert small.shape == (112, 112, 3)
    shrunk = large.reshape(112, 4, 112, 4, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 3  # the same picture, out of 255
    assert len(np.unique(large.reshape(-1, 3), axis=0)) > 100  # shades along the edges


def test_states_need_no_drawing_library(run_python):
    child = run_python("""
import sys
sys.modules["pygame"] = None
import gymnasium, newt_bench
from newt_bench.errors import MissingExtraError
for task in newt_bench.tasks(domain="miniarcade"):
    env = gymnasium.make(task.id, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(env.action_space.sample())
try:
    env.render()
except MissingExtraError as error:
    print(error)
""")
    assert 'pip install "newt-bench[arcade]"' in child.stdout
