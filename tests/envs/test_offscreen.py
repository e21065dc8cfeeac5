"""Frames of simulators without a renderer of their own: neighbours, back ends, freeing."""

from __future__ import annotations

import os
import sys
import threading

import gymnasium
import pytest

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
HEADLESS = {"MUJOCO_GL": None, "NEWT_BENCH_GL": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}
FRAME = """
import os, gymnasium, newt_bench
env = gymnasium.make("newt/og-point-circle-v0", render_mode="rgb_array")
env.reset(seed=0)
print(env.unwrapped.renderer)
env.render()
print(env.unwrapped.renderer)
"""


NEIGHBOURS = """
import gc, itertools, gymnasium, newt_bench, numpy as np

def redraw(env):
    env.reset(seed=3)
    env.render()  # something else in between
    env.reset(seed=2)
    return env.render()

def make(name):
    return gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array", render_size=32)

names = ("cheetah-run", "og-ant-maze", "og-ant", "cup-catch")
alone = {}
for name in names:
    env = make(name)
    alone[name] = redraw(env)
    env.close()
envs = {name: make(name) for name in names}
for order in itertools.permutations(names, 2):
    for name in (*order, order[0]):  # back to the first, which may believe that its context is still current
        np.testing.assert_array_equal(redraw(envs[name]), alone[name])
for name, closed in itertools.product(names, ("og-ant-maze", "og-ant")):
    for forget in (False, True):
        env = make(closed)
        env.reset(seed=0)
        env.render()
        redraw(envs[name])
        if not forget:
            env.close()
        del env
        gc.collect()
        np.testing.assert_array_equal(redraw(envs[name]), alone[name])
"""


@pytest.mark.parametrize("same_thread", ["1", None])
def test_neighbours_draw_what_each_draws_alone(run_python, same_thread):
    """dm_control keeps its own account of the current context, and must not draw into another's.

    It draws in a thread of its own with some back ends, and in the caller's with others.
    """
    run_python(NEIGHBOURS, DISABLE_RENDER_THREAD_OFFLOADING=same_thread)


@pytest.mark.parametrize("neighbour", ["og-ant", "walker-run"])
def test_environments_that_are_not_closed_end_quietly(run_python, neighbour):
    code = f"""
import gymnasium, newt_bench
for name in ("{neighbour}", "og-point-circle"):
    env = gymnasium.make(f"newt/{{name}}-v0", obs_type="rgb")
    env.reset(seed=0)
    globals()[name] = env
"""
    assert run_python(code).stderr == ""


@linux_only
def test_cycles_do_not_leak():
    def cycle():
        for name in ("og-point-arena", "og-ant", "og-antball"):
            env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array")
            env.reset(seed=0)
            env.render()
            env.step(env.action_space.low)
            env.close()

    def used():
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    cycle()  # loads libraries
    before = used()
    for _ in range(10):
        cycle()
    assert used() == before


@linux_only
def test_back_end_is_chosen_at_the_first_frame(run_python):
    before, after = run_python(FRAME, **HEADLESS).stdout.splitlines()
    assert before == "None"
    assert after.startswith(("egl: ", "osmesa: "))


def test_a_back_end_that_cannot_draw_names_the_remedy(run_python):
    child = run_python(FRAME, check=False, **{**HEADLESS, "MUJOCO_GL": "disabled"})
    assert "RenderingError: 'disabled' (from MUJOCO_GL or NEWT_BENCH_GL) is no OpenGL back end" in child.stderr
    assert "Unset the variable" in child.stderr
