"""The agent interface, and how agents are found."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import newt_bench
from newt_bench.agents import Agent, load_agent_factory
from newt_bench.agents.random import RandomAgent
from newt_bench.errors import AgentError
from newt_bench.replay import Episode

TASKS = newt_bench.tasks(["walker-run", "cup-catch"])
OBS, FIRST = np.zeros((3, 128), np.float32), np.array([True] * 3)
INDEX = np.array([0, 1, 0])

THIRD_PARTY = """
import numpy as np
import newt_bench

class Still(newt_bench.Agent):
    def act(self, obs, task, first, mode):
        return np.zeros((len(task), 16), np.float32)

def build(tasks, seed):
    return Still(tasks, seed)

number = 3
"""


@pytest.fixture
def third_party(tmp_path, monkeypatch) -> Path:
    """A package of somebody else's, importable and with an entry point."""
    (tmp_path / "their_agents.py").write_text(THIRD_PARTY)
    metadata = tmp_path / "their_agents-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-agents\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[newt_bench.agents]\nstill = their_agents:Still\nlost = their_agents:Lost\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("their_agents", None)


def test_random_agent_is_uniform_and_seeded():
    agent = RandomAgent(TASKS, seed=5)
    actions = np.concatenate([agent.act(OBS, INDEX, FIRST, "eval") for _ in range(400)])
    assert actions.dtype == np.float32
    assert actions.shape == (1200, 16)
    assert np.abs(actions).max() <= 1
    assert actions.mean() == pytest.approx(0, abs=0.02)
    assert actions.std() == pytest.approx(1 / 3**0.5, abs=0.01)
    agent.reset(5)
    np.testing.assert_array_equal(agent.act(OBS, INDEX, FIRST, "eval"), actions[:3])
    assert (RandomAgent(TASKS, seed=6).act(OBS, INDEX, FIRST, "eval") != actions[:3]).all()


def test_optional_abilities_say_that_they_are_missing(tmp_path):
    agent = RandomAgent(TASKS)
    assert agent.update() == agent.pretrain_step() == agent.provenance() == {}
    agent.pretrain()  # without demonstrations there is nothing to do
    nothing = np.zeros((4, 1), np.float32)
    for call in (
        lambda: agent.pretrain([Episode(0, nothing, nothing[1:], nothing[1:, 0])]),
        lambda: agent.adapt(TASKS[0]),
        lambda: agent.save(tmp_path),
        lambda: RandomAgent.load(tmp_path, TASKS),
    ):
        with pytest.raises(AgentError, match="RandomAgent cannot"):
            call()


def test_found_by_name():
    assert load_agent_factory("random") is RandomAgent


@pytest.mark.parametrize("spec", ["their_agents:Still", "their_agents:build", "still"])
def test_third_party_agents_are_peers(third_party, spec):
    factory = load_agent_factory(spec)
    agent = factory(TASKS, seed=1)
    assert isinstance(agent, Agent)
    results = newt_bench.evaluate(spec, "cartpole-balance-sparse", episodes=1, progress=False)
    assert results.agent["spec"] == spec
    assert len(results.episodes) == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("randm", "Did you mean 'random'"),
        ("qqq9", r"Installed: .*random"),
        ("lost", r"\(their_agents:Lost\) does not load"),
        ("no_such_module:Agent", "module 'no_such_module' does not import"),
        ("their_agents:Missing", "has no 'Missing'"),
        ("their_agents:number", "neither a class nor a function but int"),
    ],
)
def test_agents_that_cannot_be_found(third_party, spec, message):
    with pytest.raises(AgentError, match=message):
        load_agent_factory(spec)


def test_a_missing_package_of_an_agent_names_the_extra(run_python):
    code = """
import sys; sys.modules["torch"] = None
from newt_bench.agents import load_agent_factory
load_agent_factory("newt_bench.agents.newt:NewtAgent")
"""
    child = run_python(code, check=False)
    assert 'Install it with: pip install "newt-bench[agents]"' in child.stderr
