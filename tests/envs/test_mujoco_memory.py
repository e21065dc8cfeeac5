"""What MuJoCo holds in vain is given back, and nobody can tell."""

from __future__ import annotations

import sys

import mujoco
import numpy as np
import pytest

from newt_bench.envs import mujoco_memory
from newt_bench.envs.core import TaskEnv
from newt_bench.envs.mujoco_memory import put_textures_away, textures_in_place

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is given back on Linux only")

MODEL = """
<mujoco>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1="{color}" rgb2=".1 .2 .3" width="300" height="300"/>
    <texture name="grid" type="2d" builtin="checker" rgb1=".1 .2 .3" rgb2=".9 .8 .7" width="900" height="900"/>
    <material name="grid" texture="grid"/>
  </asset>
  <worldbody>
    <geom type="plane" size="1 1 1" material="grid"/>
    <body pos="0 0 1"><freejoint/><geom size=".1"/></body>
  </worldbody>
</mujoco>
"""


def model(color="1 .5 .2"):
    return mujoco.MjModel.from_xml_string(MODEL.format(color=color))


def test_textures_are_away_but_for_blocks_that_upload_them():
    one, other, same = model(), model("0 0 1"), model()
    expected = {each: each.tex_data.copy() for each in (one, other, same)}
    page = 4096
    for each in expected:
        put_textures_away(each)
    for each in (*expected, *expected):
        assert not each.tex_data[page:-page].any()
        put_textures_away(each)  # once more: no harm
        with textures_in_place(each):
            np.testing.assert_array_equal(each.tex_data, expected[each])
    assert (expected[one] != expected[other]).any()


def test_equal_textures_are_kept_once(monkeypatch):
    monkeypatch.setattr(mujoco_memory, "_compressed", {})
    for each in (models := [model(), model(), model("0 0 1")]):
        put_textures_away(each)
    assert len(mujoco_memory._compressed) == 3  # two skies and the floor
    assert len(models) == 3


def test_small_textures_stay():
    small = mujoco.MjModel.from_xml_string(MODEL.format(color="1 0 0").replace("300", "30").replace("900", "90"))
    expected = small.tex_data.copy()
    put_textures_away(small)
    np.testing.assert_array_equal(small.tex_data, expected)
    with textures_in_place(small):
        np.testing.assert_array_equal(small.tex_data, expected)


@pytest.mark.parametrize("task", ["walker-run", "mw-reach", "rd-push-red"])
def test_episodes_and_frames_are_those_of_models_that_keep_their_textures(monkeypatch, task):
    def episode():
        env = TaskEnv(task, "state_rgb", render_size=64)
        obs, _ = env.reset(seed=3)
        later = [env.step(np.full(env.action_space.shape, 0.5))[0] for _ in range(2)]
        env.close()
        return [obs, *later]

    without = episode()
    assert len(np.unique(without[0]["rgb"].reshape(-1, 3), axis=0)) > 100
    monkeypatch.setattr(mujoco_memory, "_SMALLEST", 2**40)
    for mine, stock in zip(without, episode(), strict=True):
        np.testing.assert_array_equal(mine["state"], stock["state"])
        np.testing.assert_array_equal(mine["rgb"], stock["rgb"])


def test_what_the_compiler_leaves_is_freed_and_not_missed(run_python):
    code = """
import ctypes, gc, re, sys
from pathlib import Path
import numpy as np
from newt_bench.envs.core import TaskEnv
from newt_bench.envs.mujoco_memory import free_compiler_leftovers

def megabytes():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(re.search(r"Anonymous: +(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1]) / 1024

free_compiler_leftovers()
assert "mujoco" not in sys.modules
first = TaskEnv("mw-reach")
before = megabytes()
free_compiler_leftovers()
assert megabytes() < before - 40
second = TaskEnv("mw-reach")
np.testing.assert_array_equal(first.reset(seed=1)[0], second.reset(seed=1)[0])
"""
    run_python(code)


def test_a_model_of_the_suite_is_small_until_it_is_drawn(run_python):
    code = """
import re
from pathlib import Path
from newt_bench.envs.core import TaskEnv

def megabytes():
    return int(re.search(r"Anonymous: +(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1]) / 1024

envs = [TaskEnv("walker-run")]
before = megabytes()
envs += [TaskEnv("walker-run") for _ in range(10)]
assert megabytes() < before + 30  # with the sky 120
"""
    run_python(code)
