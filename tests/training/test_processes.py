"""Several processes that train one agent: real ones, as `torchrun` starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import newt_bench
from newt_bench.training.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from newt_bench.training import resume_training, train
from tests.training.conftest import SETTINGS, TASKS, TINY
if __name__ == "__main__":
    settings = {**SETTINGS, "steps": 900, "eval_every": 900}
    if "--resume" in sys.argv:
        resume_training(sys.argv[1])
    else:
        train("newt", (*TASKS, "og-point-maze"), out=sys.argv[1], options=TINY, **settings)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def weights(folder: Path, rank: int) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = load_file(RunFolder(folder, rank).agent / "weights.safetensors")
    return tensors


def test_two_processes_share_three_tasks_and_have_one_model(tmp_path):
    process = start(tmp_path, str(tmp_path / "run"))
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    first, second = weights(tmp_path / "run", 0), weights(tmp_path / "run", 1)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    results = newt_bench.load_results(tmp_path / "run" / "results.json")
    assert results.complete
    assert [newt_bench.get_task(task).name for task in results.protocol.tasks] == [
        "og-point-arena",
        "pygame-point-maze-var1",
        "og-point-maze",
    ]
    assert results.provenance["agent"]["steps"] == 900
    # 300 steps of every slot, of which the longest episode's 200 go by without learning; then 0.01 updates per step.
    assert results.provenance["agent"]["updates"] == 3


def test_interrupted_together_they_go_on_together(tmp_path):
    process = start(tmp_path, str(tmp_path / "run"))
    for line in process.stderr:
        if line.startswith("600/"):
            break
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGINT)
    process.communicate(timeout=120)
    steps = [RunFolder(tmp_path / "run", rank).load().steps for rank in (0, 1)]
    assert steps[0] == steps[1]
    assert 600 <= steps[0] < 900
    process = start(tmp_path, str(tmp_path / "run"), "--resume")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert newt_bench.load_results(tmp_path / "run" / "results.json").complete
