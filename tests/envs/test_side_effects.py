"""Environments are silent, leave the process as they found it, and end quietly; one task per domain."""

from __future__ import annotations

import pytest

from newt_bench.envs.domains import DOMAIN_MODULES
from tests.conftest import EVERY_TASK

FIRST_TASKS = {task.domain: task for task in reversed(EVERY_TASK) if not task.assets}
one_task_per_domain = pytest.mark.parametrize("task", FIRST_TASKS.values(), ids=lambda task: task.name)


def test_every_domain_has_a_task_here():
    assert set(FIRST_TASKS) == set(DOMAIN_MODULES)


@one_task_per_domain
@pytest.mark.parametrize("ending", ["env.close()", ""], ids=["closed", "left open at exit"])
def test_nothing_is_printed(run_python, task, ending):
    code = f"""
import warnings
warnings.simplefilter("default")
import gymnasium, newt_bench
env = gymnasium.make("{task.id}", render_mode="rgb_array", render_size=64)
env.reset(seed=0)
for k in range({task.max_episode_steps}):
    env.step(env.action_space.high if k % 60 < 30 else env.action_space.low)
    if k % 100 == 0:
        env.render()
env.unwrapped.renderer
{ending}
"""
    child = run_python(code, MUJOCO_GL=None)
    assert (child.stdout, child.stderr) == ("", "")


@one_task_per_domain
def test_warnings_filters_and_environment_variables_are_left_alone(run_python, task):
    code = f"""
import os, warnings
import gymnasium, newt_bench
before = list(warnings.filters), dict(os.environ)
env = gymnasium.make("{task.id}", render_mode="rgb_array", render_size=64)
env.reset(seed=0)
env.step(env.action_space.low)
env.render()
env.close()
added = [f for f in warnings.filters if f not in before[0]]
# SciPy adds filters for a message and a category of its own; nothing may add one for a common category.
assert [f for f in added if f[1] is None and f[2].__module__ == "builtins"] == [], added
keys = {{*os.environ, *before[1]}}
changed = {{key for key in keys if os.environ.get(key) != before[1].get(key)}}
print(sorted(changed - {{"MUJOCO_GL", "PYOPENGL_PLATFORM"}}))  # PyOpenGL reads the second for the first
"""
    assert run_python(code, MUJOCO_GL=None).stdout.strip() == "[]"
