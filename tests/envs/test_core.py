"""The contract that all tasks share, tried on one cheap real task."""

from __future__ import annotations

import math
import pickle

import gymnasium
import numpy as np
import pytest

from newt_bench.envs.core import TaskEnv
from newt_bench.errors import InputError

ID = "newt/cartpole-swingup-v0"


@pytest.fixture
def env():
    env = gymnasium.make(ID)
    yield env
    env.close()


def test_made_environment_is_bare(env):
    assert type(env) is TaskEnv
    assert env.spec.id == ID
    assert env.unwrapped.task.name == "cartpole-swingup"


def test_spaces_and_horizon(env):
    assert env.action_space == gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    assert env.observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (5,), np.float32)
    obs, info = env.reset(seed=0)
    assert obs.dtype == np.float32
    assert set(info) == {"success", "score"}
    total = 0.0
    for step in range(1, 501):
        obs, reward, terminated, truncated, info = env.step([0.1])
        total += reward
        assert env.observation_space.contains(obs)
        assert type(reward) is float
        assert terminated is False
        assert truncated is (step == 500)
        assert math.isnan(info["success"])
        assert info["score"] == pytest.approx(total / 1000)


def test_step_needs_a_reset_before_and_after_an_episode(env):
    with pytest.raises(gymnasium.error.ResetNeeded, match="before the first reset"):
        env.step([0.0])
    env.reset(seed=0)
    for _ in range(500):
        env.step([0.0])
    with pytest.raises(gymnasium.error.ResetNeeded, match="after the end of the episode"):
        env.step([0.0])
    env.reset()
    env.step([0.0])


def test_actions_are_clipped(env):
    outcomes = []
    for action in (1.0, 7.5, np.inf):
        env.reset(seed=3)
        outcomes.append(env.step([action]))
    np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
    np.testing.assert_array_equal(outcomes[0][0], outcomes[2][0])


@pytest.mark.parametrize(
    ("action", "message"),
    [([math.nan], "holds NaN"), ([0.0, 0.0], r"shape \(1,\), not \(2,\)"), (0.0, r"shape \(1,\), not \(\)")],
)
def test_bad_actions_are_refused_and_change_nothing(env, action, message):
    env.reset(seed=0)
    expected, *_ = env.step([0.5])
    env.reset(seed=0)
    with pytest.raises(InputError, match=message):
        env.step(action)
    np.testing.assert_array_equal(env.step([0.5])[0], expected)


def test_actions_passed_in_are_not_changed(env):
    env.reset(seed=0)
    action = np.array([4.0], np.float32)
    env.step(action)
    assert action[0] == 4.0


def test_unseeded_resets_continue_a_reproducible_sequence(env):
    def starts():
        first, _ = env.reset(seed=11)
        return [first, *(env.reset()[0] for _ in range(3))]

    once, again = starts(), starts()
    np.testing.assert_array_equal(once, again)
    assert len({tuple(obs) for obs in once}) == 4


def test_unseeded_episodes_do_not_depend_on_the_episode_before(env):
    env.reset(seed=5)
    expected, _ = env.reset()
    env.reset(seed=5)
    for _ in range(40):
        env.step([1.0])
    np.testing.assert_array_equal(env.reset()[0], expected)


def test_first_reset_without_seed_is_fresh():
    starts = set()
    for _ in range(3):
        env = gymnasium.make(ID)
        starts.add(tuple(env.reset()[0]))
        env.close()
    assert len(starts) == 3


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_out_of_range_are_refused(env, seed):
    with pytest.raises(InputError, match=str(seed)):
        env.reset(seed=seed)


def test_largest_seed_works(env):
    env.reset(seed=2**31 - 1)


def test_reset_options_are_refused(env):
    env.reset(options={})
    with pytest.raises(InputError, match="goal"):
        env.reset(options={"goal": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"obs_type": "pixels"}, "obs_type must be one of state, rgb, state_rgb, not 'pixels'"),
        ({"render_mode": "ansi"}, "render_mode must be None, 'rgb_array' or 'human', not 'ansi'"),
        ({"render_size": 8}, r"\[16, 2048\]"),
        ({"frame_skip": 4}, "newt/cartpole-swingup-v0 has no option 'frame_skip'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        TaskEnv("cartpole-swingup", **arguments)


def test_unknown_id_suggests_the_nearest():
    with pytest.raises(gymnasium.error.NameNotFound, match="walker-run"):
        gymnasium.make("newt/walker-runn-v0")


def test_observation_types_agree():
    envs = {kind: gymnasium.make(ID, obs_type=kind, render_size=64) for kind in ("state", "rgb", "state_rgb")}
    obs = {kind: env.reset(seed=4)[0] for kind, env in envs.items()}
    for _ in range(3):
        assert obs["rgb"].shape == (64, 64, 3)
        assert obs["rgb"].dtype == np.uint8
        np.testing.assert_array_equal(obs["state_rgb"]["state"], obs["state"])
        np.testing.assert_array_equal(obs["state_rgb"]["rgb"], obs["rgb"])
        for kind, env in envs.items():
            assert env.observation_space.contains(obs[kind])
            obs[kind] = env.step([0.7])[0]
    for env in envs.values():
        env.close()


def test_render():
    env = gymnasium.make(ID, render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.render()
    assert env.unwrapped.renderer is None
    env.reset(seed=0)
    before = env.render()
    assert before.shape == (224, 224, 3)
    np.testing.assert_array_equal(env.render(), before)
    before[:] = 0  # a caller's copy is the caller's
    assert env.render().any()
    for _ in range(10):
        env.step([1.0])
    assert (env.render() != before).any()
    assert ": " in env.unwrapped.renderer
    assert env.metadata["render_fps"] == 50
    env.close()


def test_rendering_does_not_change_the_trajectory():
    plain, drawn = gymnasium.make(ID), gymnasium.make(ID, render_mode="rgb_array")
    for env in (plain, drawn):
        env.reset(seed=9)
    for k in range(30):
        if k % 3:
            drawn.render()
        np.testing.assert_array_equal(plain.step([np.sin(k)])[0], drawn.step([np.sin(k)])[0])
    plain.close()
    drawn.close()


def test_render_without_a_mode_warns(env):
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert env.render() is None


def test_large_frames():
    env = gymnasium.make(ID, render_mode="rgb_array", render_size=1000)
    env.reset(seed=0)
    assert env.render().shape == (1000, 1000, 3)
    env.close()


def test_pickle_before_and_after_rendering():
    env = gymnasium.make(ID, render_mode="rgb_array", render_size=48)
    for _ in range(2):
        twin = pickle.loads(pickle.dumps(env))
        np.testing.assert_array_equal(twin.reset(seed=1)[0], env.reset(seed=1)[0])
        np.testing.assert_array_equal(twin.render(), env.render())
        twin.close()
    env.close()


def test_close_twice_and_step_after_close(env):
    env.reset(seed=0)
    env.close()
    env.close()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step([0.0])


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_gymnasium_vector_environment(context):
    envs = gymnasium.make_vec(
        ID,
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": context, "shared_memory": True},
        obs_type="state",
    )
    obs, _ = envs.reset(seed=[1, 2])
    single = gymnasium.make(ID)
    np.testing.assert_array_equal(obs[1], single.reset(seed=2)[0])
    obs, *_ = envs.step(np.array([[0.3], [0.3]], np.float32))
    np.testing.assert_array_equal(obs[1], single.step([0.3])[0])
    single.close()
    envs.close()
