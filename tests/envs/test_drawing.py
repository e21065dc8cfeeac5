"""Environments that draw in one process do not draw into each other's contexts, nor complain at its end."""

from __future__ import annotations

import gc
import itertools

import gymnasium
import numpy as np
import pytest

NAMES = ("walker-run", "mw-reach", "rd-open-drawer", "mw-door-open")

# No environment is closed: the interpreter's exit has to free them, in whatever order they were made.
UNCLOSED = """
import gymnasium, newt_bench
envs = [gymnasium.make(f"newt/{name}-v0", obs_type="rgb", render_size=32) for name in NAMES]
for _ in range(2):
    for env in envs:
        env.reset(seed=0)
"""


def make(name: str):
    return gymnasium.make(f"newt/{name}-v0", obs_type="rgb", render_size=64)


@pytest.fixture(scope="module")
def alone() -> dict[str, np.ndarray]:
    """First frame of each, drawn with no other environment open."""
    frames = {}
    for name in NAMES:
        env = make(name)
        frames[name], _ = env.reset(seed=2)
        env.close()
    return frames


def test_drawing_in_turn(alone):
    envs = {name: make(name) for name in NAMES}
    for first, second in itertools.permutations(NAMES, 2):
        for name in (first, second, first):
            np.testing.assert_array_equal(envs[name].reset(seed=2)[0], alone[name])
    for env in envs.values():
        env.close()


@pytest.mark.parametrize("other", ["walker-run", "mw-reach"])
def test_drawing_after_another_is_closed_or_forgotten(alone, other):
    for name in ("walker-run", "mw-reach", "mw-door-open"):
        env = make(name)
        env.reset(seed=2)
        for forget in (False, True):
            temporary = make(other)
            temporary.reset(seed=2)
            env.reset(seed=2)  # so that its own context is the current one
            if not forget:
                temporary.close()
            del temporary
            gc.collect()
            np.testing.assert_array_equal(env.reset(seed=2)[0], alone[name])
        env.close()


def test_renderer_is_known_whatever_drew_last():
    envs = {name: make(name) for name in NAMES}
    for env in envs.values():
        env.reset(seed=2)
    names = {env.unwrapped.renderer for env in envs.values()}
    assert len(names) == 1
    envs["mw-reach"].close()
    assert {envs[name].unwrapped.renderer for name in NAMES if name != "mw-reach"} == names
    for env in envs.values():
        env.close()


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], ("mw-reach",)])
def test_exit_without_closing_is_silent(run_python, names):
    child = run_python(f"NAMES = {names}\n" + UNCLOSED, MUJOCO_GL=None)
    assert (child.stdout, child.stderr) == ("", "")


@pytest.mark.parametrize("name", ["mw-reach", "rd-push-red"])
def test_frames_without_a_graphics_library_name_the_remedy(run_python, name):
    code = f"import sys; sys.modules['OpenGL'] = None\nNAMES = ['{name}']\n" + UNCLOSED
    child = run_python(code, check=False, MUJOCO_GL="egl")
    assert "RenderingError: The OpenGL back end 'egl'" in child.stderr
    assert "Exception ignored" not in child.stderr


@pytest.mark.parametrize("name", ["mw-reach", "rd-push-red"])
def test_states_need_no_graphics_library(run_python, name):
    code = f"""
import sys; sys.modules['OpenGL'] = None
import gymnasium, newt_bench
env = gymnasium.make("newt/{name}-v0")
env.reset(seed=0)
env.step(env.action_space.sample())
"""
    for backend in (None, "egl", "osmesa"):
        run_python(code, MUJOCO_GL=backend, NEWT_BENCH_GL=None)


@pytest.mark.parametrize("name", ["mw-reach", "rd-push-red"])
def test_own_variable_wins_and_mujocos_is_not_overwritten(run_python, name):
    code = f"NAMES = ['{name}']\n" + UNCLOSED + "import os; print(envs[0].unwrapped.renderer, os.environ['MUJOCO_GL'])"
    child = run_python(code, NEWT_BENCH_GL="egl", MUJOCO_GL="disabled")
    assert child.stdout.startswith("egl: ")
    assert child.stdout.endswith(" disabled\n")
