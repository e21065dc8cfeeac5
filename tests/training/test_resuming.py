"""A run that is interrupted, by whatever, goes on as if it had not been."""

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
from newt_bench.training import resume_training, train
from newt_bench.training.journal import read_journal
from newt_bench.training.run_folder import RunFolder
from tests.training.conftest import SETTINGS, TASKS, TINY

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from newt_bench.training import train
from tests.training.conftest import SETTINGS, TASKS, TINY
if __name__ == "__main__":
    train("newt", TASKS, out=sys.argv[1], options=TINY, progress=True, **SETTINGS)
"""


def weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return {
        f"{path.name}/{name}": array
        for path in sorted((folder / "checkpoint" / "agent").glob("*.safetensors"))
        for name, array in load_file(path).items()
    }


def assert_same_run(first: Path, second: Path) -> None:
    ours, theirs = weights(first), weights(second)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    for kind in ("evaluation", "training"):
        rows = [read_journal(folder, kind) for folder in (first, second)]
        assert [row["steps"] for row in rows[0]] == [row["steps"] for row in rows[1]]
    scores = [[(row["steps"], row["returns"]) for row in read_journal(f, "evaluation")] for f in (first, second)]
    assert scores[0] == scores[1]
    results = [newt_bench.load_results(folder / "results.json") for folder in (first, second)]
    assert results[0].episodes == results[1].episodes


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The run, without interruption."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train("newt", TASKS, out=out, options=TINY, progress=False, **SETTINGS)
    return out


class Stop:
    """Interrupts a run in this process after some updates, as Ctrl-C does."""

    def __init__(self, monkeypatch, steps: int) -> None:
        from newt_bench.agents.newt import NewtAgent

        observe = NewtAgent.observe

        def watch(agent, *arguments):
            observe(agent, *arguments)
            if agent.steps == steps:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(NewtAgent, "observe", watch)


@pytest.mark.parametrize("steps", [2, 330, 400, 498])
def test_ctrl_c_saves_and_resuming_gives_the_same_run(whole, tmp_path, monkeypatch, steps):
    """In the middle of episodes, at the step of an evaluation, before the last step."""
    with monkeypatch.context() as patch:
        Stop(patch, steps)
        with pytest.raises(KeyboardInterrupt):
            train("newt", TASKS, out=tmp_path / "run", options=TINY, progress=False, **SETTINGS)
    assert RunFolder(tmp_path / "run").load().steps == steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resume_training(tmp_path / "run", progress=False)
    assert_same_run(whole, tmp_path / "run")


def test_demonstrations_are_part_of_what_goes_on(tmp_path, monkeypatch):
    from newt_bench.collection import collect

    collect(TASKS, tmp_path / "demos", episodes=2, progress=False)
    options = {**TINY, "pretrain_updates": 6}
    settings = {**SETTINGS, "steps": 420, "eval_every": 420, "demonstrations": str(tmp_path / "demos")}
    train("newt", TASKS, out=tmp_path / "whole", options=options, progress=False, **settings)
    from newt_bench.agents.newt import NewtAgent

    step = NewtAgent.pretrain_step

    def stop_at_three(agent):
        metrics = step(agent)
        if agent.learner.updates == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return metrics

    with monkeypatch.context() as patch:
        patch.setattr(NewtAgent, "pretrain_step", stop_at_three)
        with pytest.raises(KeyboardInterrupt):
            train("newt", TASKS, out=tmp_path / "run", options=options, progress=False, **settings)
    for path in (tmp_path / "demos").glob("*.h5"):
        path.unlink()  # they are in the checkpoint
    with monkeypatch.context() as patch:
        Stop(patch, 410)
        with pytest.raises(KeyboardInterrupt):
            resume_training(tmp_path / "run", progress=False)
    resume_training(tmp_path / "run", progress=False)
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_process_told_to_end_saves_and_leaves_nothing(whole, tmp_path, number):
    """The signal goes to the whole process group, as terminals and cluster schedulers send it."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    for line in process.stderr:
        if line.startswith(("200/", "300/")):
            break
    os.killpg(process.pid, number)
    with process.stderr as stream:
        rest = stream.read()
    assert process.wait(60) != 0
    assert rest.rstrip().endswith("KeyboardInterrupt"), rest
    assert 200 <= RunFolder(tmp_path / "run").load().steps < 500
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _group_lives(process.pid):
        time.sleep(0.1)
    assert not _group_lives(process.pid)
    resume_training(tmp_path / "run", progress=False)
    assert_same_run(whole, tmp_path / "run")


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_sigkill_loses_what_came_after_the_last_checkpoint_only(whole, tmp_path, monkeypatch):
    """Every step is checkpointed; then the folder is left as a machine that goes down would leave it."""
    from newt_bench.agents.newt import NewtAgent

    observe = NewtAgent.observe

    def fail_at_300(agent, *arguments):
        observe(agent, *arguments)
        if agent.steps == 300:
            raise RuntimeError("the machine goes down")

    settings = {**SETTINGS, "checkpoint_minutes": 1e-9}
    with monkeypatch.context() as patch:
        patch.setattr(NewtAgent, "observe", fail_at_300)
        with pytest.raises(RuntimeError, match="goes down"):
            train("newt", TASKS, out=tmp_path / "run", options=TINY, progress=False, **settings)
    with (tmp_path / "run" / "log.jsonl").open("a") as log:
        log.write('{"kind": "training", "steps": 300, "half a li')
    (tmp_path / "run" / "checkpoint").rename(tmp_path / "run" / ".checkpoint-previous")
    assert RunFolder(tmp_path / "run").load().steps == 298
    monkeypatch.setattr("newt_bench.training.loop.Trainer._save_if_due", lambda *_: None)
    resume_training(tmp_path / "run", progress=False)
    assert_same_run(whole, tmp_path / "run")


