"""From a multitask agent to one new task."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

import newt_bench
from newt_bench.agents.newt import NewtAgent
from newt_bench.cli import app
from newt_bench.errors import AgentError
from newt_bench.training import train
from tests.training.conftest import SETTINGS, TASKS, TINY

NEW = "pygame-point-maze-var4"  # held out
LANGUAGE = {**TINY, "conditioning": "language"}


@pytest.fixture(scope="module")
def run(tmp_path_factory, offline_language):
    out = tmp_path_factory.mktemp("multitask") / "run"
    return train("newt", TASKS, out=out, options=LANGUAGE, progress=False, **{**SETTINGS, "steps": 0})


@pytest.fixture(scope="module")
def offline_language():
    """The embeddings that need no download, without asking the network first."""
    import huggingface_hub.constants

    before, huggingface_hub.constants.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE, True
    yield
    huggingface_hub.constants.HF_HUB_OFFLINE = before


def test_adapting_goes_on_from_the_weights_with_the_new_text(run, tmp_path):
    assert newt_bench.get_task(NEW).split == "heldout"
    settings = {**SETTINGS, "steps": 0}
    adapted = train("newt", NEW, out=tmp_path / "adapted", adapt=run.folder, progress=False, **settings).agent
    before, after = run.agent.model.state_dict(), adapted.model.state_dict()
    for name in before:
        same = before[name].shape == after[name].shape and (before[name] == after[name]).all()
        assert bool(same) == (name not in ("embeddings", "masks", "discounts")), name
    np.testing.assert_array_equal(after["embeddings"], adapted._embed([newt_bench.get_task(NEW)]))
    assert adapted.pretrained
    assert not adapted.config.constrained_planning


def test_an_adapted_run_learns_and_can_be_resumed(run, tmp_path):
    settings = {**SETTINGS, "steps": 450, "eval_every": 450}
    done = train("newt", NEW, out=tmp_path / "run", adapt=run.folder, progress=False, **settings)
    assert done.agent.learner.updates == 2  # 0.01 per step, after the first 200
    again = newt_bench.resume_training(tmp_path / "run", steps=460, progress=False)
    assert again.agent.tasks == (newt_bench.get_task(NEW),)
    assert again.results.provenance["training"]["adapted_from"] == str(run.folder)


def test_the_documented_command(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "newt", "--adapt", str(run.folder), "--tasks", NEW, "--steps", "0", "--out", "adapted"]
    result = CliRunner().invoke(app, [*arguments, "--setting", "final_episodes=1", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert NEW in result.output
    checkpoint = tmp_path / "adapted" / "checkpoint" / "agent"
    agent = NewtAgent([newt_bench.get_task(NEW)], checkpoint=checkpoint)
    assert agent.config.conditioning == "language"


def test_a_checkpoint_of_another_agent_is_refused(run, tmp_path):
    with pytest.raises(AgentError, match="RandomAgent cannot be loaded"):
        train("random", NEW, out=tmp_path / "run", adapt=run.folder, progress=False, **SETTINGS)
