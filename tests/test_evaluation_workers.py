"""Evaluation in worker processes: the results of one process, bit for bit, and clear ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import newt_bench
from newt_bench.agents.random import RandomAgent
from newt_bench.errors import AgentError, InputError, WorkerError
from newt_bench.evaluation import evaluate

TASKS = ("mujoco-reacher", "cartpole-swingup", "lunarlander-hover", "ms-reach")


class Dreamer(RandomAgent):
    """Random, recurrent over episodes, and built from a network of random weights."""

    def __init__(self, tasks, seed=0, size=64):
        import torch

        super().__init__(tasks, seed)
        generator = torch.Generator().manual_seed(seed)
        self._weights = torch.randn(128 + size, size, generator=generator) / 12
        self._memory = torch.zeros(1, size)

    def reset(self, seed):
        super().reset(seed)
        self._memory.zero_()

    def act(self, obs, task, first, mode):
        import torch

        self._memory = torch.tanh(torch.cat([torch.from_numpy(obs), self._memory], dim=1) @ self._weights)
        return self._memory[:, :16].numpy() + 0.3 * super().act(obs, task, first, mode)


class Dies(RandomAgent):
    """Is killed on the second of the tasks."""

    def act(self, obs, task, first, mode):
        if self.tasks[task[0]].name == "cartpole-swingup":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(obs, task, first, mode)


class Raises(RandomAgent):
    def act(self, obs, task, first, mode):
        raise RuntimeError("no idea what to do")


class Misshapen(RandomAgent):
    def act(self, obs, task, first, mode):
        return np.zeros(6, np.float32)


def run(agent="random", tasks=TASKS, episodes=2, seed=(0, 1), **arguments):
    return evaluate(agent, tasks, episodes, seed, progress=False, **arguments)


@pytest.mark.parametrize("agent", ["random", Dreamer])
def test_results_do_not_depend_on_the_number_of_workers(agent, tmp_path):
    alone = run(agent)
    many = run(agent, workers=3, out=tmp_path / "results.json")
    assert many.episodes == alone.episodes
    assert many.agent == alone.agent
    assert newt_bench.load_results(tmp_path / "results.json").episodes == alone.episodes


def test_pixels_and_renderers():
    shown = {
        "tasks": ("mujoco-reacher", "lunarlander-hover"),
        "episodes": 1,
        "seed": 0,
        "obs_type": "rgb",
        "render_size": 32,
    }
    alone, many = run(**shown), run(**shown, workers=2)
    assert many.episodes == alone.episodes
    assert many.provenance["renderers"] == alone.provenance["renderers"] != {}


def test_a_worker_that_dies_names_the_task_and_what_is_finished_is_kept(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(WorkerError, match=r"newt/cartpole-swingup-v0: evaluation worker .* was killed by SIGKILL"):
        run(Dies, TASKS[:2], seed=0, workers=1 + 1, out=path, episodes=1)
    kept = newt_bench.load_results(path).episodes if path.exists() else ()
    assert {record.task for record in kept} <= {"newt/mujoco-reacher-v0"}


@pytest.mark.parametrize(
    ("agent", "error", "message"),
    [
        (Raises, WorkerError, "(?s)raised an error.*Traceback.*no idea what to do"),
        (Misshapen, AgentError, r"shape \(1, 16\), not \(6,\)"),
        (type("Local", (RandomAgent,), {}), AgentError, "cannot be sent to other processes"),
    ],
)
def test_errors_of_workers_reach_the_caller(agent, error, message):
    with pytest.raises(error, match=message):
        run(agent, TASKS[:2], workers=2)


def test_a_built_agent_plays_in_workers_too():
    tasks = newt_bench.tasks(TASKS[:2])
    assert run(RandomAgent(tasks), tasks, seed=0, workers=2).episodes == run(RandomAgent(tasks), tasks, seed=0).episodes


def test_workers_must_be_positive():
    with pytest.raises(InputError, match="workers must be at least 1"):
        run(workers=0)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT, which Windows lacks")
def test_an_interrupted_command_keeps_what_it_has_and_continues(tmp_path):
    program = Path(sys.executable).parent / "newt-bench"
    names = "mujoco-reacher,walker-run,quadruped-run,cheetah-run"
    command = [program, "evaluate", "--tasks", names, "--episodes", "3", "--out", "r.json", "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "r.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == "interrupted; finished tasks are in r.json, continue with --resume"
    assert not newt_bench.load_results(tmp_path / "r.json").complete
    subprocess.run([*command, "--resume"], cwd=tmp_path, check=True, capture_output=True)
    assert (
        newt_bench.load_results(tmp_path / "r.json").episodes
        == run(tasks=names.split(","), episodes=3, seed=0).episodes
    )
