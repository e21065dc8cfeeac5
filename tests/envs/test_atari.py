"""The atari domain: joysticks, the end of the game, and episodes that leave no trace."""

from __future__ import annotations

import itertools
import pickle
import zlib

import ale_py
import gymnasium
import numpy as np
import pytest

import newt_bench
from newt_bench.envs.atari import JOYSTICKS
from newt_bench.errors import InputError
from tests.conftest import load_data

TASKS = newt_bench.tasks(domain="atari")
CHECKS = load_data("atari_joysticks.json")
every_game = pytest.mark.parametrize("task", TASKS, ids=TASKS.names)


def bare_ale(task):
    """The package's own continuous mode, whose joystick has a dead zone."""
    return gymnasium.make(
        task.simulator_id, obs_type="ram", continuous=True, repeat_action_probability=0, render_mode="rgb_array"
    ).unwrapped


def memory(obs: np.ndarray) -> np.ndarray:
    return np.rint(obs * 255).astype(np.uint8)


@every_game
@pytest.mark.parametrize("joystick", JOYSTICKS)
def test_published_check_values(task, joystick):
    """Returns and memory after 200 steps, as ale_py 0.10 (`release`) and 0.12 (`deadzone`) themselves give them."""
    expected = CHECKS[task.name][joystick]
    env = gymnasium.make(task.id, joystick=joystick)
    obs, _ = env.reset(seed=0)
    total = 0.0
    for k in range(200):
        obs, reward, *_ = env.step(np.array([np.sin(0.1 * k), np.sin(0.37 * k + 1), np.sin(0.73 * k + 2)], np.float32))
        total += reward
    assert total == expected["return"]
    assert f"{zlib.crc32(memory(obs).tobytes()):08x}" == expected["memory_crc32"]
    env.close()


@pytest.mark.parametrize("name", ["atari-pong", "atari-assault", "atari-yars-revenge", "atari-boxing"])
def test_deadzone_equals_the_packages_own_continuous_mode(name):
    task = newt_bench.get_task(name)
    ours, bare = gymnasium.make(task.id, joystick="deadzone"), bare_ale(task)
    rng = np.random.default_rng(1)
    # Two episodes: ours restores the start, the package loads the game anew.
    for seed in (0, 1):
        obs, _ = ours.reset(seed=seed)
        np.testing.assert_array_equal(memory(obs), bare.reset(seed=seed)[0])
        for _ in range(150):
            action = rng.uniform(-1, 1, 3).astype(np.float32)
            native = np.array([(action[0] + 1) / 2, np.float32(np.pi) * action[1], (action[2] + 1) / 2], np.float32)
            obs, reward, *_ = ours.step(action)
            expected, expected_reward, *_ = bare.step(native)
            np.testing.assert_array_equal(memory(obs), expected)
            assert reward == expected_reward
    ours.close()
    bare.close()


def console_action(joystick: str, push: float, half_turns: float, fire: float) -> str:
    env = gymnasium.make("newt/atari-pong-v0", joystick=joystick)
    action, _ = env.unwrapped._simulation._console_action(np.array([push, half_turns, fire], np.float32))
    return action.name


@pytest.mark.parametrize(
    ("push", "half_turns", "release", "deadzone"),
    [
        (-1.0, 0.0, "DOWNLEFT", "NOOP"),
        (1.0, 0.0, "DOWNRIGHT", "RIGHT"),
        (1.0, 0.5, "UPLEFT", "UP"),
        (1.0, -0.5, "DOWNLEFT", "DOWN"),
        (1.0, 1.0, "DOWNLEFT", "LEFT"),
        (1.0, 0.25, "UPRIGHT", "UPRIGHT"),
        (1.0, -0.75, "DOWNLEFT", "DOWNLEFT"),
        (-0.1, 0.0, "DOWNLEFT", "NOOP"),
        (0.0, 0.0, "DOWN", "NOOP"),  # exactly half a push to the right
    ],
)
def test_joysticks(push, half_turns, release, deadzone):
    assert console_action("release", push, half_turns, 0.0) == release
    assert console_action("deadzone", push, half_turns, 0.0) == deadzone
    for joystick, direction in (("release", release), ("deadzone", deadzone)):
        pressed = "FIRE" if direction == "NOOP" else f"{direction}FIRE"
        assert console_action(joystick, push, half_turns, 0.01) == pressed


