"""Playing prints nothing, and closing frees what was opened; one task per domain, in a fresh process."""

from __future__ import annotations

import json
import sys

import pytest

from newt_bench.envs.domains import DOMAIN_MODULES
from tests.conftest import PLAYABLE

FIRST_TASKS = {task.domain: task for task in reversed(PLAYABLE)}
one_task_per_domain = pytest.mark.parametrize("task", FIRST_TASKS.values(), ids=lambda task: task.name)

CYCLES = """
import json, os, threading
import gymnasium, newt_bench

def play(seed):
    env = gymnasium.make("{id}", render_mode="rgb_array", render_size=64)
    env.action_space.seed(seed)
    env.reset(seed=seed)
    for _ in range(3):
        env.step(env.action_space.sample())
    env.render()
    env.close()

def measure():
    with open("/proc/self/statm") as file:
        megabytes = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), megabytes

before = None
for seed in range({warm_up} + {cycles}):
    if seed == {warm_up}:
        before = measure()
    play(seed)
print(json.dumps([before, measure()]))
"""


def test_every_domain_has_a_task_here():
    assert set(FIRST_TASKS) == set(DOMAIN_MODULES)


@one_task_per_domain
def test_nothing_is_printed(run_python, task):
    code = f"""
import warnings
warnings.simplefilter("default")
import gymnasium, newt_bench
env = gymnasium.make("{task.id}", obs_type="state_rgb", render_mode="rgb_array", render_size=64)
env.reset(seed=0)
for k in range({task.max_episode_steps}):
    env.step(env.action_space.high if k % 60 < 30 else env.action_space.low)
    if k > 5:
        env.unwrapped._obs_type = "state"  # frames of the first steps are enough
env.render()
env.close()
"""
    child = run_python(code)
    assert (child.stdout, child.stderr) == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
@one_task_per_domain
def test_closing_frees_what_was_opened(run_python, task):
    code = CYCLES.replace("{id}", task.id).replace("{warm_up}", "10").replace("{cycles}", "30")
    before, after = json.loads(run_python(code).stdout)
    assert after[:2] == before[:2]  # files, threads
    assert after[2] - before[2] < 60  # megabytes; a model or a context kept per cycle would be several times that
