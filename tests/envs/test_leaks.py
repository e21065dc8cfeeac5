"""Making, drawing and closing environments over and over leaves nothing behind."""

from __future__ import annotations

import json
import sys

import pytest

import newt_bench
from newt_bench.envs.domains import DOMAIN_MODULES

CYCLES = """
import ctypes, gc, json, os, resource, threading
import gymnasium, newt_bench

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

# Gives back what the allocator holds in reserve, so that what remains is in use.
malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)

marks = []
for cycle in range(1, 51):
    env = gymnasium.make("TASK", render_mode="rgb_array", render_size=64)
    env.reset(seed=cycle)
    env.step(env.action_space.sample())
    env.render()
    env.close()
    del env
    gc.collect()
    malloc_trim(0)
    marks.append([len(os.listdir("/proc/self/fd")), threading.active_count(), resident()])
print(json.dumps(marks))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
@pytest.mark.parametrize("domain", DOMAIN_MODULES)
def test_fifty_cycles(run_python, domain):
    task = next(t for t in newt_bench.tasks(domain=domain, split="lite"))
    # One allocator arena and a software renderer without threads: memory then moves for its users' reasons only.
    steady = {"MALLOC_ARENA_MAX": "1", "LP_NUM_THREADS": "0"}
    marks = json.loads(run_python(CYCLES.replace("TASK", task.id), timeout=600, **steady).stdout)
    (files, threads, memory), (files_later, threads_later, memory_later) = marks[9], marks[49]
    assert files_later == files
    assert threads_later == threads
    assert memory_later < 1.05 * memory, f"{memory >> 20} MiB after 10 cycles, {memory_later >> 20} after 50"