def test_slots_that_do_not_come_back_are_told_and_the_run_goes_on(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        Stop(patch, 330)
        with pytest.raises(KeyboardInterrupt):
            train("newt", TASKS, out=tmp_path / "run", options=TINY, progress=False, **SETTINGS)
    file = tmp_path / "run" / "checkpoint" / "slots.npz"
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["obs/obs"][1] += 1  # as if the simulator were another
    np.savez(file, **changed)
    with pytest.warns(RuntimeWarning, match="1 of 2 slots did not come back"):
        run = resume_training(tmp_path / "run", progress=False)
    assert run.curve.steps.tolist() == [0, 400, 500]


def test_a_worker_that_dies_costs_its_episodes_and_no_more(tmp_path, monkeypatch):
    from newt_bench.training.loop import _Slots

    step, killed = _Slots.step, []

    def kill_once(slots, agent):
        if agent.steps == 120 and not killed:
            killed.append(slots._envs.worker_pids[0])
            os.kill(killed[0], signal.SIGKILL)
        return step(slots, agent)

    monkeypatch.setattr(_Slots, "step", kill_once)
    settings = {**SETTINGS, "steps": 420, "restart_workers": True}
    with pytest.warns(RuntimeWarning, match="restarting a worker"):
        run = train("newt", TASKS, out=tmp_path / "run", options=TINY, progress=False, **settings)
    lengths = sorted(run.agent.replay._episodes[:, 1].tolist())
    assert lengths == [100]  # 60 steps were lost; then the arena's 100, and the maze is at step 150 of 200


def test_pixels_go_on_too(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # mean colours stand in for DINOv2
    options = {**TINY, "pixels": True, "updates_per_step": 0.1}
    settings = {**SETTINGS, "steps": 220, "eval_every": 220, "final_episodes": 1, "obs_type": "state_rgb"}
    train("newt", TASKS[1], out=tmp_path / "whole", options=options, progress=False, **settings)
    with monkeypatch.context() as patch:
        Stop(patch, 205)
        with pytest.raises(KeyboardInterrupt):
            train("newt", TASKS[1], out=tmp_path / "run", options=options, progress=False, **settings)
    run = resume_training(tmp_path / "run", progress=False)
    assert_same_run(tmp_path / "whole", tmp_path / "run")
    assert run.agent.learner.updates >= 1
    assert run.results.provenance["agent"]["image_encoder"] == "pooled-16x16"
