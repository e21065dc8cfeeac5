"""The dmcontrol domain against the bare suite, stepped as its users would."""

from __future__ import annotations

import os

import gymnasium
import numpy as np
import pytest
from scipy import stats

import newt_bench
from newt_bench.envs.opengl import choose_backend
from tests.conftest import load_data

# The bare suite's quadruped warns of a NumPy function; newt-bench's does not, as the other tests show.
pytestmark = pytest.mark.filterwarnings("ignore:`in1d` is deprecated:DeprecationWarning")

TASKS = newt_bench.tasks(domain="dmcontrol")
REFERENCE = load_data("random_returns_dmcontrol.json")


def bare_suite(task, seed: int):
    from dm_control import suite
    from dm_control.suite.wrappers import action_scale

    domain, _, name = task.simulator_id.partition("/")
    return action_scale.Wrapper(suite.load(domain, name, task_kwargs={"random": seed}), -1.0, 1.0)


@pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
def test_equals_the_bare_suite(task):
    ours, bare = gymnasium.make(task.id), bare_suite(task, seed=3)
    obs, _ = ours.reset(seed=3)
    step = bare.reset()
    rng = np.random.default_rng(0)
    for _ in range(60):
        flat = np.concatenate([np.ravel(v) for v in step.observation.values()]).astype(np.float32)
        np.testing.assert_array_equal(obs, flat)
        action = rng.uniform(-1, 1, task.action_dim).astype(np.float32)
        obs, reward, *_ = ours.step(action)
        expected = 0.0
        for _ in range(2):
            step = bare.step(action)
            expected += step.reward
        assert reward == expected
    ours.close()


@pytest.mark.parametrize("name", ["walker-run", "cartpole-balance", "cup-catch", "quadruped-walk"])
def test_frames_equal_the_suites_own(name):
    task = newt_bench.get_task(name)
    ours = gymnasium.make(task.id, render_mode="rgb_array")
    ours.reset(seed=3)
    frame = ours.render()
    bare = bare_suite(task, seed=3)
    bare.reset()
    camera = 2 if name == "quadruped-walk" else 0
    np.testing.assert_array_equal(frame, bare.physics.render(224, 224, camera_id=camera))
    assert choose_backend() == os.environ["MUJOCO_GL"]
    ours.close()


def test_environments_of_several_models_rendered_in_turn_draw_what_each_draws_alone():
    names = ("walker-run", "cartpole-balance", "cup-catch", "fish-swim", "quadruped-walk")

    def make(name):
        env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array", render_size=64)
        env.reset(seed=2)
        return env

    alone = []
    for name in names:
        env = make(name)
        alone.append(env.render())
        env.close()
    together = [make(name) for name in names]
    for _ in range(2):
        for env, expected in zip(together, alone, strict=True):
            np.testing.assert_array_equal(env.render(), expected)
    for env in together:
        env.close()


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
def test_random_returns_match_the_bare_suite(task):
    """Returns of whole random episodes against figures measured with dm_control alone (100 episodes)."""
    reference = REFERENCE[task.simulator_id]
    results = newt_bench.evaluate("random", task, episodes=10, seed=123, progress=False)
    returns = [record.episode_return for record in results.episodes]
    if reference["std"] == 0:
        assert set(returns) == {reference["mean"]}
        return
    error = reference["std"] * (1 / len(returns) + 1 / reference["episodes"]) ** 0.5
    # Some returns are heavy-tailed (a target hit by luck), hence 4 standard errors.
    assert abs(np.mean(returns) - reference["mean"]) < 4 * error


@pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
def test_anchor_agrees_with_the_bare_suite(task):
    reference, anchor = REFERENCE[task.simulator_id], task.random_return
    error = np.hypot(anchor.sem, reference["std"] / reference["episodes"] ** 0.5)
    if error == 0:
        assert anchor.mean == reference["mean"]
    else:
        # Two-sided test of each of 21 tasks at a family-wise level of one in a thousand.
        assert abs(anchor.mean - reference["mean"]) / error < stats.norm.isf(0.001 / 21 / 2)
