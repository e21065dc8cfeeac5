"""Environments that raise, workers that are killed or hang, parents that end: real signals, real processes."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from newt_bench.envs.core import TaskEnv
from newt_bench.errors import WorkerError
from newt_bench.vector import episode_seed, make_vec
from newt_bench.vector.worker import STEP

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals that Windows lacks")

TASKS = ["mujoco-reacher", "lunarlander-hover"]


@pytest.fixture(params=["forkserver", "spawn"])
def method(request):
    return request.param


def made(**arguments):
    envs = make_vec(TASKS, num_workers=2, timeout=2, **arguments)
    envs.reset()
    return envs


def worker_of(envs, slot):
    """Process id of the worker that hosts the slot."""
    return next(pid for share, pid in zip(envs.workers, envs.worker_pids, strict=True) if slot in share)


def gone(pid, seconds=10.0):
    """Whether a process ends in time; one that is dead and not yet collected by init counts."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def raise_in(envs, slot):
    """Has the slot's environment raise: the parent refuses actions that hold NaN, so it is written past it."""
    envs._buffers.action[slot, 0] = np.nan
    envs._pool.submit(STEP, np.array([slot]))


def shared_files():
    return set(os.listdir("/dev/shm"))


def mapped_files():
    """Names of the files in shared memory that a running process has mapped."""
    found = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            lines = maps.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        found.update(line.rpartition("/dev/shm/")[2] for line in lines if "/dev/shm/" in line)
    return found


