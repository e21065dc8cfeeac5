"""The robodesk domain against RoboDesk itself, its oddities included."""

from __future__ import annotations

import logging

import gymnasium
import numpy as np
import pytest

import newt_bench
from newt_bench.envs.domains import make_simulation

TASKS = newt_bench.tasks(domain="robodesk")
every_task = pytest.mark.parametrize("task", TASKS, ids=TASKS.names)

# Entries of the observation.
END_EFFECTOR, FINGERS = slice(0, 3), slice(36, 38)
QPOS_OBJECTS, QVEL_OBJECTS = slice(3, 29), slice(38, 64)


def bare_robodesk(task):
    """RoboDesk without its render function, which fails with every Pillow from version 10."""
    make_simulation(task, {}).close()  # imports `gym` without its notice
    from robodesk import RoboDesk

    env = RoboDesk(task.simulator_id, action_repeat=10, episode_length=1001, image_size=1)
    env.render = lambda *_, **__: None
    return env


def flat(entries: dict) -> np.ndarray:
    return np.concatenate([entries[key] for key in sorted(entries) if key != "image"]).astype(np.float32)


def physics_of(env):
    return env.unwrapped._simulation._physics


@every_task
def test_equals_bare_robodesk(task):
    ours, bare = gymnasium.make(task.id), bare_robodesk(task)
    obs, _ = ours.reset(seed=3)
    state = np.random.get_state()
    np.random.seed(3)
    bare.reset()
    np.random.set_state(state)
    entries, *_ = bare.step(np.zeros(5))
    rng = np.random.default_rng(0)
    for _ in range(15):
        np.testing.assert_array_equal(obs, flat(entries))
        action = rng.uniform(-1, 1, 5).astype(np.float32)
        obs, reward, _, _, info = ours.step(action)
        entries, expected, *_ = bare.step(action)
        assert reward == expected
        assert info["success"] == np.ravel(bare.reward_functions[bare.task]("success"))[0]
        assert info["score"] == info["success"]
        assert 0 <= reward <= 10
    ours.close()


def test_entries_on_objects_are_both_velocities():
    env = gymnasium.make("newt/rd-open-drawer-v0")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(5):
        obs, *_ = env.step(rng.uniform(-1, 1, 5))
        np.testing.assert_array_equal(obs[QPOS_OBJECTS], obs[QVEL_OBJECTS])
        np.testing.assert_array_equal(obs[QVEL_OBJECTS], physics_of(env).data.qvel[9:].astype(np.float32))
    env.close()


def test_open_slide_rewards_unmoved_objects_even_when_they_move():
    rewards = []
    for displacement in (0.0, 0.2):
        env = gymnasium.make("newt/rd-open-slide-v0")
        env.reset(seed=0)
        physics_of(env).named.data.qpos["ball"][0] += displacement
        rewards.append(env.step([0, 0, 1, 0, 0])[1])
        env.close()
    # A bonus of 0.34 x 0.1 per repeat would be lost if the rule worked.
    assert rewards[1] == pytest.approx(rewards[0], abs=0.01)


def test_fingers_take_the_opening_of_the_action():
    env = gymnasium.make("newt/rd-push-red-v0")
    for action, opening in ((-1, 0.0), (0, 0.02), (1, 0.04)):
        env.reset(seed=0)
        for _ in range(5):
            obs, *_ = env.step([0, 0, 0, 0, action])
        np.testing.assert_allclose(obs[FINGERS], opening, atol=0.005)
    env.close()


def test_end_effector_follows_the_action():
    env = gymnasium.make("newt/rd-push-red-v0")
    for axis in range(3):
        moved = []
        for sign in (1, -1):
            before, _ = env.reset(seed=1)
            for _ in range(3):
                after, *_ = env.step(sign * np.eye(5)[axis])
            moved.append((after - before)[END_EFFECTOR])
        difference = moved[0] - moved[1]
        assert np.argmax(np.abs(difference)) == axis
        assert difference[axis] > 0.05
    env.close()


