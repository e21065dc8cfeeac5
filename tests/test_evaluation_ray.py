"""Evaluation on a Ray cluster of two nodes on this machine: the local results, bit for bit, though a node is lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import newt_bench
from newt_bench.errors import InputError
from newt_bench.evaluation import evaluate

TASKS = ["mujoco-reacher", "cartpole-swingup", "lunarlander-hover", "walker-run"]

# Ray is told apart from the tests' own process, which it would fill with threads and handlers.
CLUSTER = """
import json, logging, os, sys, threading, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from ray.cluster_utils import Cluster
import newt_bench
from newt_bench.agents.random import RandomAgent

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
"""
EPISODES = """
cluster.shutdown()
told["episodes"] = [record.to_json() for record in results.episodes]
with open("told.json", "w") as file:
    json.dump(told, file)
"""


def run_on_cluster(run_python, tmp_path, code):
    """What the code told, by way of a file: Ray's own messages get in between lines on standard output."""
    run_python(CLUSTER + "told = {}\n" + code, timeout=200)
    return json.loads((tmp_path / "told.json").read_text())


def expected(**arguments):
    results = evaluate("random", TASKS, 2, (0, 1), progress=False, **arguments)
    return [record.to_json() for record in results.episodes]


def test_two_nodes_give_the_local_results_though_one_is_lost(run_python, tmp_path):
    """The second node goes down as soon as there is a first result; what it was playing is played anew."""
    path = tmp_path / "results.json"
    code = f"""
def lose_the_second_node():
    while not os.path.exists({str(path)!r}):
        time.sleep(0.01)
    cluster.remove_node(second, allow_graceful=False)
    told["lost"] = True

thread = threading.Thread(target=lose_the_second_node)
thread.start()
results = newt_bench.evaluate("random", {TASKS}, 2, (0, 1), backend="ray", address=cluster.address,
                              out={str(path)!r}, progress=False)
thread.join()
import ray
assert not ray.is_initialized()
{EPISODES}
"""
    told = run_on_cluster(run_python, tmp_path, code)
    assert told["lost"]
    assert told["episodes"] == expected()
    assert [record.to_json() for record in newt_bench.load_results(path).episodes] == expected()


def test_errors_reach_the_caller_and_partial_results_are_continued(run_python, tmp_path):
    """An agent that is defined in the program itself, raising on one task at its first attempt."""
    path = tmp_path / "results.json"
    code = f"""
flag = {str(tmp_path / "raised")!r}

class Fragile(RandomAgent):
    def act(self, obs, task, first, mode):
        if self.tasks[task[0]].name == "walker-run" and not os.path.exists(flag):
            open(flag, "w").close()
            raise RuntimeError("no idea what to do")
        return super().act(obs, task, first, mode)

run = lambda **more: newt_bench.evaluate(Fragile, {TASKS}, 2, (0, 1), backend="ray", address=cluster.address,
                                         out={str(path)!r}, progress=False, **more)
try:
    run()
except newt_bench.NewtBenchError as error:
    told["error"] = [type(error).__name__, str(error)]
told["kept"] = len(newt_bench.load_results({str(path)!r}).episodes)
results = run(resume=True)
{EPISODES}
"""
    told = run_on_cluster(run_python, tmp_path, code)
    kind, message = told["error"]
    assert kind == "WorkerError"
    assert "walker-run" in message
    assert "no idea what to do" in message
    assert 0 < told["kept"] < 16
    assert told["episodes"] == expected()


def test_the_command_starts_a_cluster_of_its_own(run_cli, tmp_path):
    task = ["--tasks", "mujoco-reacher", "--episodes", "2"]
    child = run_cli("evaluate", *task, "--backend", "ray", "--out", "ray.json")
    assert child.returncode == 0, child.stderr
    run_cli("evaluate", *task, "--out", "local.json")
    one, other = (newt_bench.load_results(tmp_path / name) for name in ("ray.json", "local.json"))
    assert one.episodes == other.episodes


def test_without_ray_the_extra_is_named():
    code = f"""
import sys; sys.modules["ray"] = None
import newt_bench
newt_bench.evaluate("random", {TASKS[:1]}, 1, backend="ray", progress=False)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError: The backend 'ray' needs the package 'ray', which is not installed" in child.stderr
    assert 'pip install "newt-bench[ray]"' in child.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "slurm"}, "backend must be one of local, ray, not 'slurm'"),
        ({"address": "auto"}, "set backend='ray'"),
        ({"backend": "ray", "workers": 2}, "workers are processes of the local backend"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        evaluate("random", TASKS, progress=False, **arguments)