@pytest.mark.parametrize("slot", [0, 1])
def test_a_killed_worker_is_one_error_that_names_task_and_slot(method, slot):
    envs = made(context=method)
    pids = envs.worker_pids
    os.kill(worker_of(envs, slot), signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(WorkerError, match=rf"newt/{TASKS[slot]}-v0 in slot {slot}: .* was killed by SIGKILL") as caught:
        envs.step(envs.action_space.sample())
    assert time.monotonic() - start < 3
    assert (caught.value.task, caught.value.slot) == (f"newt/{TASKS[slot]}-v0", slot)
    assert all(gone(pid) for pid in pids)
    for call in (lambda: envs.step(envs.action_space.sample()), envs.reset):
        with pytest.raises(WorkerError, match="ended by an earlier fault"):
            call()
    envs.close()


def test_a_worker_that_is_killed_in_the_middle_of_a_step_names_what_it_was_playing():
    """The step of a desk takes 10 ms: it is under way when the signal comes."""
    envs = make_vec(["pygame-pong", "rd-push-red", "pygame-cowboy"], num_workers=1)
    envs.reset()
    envs.send(envs.action_space.sample())
    while envs._buffers.current[0] != 1:
        pass
    os.kill(envs.worker_pids[0], signal.SIGKILL)
    with pytest.raises(WorkerError, match="newt/rd-push-red-v0 in slot 1"):
        envs.recv(3)
    envs.close()


def test_an_environment_that_raises_shows_its_traceback(method):
    envs = made(context=method)
    raise_in(envs, 1)
    with pytest.raises(
        WorkerError, match=r"(?s)lunarlander-hover-v0 in slot 1: .*Traceback.*core.py.*holds NaN"
    ) as caught:
        envs.recv()
    assert caught.value.slot == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    envs.close()


def test_a_worker_that_hangs_is_noticed_in_time(method):
    envs = made(context=method)
    pids = envs.worker_pids
    os.kill(worker_of(envs, 0), signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(WorkerError, match=r"mujoco-reacher-v0 in slot 0: .* made no progress for 2 s"):
        envs.step(envs.action_space.sample())
    assert time.monotonic() - start < 6
    assert all(gone(pid) for pid in pids)
    envs.close()


def test_a_worker_that_hangs_while_closing_is_killed():
    envs = made()
    pids = envs.worker_pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    envs.close()
    assert time.monotonic() - start < 5
    assert all(gone(pid) for pid in pids)


def test_a_worker_that_hangs_while_starting_is_noticed():
    with pytest.raises(WorkerError, match=r"in slot 0, while being built: .* made no progress for 0.01 s"):
        make_vec("ms-reach", start_timeout=0.01)


def fault_by_signal(number):
    return lambda envs, slot: os.kill(worker_of(envs, slot), number)


@pytest.mark.parametrize("fault", [fault_by_signal(signal.SIGKILL), fault_by_signal(signal.SIGSTOP)])
def test_restart_truncates_the_lost_episodes_and_goes_on(fault):
    """The slot of the other worker notices nothing."""
    envs, calm = made(restart=True, seed=6), made(seed=6)
    before, score = np.empty(0), np.empty(0)
    rng = np.random.default_rng(0)
    for step in range(120):
        actions = rng.uniform(-1, 1, envs.action_space.shape).astype(np.float32)
        if step == 20:
            fault(envs, 0)
            with pytest.warns(RuntimeWarning, match="restarting a worker: newt/mujoco-reacher-v0 in slot 0"):
                obs, reward, _, truncated, info = envs.step(actions)
            assert info["restarted"].tolist() == info["_final_obs"].tolist() == truncated.tolist() == [True, False]
            assert reward[0] == 0
            np.testing.assert_array_equal(info["final_obs"][0], before[0])
            assert info["final_info"]["score"][0] == score[0]
            env = TaskEnv("mujoco-reacher")
            start, _ = env.reset(seed=episode_seed(6, "mujoco-reacher", 0, 1))
            np.testing.assert_array_equal(obs[0, : len(start)], start)
        else:
            obs, reward, _, truncated, info = envs.step(actions)
            assert "restarted" not in info
        expected = calm.step(actions)
        np.testing.assert_array_equal(obs[1], expected[0][1])
        assert reward[1] == expected[1][1]
        assert truncated[0] == ((step - 20) % 50 == 0 if step >= 20 else False)
        before, score = obs, info["score"]
    envs.close()
    calm.close()


@pytest.mark.parametrize(
    ("start", "following"), [({"seed": [8, 9]}, 1), ({"seed": 3, "options": {"episode": [7, 0]}}, 8)]
)
def test_restart_goes_on_from_where_a_reset_began(start, following):
    envs = made(restart=True, seed=3)
    envs.reset(**start)
    os.kill(worker_of(envs, 0), signal.SIGKILL)
    with pytest.warns(RuntimeWarning, match="restarting a worker"):
        obs, *_ = envs.step(envs.action_space.sample())
    assert envs.episode[0] == following
    env = TaskEnv("mujoco-reacher")
    state, _ = env.reset(seed=episode_seed(3, "mujoco-reacher", 0, following))
    np.testing.assert_array_equal(obs[0, : len(state)], state)
    envs.close()


def test_restart_after_an_environment_raised():
    envs = made(restart=True)
    raise_in(envs, 0)
    with pytest.warns(RuntimeWarning, match=r"(?s)mujoco-reacher-v0 in slot 0.*raised an error.*holds NaN"):
        slots, _, _, _, truncated, info = envs.recv()
    assert slots.tolist() == [0]
    assert info["restarted"].tolist() == truncated.tolist() == [True]
    assert not envs.step(envs.action_space.sample())[3].any()
    envs.close()


def test_slots_that_were_not_at_work_are_truncated_at_their_next_step():
    envs = make_vec(["pygame-pong"], 3, num_workers=1, restart=True)
    obs, _ = envs.reset()
    envs.send(envs.action_space.sample()[:1], [0])
    envs.recv(1)
    os.kill(envs.worker_pids[0], signal.SIGKILL)
    envs.send(envs.action_space.sample()[:2], [0, 1])
    with pytest.warns(RuntimeWarning, match="restarting"):
        slots, _, _, _, truncated, info = envs.recv(2)
    assert slots.tolist() == [0, 1]
    assert truncated.all()
    assert info["restarted"].all()
    *_, truncated, info = envs.step(envs.action_space.sample())
    assert info["restarted"].tolist() == truncated.tolist() == [False, False, True]
    np.testing.assert_array_equal(info["final_obs"][2], obs[2])
    envs.close()


def test_a_worker_that_fails_during_a_reset_is_restarted():
    envs = made(restart=True, seed=1)
    os.kill(worker_of(envs, 1), signal.SIGKILL)
    with pytest.warns(RuntimeWarning, match="restarting"):
        envs.reset()
    *_, truncated, info = envs.step(envs.action_space.sample())
    assert not truncated.any()
    assert "restarted" not in info
    envs.close()


def test_a_worker_that_fails_before_it_did_anything_is_given_up():
    """Its successor is killed as soon as there is one."""
    envs = made(restart=True)
    before = envs.worker_pids

    def kill_successor():
        while not (new := set(envs.worker_pids) - set(before)):
            time.sleep(0.001)
        os.kill(new.pop(), signal.SIGKILL)

    threading.Thread(target=kill_successor, daemon=True).start()
    raise_in(envs, 1)
    with (
        pytest.raises(WorkerError, match=r"slot 1, while being built: .* was killed by SIGKILL"),
        pytest.warns(RuntimeWarning, match="restarting"),
    ):
        envs.recv(1)
    with pytest.raises(WorkerError, match="ended by an earlier fault"):
        envs.step(envs.action_space.sample())
    envs.close()


PROGRAM = """
import os, signal, sys, time
import newt_bench

if __name__ == "__main__":
    envs = newt_bench.make_vec(["mujoco-reacher", "rd-push-red"], num_workers=2, context="{method}")
    envs.reset()
    print(*envs.worker_pids, flush=True)
    {end}
"""
FOREVER = "while True: envs.step(envs.action_space.sample())"


def program(tmp_path, end, method):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(end=end, method=method))
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2
    return process, pids


def members(group):
    """Processes of a group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, number = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(number) == group and state != "Z":
                found.append(int(entry.name))
    return found


def assert_nothing_is_left(process, before):
    deadline = time.monotonic() + 10
    while (left := members(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    # Tests that run beside this one have files there, too, as the semaphores of a process pool: in use, or soon gone.
    files = shared_files() - before
    while (files := files & shared_files() - mapped_files()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not files


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_parent_that_is_ended(tmp_path, method, number):
    before = shared_files()
    process, pids = program(tmp_path, FOREVER, method)
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == -number
    assert all(gone(pid) for pid in pids)
    assert_nothing_is_left(process, before)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
def test_ctrl_c_is_one_interrupt(tmp_path, method):
    """Terminals send it to all processes: the parent's own traceback is the only one."""
    before = shared_files()
    process, _ = program(tmp_path, FOREVER, method)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert_nothing_is_left(process, before)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
@pytest.mark.parametrize(
    ("end", "code"), [("pass", 0), ("envs.close()", 0), ("raise ValueError", 1), ("os._exit(3)", 3)]
)
def test_nothing_is_left_after_other_ends(tmp_path, end, code):
    before = shared_files()
    process, _ = program(tmp_path, end, "forkserver")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert errors.count("Traceback") == (code == 1)
    assert_nothing_is_left(process, before)


def test_a_script_without_a_guard_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import newt_bench\nnewt_bench.make_vec('pygame-pong', context='spawn')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=60)
    assert child.returncode == 1
    assert 'must do so below `if __name__ == "__main__":`' in child.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")
def test_making_and_closing_leaves_no_files_open():
    def cycle():
        envs = made()
        envs.step(envs.action_space.sample())
        envs.close()

    for _ in range(2):
        cycle()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        cycle()
    assert len(os.listdir("/proc/self/fd")) == before