@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_pressing_a_button_is_success(color):
    env = gymnasium.make(f"newt/rd-push-{color}-v0")
    obs, _ = env.reset(seed=0)
    for _ in range(40):
        button = physics_of(env).named.data.xpos[f"{color}_button"]
        offset = button - obs[END_EFFECTOR]
        above = np.linalg.norm(offset[:2]) < 0.02
        action = np.array([*offset[:2], offset[2] + (-0.05 if above else 0.12), 0, -1])
        action[:3] /= 0.05
        obs, reward, _, _, info = env.step(action)
        light = physics_of(env).named.data.qpos[f"{color}_light"][0]
        assert info["success"] == (light < -0.00453)
        if info["success"]:
            break
        # The reward's quarter for the light can come in the last repeats only.
        assert reward < 10 * 0.75 + 2.5
    assert info["success"] == 1
    others = {"red", "green", "blue"} - {color}
    assert all(physics_of(env).named.data.qpos[f"{other}_light"][0] > -0.00453 for other in others)
    env.close()


@pytest.mark.parametrize(
    ("name", "joint", "succeeds", "fails"),
    [
        ("rd-open-slide", "slide_joint", [0.59], [0.5]),
        ("rd-open-drawer", "drawer_joint", [-0.25], [-0.15]),
        ("rd-flat-block-in-bin", "flat_block", [0.4, 0.5, 0.3], [0.4, 0.5, 0.9]),
    ],
)
def test_success_by_the_objects_place(name, joint, succeeds, fails):
    env = gymnasium.make(f"newt/{name}-v0")
    for place, success in ((succeeds, 1), (fails, 0)):
        env.reset(seed=0)
        qpos = physics_of(env).named.data.qpos[joint]
        qpos[: len(place)] = place
        *_, info = env.step(np.zeros(5))
        assert info == {"success": success, "score": success}
    env.close()


def test_frames_come_from_the_published_camera():
    from dm_control import mujoco

    env = gymnasium.make("newt/rd-push-red-v0", obs_type="rgb", render_size=96)
    frame, _ = env.reset(seed=0)
    camera = mujoco.Camera(physics_of(env), height=96, width=96, camera_id=-1)
    pose = camera._render_camera
    pose.distance, pose.azimuth, pose.elevation = 1.4, 90, -60
    pose.lookat[:] = [0, 0.535, 1.1]
    np.testing.assert_array_equal(frame, camera.render())
    env.close()


def test_targets_out_of_reach_are_not_logged(caplog):
    """The solver of the inverse kinematics warns of each, through the logger that all of absl shares."""
    env = gymnasium.make("newt/rd-push-red-v0")
    env.reset(seed=0)
    heard_at_all = bare_robodesk(env.unwrapped.task)
    logger = logging.getLogger("absl")
    logger.addHandler(caplog.handler)
    action = np.array([1, 1, 1, 0, 0], np.float32)
    for _ in range(25):
        env.step(action)
    assert caplog.records == []
    for _ in range(25):
        heard_at_all.step(action)
    assert "Failed to converge" in caplog.text
    logger.removeHandler(caplog.handler)
    env.close()


def test_importing_gym_leaves_nothing_behind(run_python):
    code = """
import os, sys, warnings
import gymnasium, newt_bench
os.environ.pop("PYGAME_HIDE_SUPPORT_PROMPT", None)  # Gymnasium sets it
os.environ["SDL_AUDIODRIVER"] = "pulseaudio"
gymnasium.make("newt/rd-push-red-v0")
from gym_notices import notices
print("gym" in sys.modules)
print(os.environ["SDL_AUDIODRIVER"], os.environ.get("PYGAME_HIDE_SUPPORT_PROMPT"))
print([entry for entry in warnings.filters if "gym" in str(entry[3]) and "gymnasium" not in str(entry[3])])
print("unmaintained" in notices.notices["0.26.2"])
"""
    child = run_python(code, MUJOCO_GL=None)
    assert child.stdout.splitlines() == ["True", "pulseaudio None", "[]", "True"]
    assert child.stderr == ""


@pytest.mark.parametrize("package", ["robodesk", "gym", "PIL", "dm_control"])
def test_missing_package_names_the_extra(run_python, package):
    code = f"import sys; sys.modules['{package}'] = None\nimport gymnasium, newt_bench\n"
    child = run_python(code + "gymnasium.make('newt/rd-push-red-v0')", check=False)
    assert f"MissingExtraError: newt/rd-push-red-v0 needs the package '{package}'" in child.stderr
    assert 'pip install "newt-bench[robodesk]"' in child.stderr
