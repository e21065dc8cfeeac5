"""The fork server imports what several workers need; workers are none the worse for it."""

from __future__ import annotations

import re
import sys

import pytest

from newt_bench.envs.domains import DOMAIN_MODULES
from newt_bench.vector.preloading import modules_of_several

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")

HEADLESS = {"MUJOCO_GL": None, "NEWT_BENCH_GL": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}

# Each program is a process of its own, since a fork server lives as long as its parent.
BEGIN = """
import os, re
from pathlib import Path
import numpy as np
from newt_bench.envs.core import TaskEnv
from newt_bench.vector import make_vec

def maps(pid):
    return Path(f"/proc/{pid}/maps").read_text()

def server_of(envs):
    return int(Path(f"/proc/{envs.worker_pids[0]}/stat").read_text().rpartition(")")[2].split()[1])

def megabytes(pid, kind):
    return int(re.search(rf"{kind}: +(\\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[1]) / 1024

def has_graphics(pid):
    return any(name in maps(pid) for name in ("libEGL", "libOSMesa", "libgallium", "libvulkan"))
"""
TASKS = ["cartpole-balance", "cartpole-swingup"]  # about equally dear: one for each worker


def test_domains_of_several_workers_are_chosen(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    hosted = [["maniskill", "box2d", "box2d"], ["box2d", "maniskill", "atari"], ["atari", "dmcontrol"], []]
    assert modules_of_several(hosted) == [DOMAIN_MODULES[name] for name in ("maniskill", "box2d", "atari")]
    monkeypatch.setenv("MUJOCO_GL", "GLFW")
    assert len(modules_of_several(hosted)) == 3
    monkeypatch.setenv("MUJOCO_GL", "egl")  # MuJoCo, and ManiSkill with it, would open a display in the server
    assert modules_of_several(hosted) == [DOMAIN_MODULES[name] for name in ("box2d", "atari")]


def test_what_several_workers_import_is_there_once(run_python):
    run_python(
        BEGIN
        + f"""
envs = make_vec({TASKS}, num_workers=2)
envs.reset()
server = server_of(envs)
assert "libmujoco" in maps(server)
assert not has_graphics(server)
assert len(os.listdir(f"/proc/{{server}}/task")) == 1
for pid in envs.worker_pids:
    assert megabytes(pid, "Shared_Dirty") > 15
envs.close()
""",
        **HEADLESS,
    )


def test_what_one_worker_needs_is_imported_there_alone(run_python):
    run_python(
        BEGIN
        + """
envs = make_vec(["walker-run", "lunarlander-hover"], num_workers=2)
for share, pid in zip(envs.workers, envs.worker_pids, strict=True):
    names = {envs.tasks[slot].domain for slot in share}
    assert ("libmujoco" in maps(pid)) == ("dmcontrol" in names)
    assert ("_Box2D" in maps(pid)) == ("box2d" in names)
assert "libmujoco" not in maps(server_of(envs))
envs.close()
""",
        **HEADLESS,
    )


def test_importing_domains_starts_no_thread_and_opens_no_graphics(run_python):
    """So that processes can be forked after it."""
    run_python(
        BEGIN
        + """
import importlib
from newt_bench.envs.domains import DOMAIN_MODULES
for domain, module in DOMAIN_MODULES.items():
    importlib.import_module(module)
    assert os.listdir("/proc/self/task") == [str(os.getpid())], domain
    assert not has_graphics("self"), domain
""",
        **HEADLESS,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    )


FRAMES = f"""
TASKS = {TASKS}

def frames():
    envs = make_vec(TASKS, num_workers=2, obs_type="rgb", render_size=32)
    obs, _ = envs.reset(seed=[1, 2])
    libraries = [maps(pid) for pid in envs.worker_pids]
    server = server_of(envs)
    envs.close()
    return obs, libraries, server
"""


def test_the_back_end_can_change_after_the_server_has_started(run_python):
    """It is the parent's when workers are made, whatever the server was started with."""
    run_python(
        BEGIN
        + FRAMES
        + """
os.environ["MUJOCO_GL"] = "disabled"
make_vec(TASKS, num_workers=2).close()
found = []
for backend in ("egl", None):
    if backend is None:
        del os.environ["MUJOCO_GL"]  # newt-bench finds one
    else:
        os.environ["MUJOCO_GL"] = backend
    obs, libraries, server = frames()
    assert all("libEGL" in text or "libOSMesa" in text for text in libraries)
    assert "libmujoco" in maps(server)
    assert not has_graphics(server)
    found.append(obs)
np.testing.assert_array_equal(*found)
for row, task, seed in zip(obs, TASKS, (1, 2), strict=True):
    np.testing.assert_array_equal(row, TaskEnv(task, "rgb", render_size=32).reset(seed=seed)[0])
""",
        **HEADLESS,
    )


def test_a_back_end_that_the_user_set_is_not_opened_in_the_server(run_python):
    run_python(
        BEGIN
        + FRAMES
        + """
obs, libraries, server = frames()
assert all("libEGL" in text for text in libraries)
assert "libmujoco" not in maps(server)
assert not has_graphics(server)
""",
        **{**HEADLESS, "MUJOCO_GL": "egl"},
    )


def test_a_simulator_that_fails_to_import_is_the_workers_error(run_python, tmp_path):
    """Not the server's, which would be a broken pipe."""
    (tmp_path / "mujoco.py").write_text("raise RuntimeError('this is broken')\n")
    child = run_python(
        f"from newt_bench.vector import make_vec\nmake_vec({TASKS}, num_workers=2)",
        check=False,
        **{**HEADLESS, "PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )
    assert child.returncode == 1
    # Both workers fail; the first to say so is the one that is named.
    assert re.search(r"WorkerError: newt/cartpole-\w+-v0 in slot [01], while being built", child.stderr), child.stderr
    assert "this is broken" in child.stderr


def test_what_the_program_preloads_itself_is_kept(run_python, tmp_path):
    """And its main module is imported in workers as ever."""
    (tmp_path / "own.py").write_text("import os; os.environ['OWN'] = str(os.getpid())\n")
    script = tmp_path / "program.py"
    script.write_text(
        BEGIN
        + f"""
import multiprocessing
Path(f"{tmp_path}/main-{{os.getpid()}}").touch()

def tell(connection):
    connection.send(os.environ["OWN"])

if __name__ == "__main__":
    multiprocessing.set_forkserver_preload(["own"])
    envs = make_vec({TASKS}, num_workers=2)
    envs.reset()
    assert "libmujoco" in maps(server_of(envs))
    assert all(Path(f"{tmp_path}/main-{{pid}}").exists() for pid in envs.worker_pids)
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe()
    process = context.Process(target=tell, args=(there,))
    process.start()
    assert here.recv() == str(server_of(envs))
    process.join()
    envs.close()
"""
    )
    run_python(
        f"import subprocess, sys; subprocess.run([sys.executable, {str(script)!r}], check=True)",
        **{**HEADLESS, "PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )
