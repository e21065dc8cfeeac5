"""The mujoco domain against Gymnasium's environments, stepped as their users would."""

from __future__ import annotations

import gc
import sys

import gymnasium
import numpy as np
import pytest
from PIL import Image

import newt_bench
from newt_bench.envs import opengl

# Gymnasium warns that version 4 is not its newest. newt-bench does not, as other tests show.
pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")

TASKS = newt_bench.tasks(domain="mujoco")
STAYS_WHEN_UNHEALTHY = ("Ant-v4", "Hopper-v4", "Walker2d-v4")
TRACKED = {"mujoco-ant", "mujoco-halfcheetah", "mujoco-hopper", "mujoco-walker"}


def bare_gymnasium(task, **arguments):
    if task.simulator_id in STAYS_WHEN_UNHEALTHY:
        arguments["terminate_when_unhealthy"] = False
    return gymnasium.make(task.simulator_id, **arguments).unwrapped


def expected_reward(task, bare, reward: float, ever_terminated: bool) -> float:
    if task.simulator_id in ("Hopper-v4", "Walker2d-v4"):
        return max(0.0, reward) if bare.is_healthy else -1.0
    if task.simulator_id == "InvertedPendulum-v4":
        return 0.0 if ever_terminated else 1.0
    return reward


@pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
def test_equals_bare_gymnasium(task):
    """Whole episodes, long past the falls."""
    ours, bare = gymnasium.make(task.id), bare_gymnasium(task)
    obs, _ = ours.reset(seed=3)
    np.testing.assert_array_equal(obs, bare.reset(seed=3)[0].astype(np.float32))
    rng = np.random.default_rng(0)
    ever_terminated = False
    for _ in range(min(task.max_episode_steps, 200)):
        action = rng.uniform(-1, 1, task.action_dim).astype(np.float32)
        obs, reward, terminated, *_ = ours.step(action)
        total = 0.0
        for _ in range(task.action_repeat):
            expected, r, now_terminated, _, _ = bare.step(action * bare.action_space.high)
            ever_terminated = ever_terminated or now_terminated
            total += expected_reward(task, bare, r, ever_terminated)
        np.testing.assert_array_equal(obs, expected.astype(np.float32))
        assert reward == total
        assert not terminated
    ours.close()
    bare.close()


@pytest.mark.parametrize("name", ["mujoco-hopper", "mujoco-walker"])
def test_a_fallen_robot_pays_until_the_end(name):
    env = gymnasium.make(f"newt/{name}-v0")
    env.reset(seed=0)
    rewards = [env.step(np.full(env.action_space.shape, -1.0))[1] for _ in range(500)]
    assert rewards[-1] == -2.0
    assert rewards[0] > 0


def test_an_ant_on_its_back_gets_no_bonus():
    env = gymnasium.make("newt/mujoco-ant-v0")
    env.reset(seed=0)
    simulator = env.unwrapped._simulation._environment

    def reward_at_height(height: float) -> float:
        position = simulator.init_qpos.copy()
        position[2] = height
        simulator.set_state(position, np.zeros(simulator.model.nv))
        return env.step(np.zeros(8))[1]

    assert reward_at_height(0.75) == pytest.approx(2, abs=0.1)
    assert reward_at_height(3.0) == pytest.approx(0, abs=0.1)


def test_a_pendulum_that_fell_once_is_paid_no_more():
    env = gymnasium.make("newt/mujoco-inverted-pendulum-v0")
    simulator = env.unwrapped._simulation._environment

    def reward_at_angle(angle: float) -> float:
        simulator.set_state(np.array([0.0, angle]), np.zeros(2))
        return env.step([0.0])[1]

    env.reset(seed=0)
    assert reward_at_angle(0.0) == 2.0
    assert reward_at_angle(0.5) == 0.0
    assert reward_at_angle(0.0) == 0.0
    env.reset(seed=0)
    assert reward_at_angle(0.0) == 2.0


def test_actions_span_the_native_range():
    env = gymnasium.make("newt/mujoco-inverted-pendulum-v0")
    env.reset(seed=0)
    env.step([-1.0])
    assert env.unwrapped._simulation._environment.data.ctrl[0] == -3.0


@pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
def test_frames_are_gymnasiums_own_from_the_tracking_camera(task):
    bare = bare_gymnasium(task, render_mode="rgb_array", camera_name="track")
    bare.reset(seed=3)
    ours = gymnasium.make(task.id, render_mode="rgb_array", render_size=480)
    small = gymnasium.make(task.id, render_mode="rgb_array")
    for env in (ours, small):
        env.reset(seed=3)
    for _ in range(10):
        action = np.full(task.action_dim, 0.4, np.float32)
        ours.step(action)
        small.step(action)
        for _ in range(task.action_repeat):
            bare.step(action * bare.action_space.high)
    with opengl.loading_backend(), opengl.foreign_contexts():  # the bare environment would try one after the other
        bare.render()
        if task.name not in TRACKED:  # Gymnasium looks at wherever the model stood at the first frame
            bare.mujoco_renderer.viewer.cam.lookat[:] = ours.unwrapped._simulation._camera._camera.lookat
        stock = bare.render()
    frame, small_frame = ours.render(), small.render()
    np.testing.assert_array_equal(frame, stock)
    shrunk = np.asarray(Image.fromarray(stock).resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(small_frame - shrunk).max() <= 1
    camera = ours.unwrapped._simulation._camera._camera
    if task.name in TRACKED:
        assert camera.fixedcamid >= 0
    else:
        assert camera.fixedcamid == -1
        assert (camera.azimuth, camera.elevation) == (90.0, -45.0)
        assert camera.distance == pytest.approx(2.04 if "pendulum" in task.name else 1.24, abs=0.01)
    for env in (ours, small, bare):
        env.close()


def test_the_camera_follows_the_robot():
    env = gymnasium.make("newt/mujoco-halfcheetah-v0", render_mode="rgb_array", render_size=96)
    env.reset(seed=0)
    simulator = env.unwrapped._simulation._environment
    position = simulator.init_qpos.copy()
    position[0] = 20.0
    simulator.set_state(position, simulator.init_qvel)
    frame = env.render().astype(int)
    robot = (frame[..., 0] - frame[..., 2] > 40).any(axis=0)  # the one thing that is brown
    assert robot.sum() > 30
    assert 38 < np.flatnonzero(robot).mean() < 58
    env.close()


def test_frames_larger_than_the_usual_are_drawn_large():
    env = gymnasium.make("newt/mujoco-reacher-v0", render_mode="rgb_array", render_size=600)
    env.reset(seed=0)
    large = env.render()
    assert large.shape == (600, 600, 3)
    usual = gymnasium.make("newt/mujoco-reacher-v0", render_mode="rgb_array", render_size=480)
    usual.reset(seed=0)
    enlarged = np.asarray(Image.fromarray(usual.render()).resize((600, 600), Image.Resampling.BILINEAR)).astype(int)
    assert 0 < np.abs(large - enlarged).mean() < 3
    env.close()
    usual.close()


NAMES = ("mujoco-ant", "cartpole-balance", "mujoco-reacher", "walker-run", "mujoco-walker")


def made(name: str):
    env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array", render_size=64)
    env.reset(seed=2)
    return env


@pytest.fixture
def alone() -> dict[str, np.ndarray]:
    frames = {}
    for name in NAMES:
        env = made(name)
        frames[name] = env.render()
        env.close()
    return frames


def test_environments_rendered_in_turn_draw_what_each_draws_alone(alone):
    """Among them dm_control's, which keep OpenGL contexts of their own kind."""
    together = {name: made(name) for name in NAMES}
    for _ in range(2):
        for name, env in together.items():
            env.step(np.zeros(env.action_space.shape))
            env.render()
            env.reset(seed=2)
            np.testing.assert_array_equal(env.render(), alone[name], err_msg=name)
            assert ": " in env.unwrapped.renderer
    for env in together.values():
        env.close()


def test_closing_one_environment_leaves_the_others_pictures_intact(alone):
    together = {name: made(name) for name in NAMES}
    for env in together.values():
        env.render()
    for name in NAMES[:-1]:
        together.pop(name).close()
        for other, env in together.items():
            env.reset(seed=2)
            np.testing.assert_array_equal(env.render(), alone[other], err_msg=f"{other} after closing {name}")
    together[NAMES[-1]].close()


def test_an_environment_dropped_without_closing_harms_no_other(alone):
    kept, dropped = made("mujoco-ant"), made("mujoco-walker")
    kept.render()
    dropped.render()
    del dropped
    gc.collect()
    kept.reset(seed=2)
    np.testing.assert_array_equal(kept.render(), alone["mujoco-ant"])
    kept.close()


FRAME = """
import gymnasium, newt_bench
env = gymnasium.make("newt/mujoco-reacher-v0", render_mode="rgb_array")
env.reset(seed=0)
env.step([0.0, 0.0])
print("stepped")
env.render()
print(env.unwrapped.renderer)
"""


def test_states_need_no_graphics_library(run_python):
    for backend in (None, "egl", "osmesa"):
        child = run_python("import sys; sys.modules['OpenGL'] = None\n" + FRAME, check=False, MUJOCO_GL=backend)
        assert child.stdout == "stepped\n"


def test_a_broken_back_end_names_the_remedy(run_python):
    code = "import sys; sys.modules['OpenGL'] = None\n" + FRAME
    child = run_python(code, check=False, MUJOCO_GL="egl")
    assert "RenderingError: The OpenGL back end 'egl'" in child.stderr
    assert "Unset the variable" in child.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="EGL is Linux's")
def test_newt_benchs_own_variable_wins(run_python):
    child = run_python(FRAME, NEWT_BENCH_GL="egl", MUJOCO_GL="disabled")
    assert child.stdout.splitlines()[-1].startswith("egl: ")


@pytest.mark.parametrize("package", ["mujoco", "imageio"])
def test_missing_packages_name_the_extra(run_python, package):
    child = run_python(f"import sys; sys.modules['{package}'] = None\n{FRAME}", check=False)
    assert f"newt/mujoco-reacher-v0 needs the package '{package}'" in child.stderr
    assert 'pip install "newt-bench[mujoco]"' in child.stderr
