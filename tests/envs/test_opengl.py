"""Graphics are chosen late, only if the user chose nothing, and not at all for states."""

from __future__ import annotations

import sys

import pytest

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
HEADLESS = {"MUJOCO_GL": None, "NEWT_BENCH_GL": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}

STATES = """
import gymnasium, numpy as np, newt_bench
for task in newt_bench.tasks(domain="dmcontrol"):
    env = gymnasium.make(task.id)
    env.reset(seed=0)
    env.step(np.zeros(task.action_dim))
    env.close()
"""
FRAME = """
import os, gymnasium, newt_bench
env = gymnasium.make("newt/TASK-v0", render_mode="rgb_array")
env.reset(seed=0)
env.render()
print(env.unwrapped.renderer)
print(os.environ.get("MUJOCO_GL"))
"""

# One task that dm_control draws, and one that `OffscreenCamera` draws.
frame_of_each_drawer = pytest.mark.parametrize(
    "frame", [FRAME.replace("TASK", task) for task in ("cartpole-balance", "og-point-arena")]
)
FRAME = FRAME.replace("TASK", "cartpole-balance")


@linux_only
@pytest.mark.parametrize("backend", [None, "glfw"])  # MuJoCo itself loads the others when a user sets them
def test_states_load_no_graphics_library(run_python, backend):
    code = STATES + (
        "maps = open('/proc/self/maps').read()\n"
        "print([lib for lib in ('libEGL', 'libGL', 'libOpenGL', 'libOSMesa', 'libgallium') if lib in maps])"
    )
    assert run_python(code, **{**HEADLESS, "MUJOCO_GL": backend}).stdout.strip() == "[]"


def test_states_need_no_graphics_library(run_python):
    """With PyOpenGL gone, as where its libraries cannot be loaded, all states still work."""
    for backend in (None, "egl", "osmesa"):
        run_python("import sys; sys.modules['OpenGL'] = None\n" + STATES, **{**HEADLESS, "MUJOCO_GL": backend})


@frame_of_each_drawer
def test_frames_without_a_graphics_library_name_the_remedy(run_python, frame):
    code = "import sys; sys.modules['OpenGL'] = None\n" + frame
    child = run_python(code, check=False, **{**HEADLESS, "MUJOCO_GL": "egl"})
    assert child.returncode != 0
    assert "RenderingError: The OpenGL back end 'egl'" in child.stderr
    assert "Unset the variable" in child.stderr
    assert "Exception ignored" not in child.stderr


@linux_only
@frame_of_each_drawer
def test_a_back_end_that_needs_a_display_says_so_where_there_is_none(run_python, frame):
    child = run_python(frame, check=False, **{**HEADLESS, "MUJOCO_GL": "glfw"})
    assert "RenderingError: The OpenGL back end 'glfw'" in child.stderr
    assert "needs a display" in child.stderr


@linux_only
def test_headless_linux_gets_a_back_end_that_works(run_python):
    renderer, variable = run_python(FRAME, **HEADLESS).stdout.splitlines()
    assert variable in ("egl", "osmesa")
    assert renderer.startswith(f"{variable}: ")


@linux_only
def test_users_choice_is_kept(run_python):
    renderer, variable = run_python(FRAME, **{**HEADLESS, "MUJOCO_GL": "egl"}).stdout.splitlines()
    assert variable == "egl"
    assert renderer.startswith("egl: ")


@linux_only
@frame_of_each_drawer
def test_own_variable_wins_and_mujocos_is_not_overwritten(run_python, frame):
    renderer, variable = run_python(
        frame, **{**HEADLESS, "NEWT_BENCH_GL": "egl", "MUJOCO_GL": "disabled"}
    ).stdout.splitlines()
    assert renderer.startswith("egl: ")
    assert variable == "disabled"


@linux_only
def test_nothing_works_names_the_packages(run_python):
    """Both candidates fail in their probe when the interpreter cannot import MuJoCo there."""
    code = """
import sys
from newt_bench.envs import opengl
opengl._PROBE = "raise SystemExit(1)"
opengl.choose_backend()
"""
    child = run_python(code, check=False, **HEADLESS)
    assert "RenderingError: No OpenGL back end works" in child.stderr
    assert "apt-get install libegl1" in child.stderr


def test_display_means_glfw(run_python):
    code = "from newt_bench.envs.opengl import choose_backend; print(choose_backend())"
    assert run_python(code, **{**HEADLESS, "DISPLAY": ":0"}).stdout.strip() == "glfw"


@linux_only
def test_dm_control_imported_first_by_the_user_is_left_alone(run_python):
    code = "from dm_control import suite\n" + FRAME
    assert run_python(code, **{**HEADLESS, "MUJOCO_GL": "egl"}).stdout.startswith("egl: ")


@linux_only
def test_dm_control_used_directly_after_states_still_renders(run_python):
    code = STATES + (
        "from dm_control import suite\n"
        "env = suite.load('cartpole', 'balance'); env.reset()\n"
        "print(env.physics.render(32, 32).shape)"
    )
    assert run_python(code, **HEADLESS).stdout.strip() == "(32, 32, 3)"
