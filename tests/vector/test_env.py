"""The vector environment gives what the tasks' own environments give, however many workers play."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import NormalizeReward, RecordEpisodeStatistics

import newt_bench
from newt_bench.envs.core import TaskEnv
from newt_bench.envs.domains import DOMAIN_MODULES
from newt_bench.errors import InputError, MissingAssetsError
from newt_bench.vector import episode_seed, make_vec

# Episodes of 50, 200 and 250 steps.
CHEAP = ["mujoco-reacher", "pygame-reacher-var1", "lunarlander-hover"]


class SeededEpisodes(gymnasium.Wrapper):
    """Resets as a slot does."""

    def __init__(self, task: str, copy: int, seed: int, **arguments):
        super().__init__(TaskEnv(task, **arguments))
        self._key = (seed, task, copy)
        self._episode = -1

    def reset(self, *, seed=None, options=None):
        self._episode += 1
        return self.env.reset(seed=episode_seed(*self._key, self._episode))


def assert_same(one, two):
    """Compares observations and infos, whose arrays may hold arrays or None."""
    assert type(one) is type(two), f"{type(one)} {type(two)}"
    if isinstance(one, dict):
        assert set(one) == set(two)
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, tuple) or (isinstance(one, np.ndarray) and one.dtype == object):
        for left, right in zip(one, two, strict=True):
            assert_same(left, right)
    else:
        np.testing.assert_array_equal(one, two)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype


def actions_of(envs, steps, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.2, 1.2, (steps, *envs.action_space.shape)).astype(np.float32)


def play(steps=260, tasks=CHEAP, **arguments):
    """Everything that an environment gives over some steps with fixed actions."""
    envs = make_vec(tasks, **arguments)
    try:
        return [envs.reset(), *(envs.step(a) for a in actions_of(envs, steps))]
    finally:
        envs.close()


@pytest.mark.parametrize("obs_type", ["state", "rgb", "state_rgb"])
def test_equals_gymnasiums_own_vector_environment(obs_type):
    """Observations, rewards, flags and infos, with the ends of episodes, in Gymnasium's own form."""
    names = ["pygame-reacher-easy", "pygame-reacher-hard"]
    shown = {"obs_type": obs_type, "render_size": 32}
    theirs = SyncVectorEnv(
        [lambda n=n, c=c: SeededEpisodes(n, c, 5, **shown) for n in names for c in (0, 1)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    ours = make_vec(names, 2, 2, pad=False, seed=5, **shown)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    assert_same(ours.reset(), theirs.reset())
    ends = 0
    for actions in actions_of(ours, 410):
        mine = ours.step(actions)
        assert_same(mine, theirs.step(actions))
        assert ours.observation_space.contains(mine[0])
        ends += mine[3].sum()
    assert ends == 8
    ours.close()
    theirs.close()


def test_slots_equal_their_environments_padded_with_zeros():
    """Tasks of several sizes and horizons; ends of episodes are flagged then and only then."""
    envs = make_vec(CHEAP, 2, num_workers=2, seed=3)
    singles = [SeededEpisodes(slot.task.name, slot.copy, 3) for slot in envs._layout.slots]
    obs, _ = envs.reset()
    assert obs.dtype == np.float32
    for row, single in zip(obs, singles, strict=True):
        np.testing.assert_array_equal(row[: single.observation_space.shape[0]], single.reset()[0])
    for actions in actions_of(envs, 260):
        actions[~envs.action_mask] = np.nan  # ignored
        obs, reward, terminated, truncated, info = envs.step(actions)
        assert not terminated.any()
        assert ("final_obs" in info) == ("final_info" in info) == truncated.any()
        for i, single in enumerate(singles):
            mine, padding = np.split(obs[i], [envs.obs_dim[i]])
            assert (padding == 0).all()
            state, r, _, ended, single_info = single.step(actions[i, : envs.action_dim[i]])
            assert (reward[i], truncated[i]) == (r, ended)
            if ended:
                assert info["_final_obs"][i]
                np.testing.assert_array_equal(info["final_obs"][i][: len(state)], state)
                assert (info["final_obs"][i][len(state) :] == 0).all()
                assert info["final_info"]["score"][i] == single_info["score"]
                state, single_info = single.reset()
            elif truncated.any():
                assert info["final_obs"][i] is None
            np.testing.assert_array_equal(mine, state)
            np.testing.assert_array_equal(info["success"][i], single_info["success"])
            assert info["score"][i] == single_info["score"]
    envs.close()


@pytest.mark.parametrize("workers", [2, 4, 5])
def test_results_do_not_depend_on_the_number_of_workers(workers):
    one, many = play(num_envs_per_task=2, num_workers=1), play(num_envs_per_task=2, num_workers=workers)
    for left, right in zip(one, many, strict=True):
        assert_same(left, right)


def test_results_do_not_depend_on_the_start_method():
    for one, other in zip(play(60, context="forkserver"), play(60, context="spawn"), strict=True):
        assert_same(one, other)


def test_a_slot_does_not_depend_on_the_others():
    many, one = make_vec(CHEAP, 2, seed=1), make_vec("mujoco-reacher", seed=1)
    slot = many.task.tolist().index(CHEAP.index("mujoco-reacher"))
    np.testing.assert_array_equal(many.reset()[0][slot], one.reset()[0][0])
    for actions in actions_of(many, 110):
        together, alone = many.step(actions), one.step(actions[[slot]])
        for left, right in zip(together[:4], alone[:4], strict=True):
            np.testing.assert_array_equal(left[slot], right[0])
    many.close()
    one.close()


def test_maniskill_with_others_on_one_and_two_workers():
    """Three episodes each: the later ones continue without a seed, and still depend on their slot alone."""
    tasks = ["ms-reach", "ms-push-cube", "pygame-pong", "cartpole-balance"]
    one, two = play(55, tasks, num_workers=1), play(55, tasks, num_workers=4)
    for left, right in zip(one, two, strict=True):
        assert_same(left, right)
    assert sum(step[3][0] for step in one[1:]) == 2


def test_exact_resets_seed_every_episode():
    envs = make_vec("ms-reach", seed=2, exact_resets=True)
    envs.reset()
    rng = np.random.default_rng(0)
    for _ in range(25):
        obs, _, _, truncated, _ = envs.step(rng.uniform(-1, 1, envs.action_space.shape))
    assert truncated.all()
    env = TaskEnv("ms-reach")
    expected, _ = env.reset(seed=episode_seed(2, "ms-reach", 0, 1))
    np.testing.assert_array_equal(obs[0, : len(expected)], expected)
    envs.close()
    env.close()


def test_resets_begin_continue_and_begin_anew():
    envs = make_vec("mujoco-reacher", 2, seed=4)

    def first(episode, copy, seed=4):
        env = TaskEnv("mujoco-reacher")
        return env.reset(seed=episode_seed(seed, "mujoco-reacher", copy, episode))[0]

    for reset, episode, seed in (({}, 0, 4), ({}, 1, 4), ({"seed": 9}, 0, 9), ({}, 1, 9), ({"seed": 4}, 0, 4)):
        obs, info = envs.reset(**reset)
        for copy in (0, 1):
            np.testing.assert_array_equal(obs[copy, : envs.obs_dim[0]], first(episode, copy, seed))
        assert set(info) == {"success", "_success", "score", "_score"}
    envs.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_every_slot_can_be_given_the_seed_of_its_first_episode(workers):
    """Later episodes have the run's seeds, whichever run was played before."""
    tasks = ["mujoco-reacher", "pygame-reacher-var1"]
    envs = make_vec(tasks, 2, workers, seed=4)
    for run, call in ((4, {}), (9, {"seed": 9})):
        envs.reset(**call)
        seeds = [5, 2**31 - 1, 0, 5]
        first, _ = envs.reset(seed=seeds)
        singles = [TaskEnv(slot.task.name) for slot in envs._layout.slots]
        for i, (single, seed) in enumerate(zip(singles, seeds, strict=True)):
            np.testing.assert_array_equal(first[i, : envs.obs_dim[i]], single.reset(seed=seed)[0])
        assert envs.episode.tolist() == [0, 0, 0, 0]
        for actions in actions_of(envs, 50):
            obs, *_ = envs.step(actions)
            states = [single.step(a[:d])[0] for single, a, d in zip(singles, actions, envs.action_dim, strict=True)]
        assert envs.episode.tolist() == [1, 1, 0, 0]
        for i, single in enumerate(singles):
            copy = envs._layout.slots[i].copy
            expected = states[i] if i >= 2 else single.reset(seed=episode_seed(run, "mujoco-reacher", copy, 1))[0]
            np.testing.assert_array_equal(obs[i, : envs.obs_dim[i]], expected)
        np.testing.assert_array_equal(envs.reset(seed=np.array(seeds))[0], first)
    envs.close()


def test_slots_can_begin_with_any_episode_of_the_run():
    """A run is taken up in the middle: the slots' episodes are begun anew, and the actions in them played again."""
    tasks, seed, until, steps = ["mujoco-reacher", "ms-reach", "pygame-reacher-var1"], 3, 130, 210
    whole = make_vec(tasks, 2, 2, seed=seed, exact_resets=True)
    assert whole.episode.tolist() == [-1] * 6
    begun, starts = np.zeros(6, int), whole.reset()[0]
    actions, batches = actions_of(whole, steps), []
    for step, action in enumerate(actions[:until]):
        batches.append(whole.step(action))
        ended = batches[-1][3]
        begun[ended], starts[ended] = step + 1, batches[-1][0][ended]
    episode = whole.episode
    assert episode.tolist() == [2, 2, 5, 5, 0, 0]
    rest = [whole.step(action) for action in actions[until:]]
    whole.close()

    again = make_vec(tasks, 2, 1, seed=seed, exact_resets=True)
    again.reset(seed=8)
    for call in ({"seed": seed}, {}):  # the second continues the first one's run
        obs, _ = again.reset(options={"episode": episode}, **call)
        np.testing.assert_array_equal(obs, starts)
        np.testing.assert_array_equal(again.episode, episode)
        for step in range(begun.min(), until):
            slots = np.flatnonzero(begun <= step)
            again.send(actions[step, slots], slots)
            _, obs, reward, _, truncated, info = again.recv(len(slots))
            np.testing.assert_array_equal(obs, batches[step][0][slots])
            np.testing.assert_array_equal(reward, batches[step][1][slots])
            np.testing.assert_array_equal(info["score"], batches[step][4]["score"][slots])
            assert not truncated.any()
        for action, expected in zip(actions[until:], rest, strict=True):
            assert_same(again.step(action), expected)
        assert again.episode.tolist() == [4, 4, 8, 8, 1, 1]
    again.reset()
    assert again.episode.tolist() == [5, 5, 9, 9, 2, 2]
    again.episode[:] = 0
    assert again.episode.tolist() == [5, 5, 9, 9, 2, 2]
    again.close()


def test_an_episode_that_a_maniskill_slot_begins_with_has_its_own_seed():
    """Even where later ones follow from it: what the slot played before does not matter."""
    envs, env = make_vec("ms-reach", seed=2), TaskEnv("ms-reach")
    envs.reset()
    envs.step(envs.action_space.sample())
    obs, _ = envs.reset(options={"episode": [6]})
    expected, _ = env.reset(seed=episode_seed(2, "ms-reach", 0, 6))
    for actions in actions_of(envs, 25):
        np.testing.assert_array_equal(obs[0, : len(expected)], expected)
        obs, *_ = envs.step(actions)
        expected, *_ = env.step(actions[0, : env.task.action_dim])
    np.testing.assert_array_equal(obs[0, : len(expected)], env.reset()[0])
    assert envs.episode.tolist() == [7]
    envs.close()
    env.close()


def test_what_is_returned_is_the_callers():
    envs = make_vec(CHEAP)
    obs, info = envs.reset()
    kept = obs.copy()
    again, reward, *_ = envs.step(envs.action_space.sample())
    np.testing.assert_array_equal(obs, kept)
    obs[:] = 7
    again[:] = reward[:] = info["score"][:] = 7
    assert not (envs.step(envs.action_space.sample())[0] == 7).any()
    envs.close()


def test_works_with_gymnasiums_wrappers():
    envs = NormalizeReward(RecordEpisodeStatistics(make_vec(CHEAP, seed=0)))
    envs.reset()
    ends = []
    for _ in range(100):
        _, _, _, truncated, info = envs.step(envs.action_space.sample())
        if truncated.any():
            ends.append(info["episode"]["l"][truncated].tolist())
            assert info["_episode"].tolist() == truncated.tolist()
    assert ends == [[50], [50]]
    envs.close()


def test_options_reach_the_environments():
    plain, variant = (play(30, "atari-pong", env_options=options) for options in (None, {"joystick": "deadzone"}))
    assert any((a[0] != b[0]).any() for a, b in zip(plain[1:], variant[1:], strict=True))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tasks": []}, InputError, "no task"),
        ({"tasks": "walker-rum"}, InputError, "Did you mean 'walker-run'"),
        ({"num_envs_per_task": 0}, InputError, "at least 1"),
        ({"num_workers": 0}, InputError, "num_workers must be at least 1"),
        ({"obs_type": "pixels"}, InputError, "obs_type must be one of"),
        ({"seed": -1}, InputError, "seed must be one integer"),
        ({"seed": [1, 2]}, InputError, "seed must be one integer"),
        ({"context": "fork"}, InputError, "context must be forkserver or spawn"),
        ({"timeout": 0}, InputError, "timeouts must be positive"),
        ({"obs_type": "rgb", "render_size": 8}, InputError, r"render_size must lie in \[16, 2048\]"),
        ({"env_options": {"joystick": "deadzone"}}, InputError, "has no option 'joystick'"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        make_vec(**{"tasks": CHEAP, **arguments})


def test_what_a_worker_cannot_build_is_the_environments_own_error(monkeypatch, tmp_path):
    monkeypatch.setenv("NEWT_BENCH_ASSETS", str(tmp_path))
    with pytest.raises(MissingAssetsError, match="newt-bench assets download"):
        make_vec(["pygame-pong", "ms-pick-apple"], num_workers=2, context="spawn")  # away from what was imported before


def test_refused_calls_change_nothing():
    envs = make_vec(CHEAP)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(envs.action_space.sample())
    envs.reset()
    with pytest.raises(InputError, match=r"shape \(3, 16\), not \(3, 6\)"):
        envs.step(np.zeros((3, 6)))
    undefined = np.zeros((3, 16), np.float32)
    undefined[2, 1] = np.nan
    with pytest.raises(InputError, match="newt/lunarlander-hover-v0 in slot 2: the action holds NaN"):
        envs.step(undefined)
    for arguments, message in (
        ({"options": {"difficulty": 3}}, r"only reset option is 'episode', got \['difficulty'\]"),
        ({"seed": -1}, "seed must be one integer from 0 up"),
        ({"seed": 1.5}, "seed must be one integer from 0 up"),
        ({"seed": [1, 2]}, r"seed must be one integer in \[0, 2\*\*31\) for each of the 3 slots, not \[1, 2\]"),
        ({"seed": [1, 2, -1]}, "seed must be one integer in"),
        ({"seed": [1, 2, 2**31]}, "seed must be one integer in"),
        ({"seed": [1, 2, None]}, "seed must be one integer in"),
        ({"seed": [1, 2, [3]]}, "seed must be one integer in"),
        ({"seed": "123"}, "seed must be one integer in"),
        ({"options": {"episode": 4}}, r"episode must be one integer in \[0, 2\*\*31\) for each of the 3 slots, not 4"),
        ({"options": {"episode": [0, 1, 0.5]}}, "episode must be one integer in"),
        ({"options": {"episode": np.array([0, 1, -1])}}, "episode must be one integer in"),
        ({"seed": [1, 2, 3], "options": {"episode": [0, 0, 0]}}, "goes with one seed of the run"),
    ):
        with pytest.raises(InputError, match=message):
            envs.reset(**arguments)
    actions = actions_of(envs, 1)[0]
    expected = play(1)[1]
    assert_same(envs.step(actions), expected)
    envs.close()
    envs.close()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        envs.step(actions)


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAIN_MODULES)
def test_every_task_in_a_vector_equals_itself_alone(domain):
    """States and pixels, bit for bit."""
    tasks = newt_bench.tasks(domain=domain)
    shown = {"obs_type": "state_rgb", "render_size": 32}
    envs = make_vec(tasks, num_workers=2, seed=1, **shown)
    steps = [(envs.reset()[0],), *(envs.step(a) for a in actions_of(envs, 3))]
    for i, task in enumerate(tasks):
        single = TaskEnv(task.name, **shown)
        obs, _ = single.reset(seed=episode_seed(1, task.name, 0, 0))
        for k, step in enumerate(steps):
            if k:
                obs, reward, *_ = single.step(actions_of(envs, 3)[k - 1, i, : task.action_dim])
                assert step[1][i] == reward
            np.testing.assert_array_equal(step[0]["state"][i, : task.obs_dim], obs["state"], task.name)
            assert (step[0]["state"][i, task.obs_dim :] == 0).all()
            np.testing.assert_array_equal(step[0]["rgb"][i], obs["rgb"], task.name)
        single.close()
    envs.close()