def test_all_console_actions_can_be_reached():
    grid = list(itertools.product((-1.0, 0.0, 1.0), np.linspace(-1, 1, 17), (-1.0, 1.0)))
    reached = {joystick: {console_action(joystick, *point) for point in grid} for joystick in JOYSTICKS}
    assert reached["deadzone"] == set(ale_py.Action.__members__)
    assert "NOOP" not in reached["release"]
    assert {"UPLEFT", "UPRIGHT", "DOWNLEFT", "DOWNRIGHTFIRE"} <= reached["release"]


def test_paddles_turn_at_the_speed_of_the_push_only_with_the_deadzone():
    def memories(joystick: str) -> set[bytes]:
        found = set()
        for push in (0.2, 0.6, 1.0):  # all of them far enough to count
            env = gymnasium.make("newt/atari-pong-v0", joystick=joystick)
            env.reset(seed=0)
            found.add(b"".join(env.step([push, 0.0, -1.0])[0].tobytes() for _ in range(60)))
            env.close()
        return found

    assert len(memories("release")) == 1
    assert len(memories("deadzone")) == 3


def test_bad_joystick():
    with pytest.raises(InputError, match="joystick must be one of release, deadzone, not 'mouse'"):
        gymnasium.make("newt/atari-pong-v0", joystick="mouse")


def test_release_is_the_default_and_options_survive_pickling():
    def after_rest(env) -> bytes:
        env.reset(seed=0)
        for _ in range(40):
            obs, *_ = env.step([-1.0, 0.0, -1.0])
        return obs.tobytes()

    plain, release, deadzone = (
        gymnasium.make("newt/atari-boxing-v0", **options)
        for options in ({}, {"joystick": "release"}, {"joystick": "deadzone"})
    )
    assert after_rest(plain) == after_rest(release)
    assert after_rest(plain) != after_rest(deadzone)
    assert after_rest(pickle.loads(pickle.dumps(deadzone))) == after_rest(deadzone)


@every_game
def test_episodes_and_frames_do_not_depend_on_the_episode_before(task):
    env = gymnasium.make(task.id, render_mode="rgb_array")

    def play() -> list[bytes]:
        obs, _ = env.reset()
        seen = [obs.tobytes(), env.render().tobytes()]
        rng = np.random.default_rng(0)
        for _ in range(60):
            obs, reward, *_ = env.step(rng.uniform(-1, 1, 3))
            seen += [obs.tobytes(), np.float64(reward).tobytes(), env.render().tobytes()]
        return seen

    first = play()
    rng = np.random.default_rng(1)
    for _ in range(400):  # in some games, past the end
        env.step(rng.uniform(-1, 1, 3))
    assert play() == first
    env.close()


def test_after_the_game_the_console_stands_still():
    env = gymnasium.make("newt/atari-pong-v0")
    env.reset(seed=0)
    emulator = env.unwrapped._simulation._emulator
    rng = np.random.default_rng(0)
    steps = 0
    while not emulator.game_over():
        obs, *_ = env.step(rng.uniform(-1, 1, 3))
        steps += 1
    assert steps < 990
    for _ in range(10):
        after, reward, terminated, truncated, _ = env.step(rng.uniform(-1, 1, 3))
        np.testing.assert_array_equal(after, obs)
        assert (reward, terminated, truncated) == (0.0, False, False)
    env.close()


@pytest.mark.parametrize("name", ["atari-pong", "atari-seaquest"])
def test_frames_hold_the_screen_unscaled(name):
    task = newt_bench.get_task(name)
    ours, bare = gymnasium.make(task.id, render_mode="rgb_array", joystick="deadzone"), bare_ale(task)
    ours.reset(seed=0)
    bare.reset(seed=0)
    for _ in range(30):
        frame = ours.render()
        np.testing.assert_array_equal(frame[7:217, 32:192], bare.render())
        assert frame.sum() == bare.render().sum(dtype=int)  # black around it
        ours.step([1.0, 0.5, 1.0])
        bare.step(np.array([1.0, np.pi / 2, 1.0], np.float32))
    ours.close()
    bare.close()


@every_game
def test_screens_are_all_of_one_size(task):
    env = gymnasium.make(task.id)
    assert env.unwrapped._simulation._emulator.getScreenDims() == (210, 160)
    env.close()


def test_state_beside_pixels_is_the_state():
    plain, both = gymnasium.make("newt/atari-pong-v0"), gymnasium.make("newt/atari-pong-v0", obs_type="state_rgb")
    obs, _ = plain.reset(seed=0)
    assert 0 <= obs.min() < obs.max() <= 1
    np.testing.assert_array_equal(both.reset(seed=0)[0]["state"], obs)
