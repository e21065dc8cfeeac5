"""A contribution starts with one command, and what it makes works."""

from __future__ import annotations

import shutil

import pytest

import newt_bench
from newt_bench.catalogue import parse_domain_file
from newt_bench.errors import InputError, UnknownTaskError
from newt_bench.scaffold import new_task
from tests.conftest import REPOSITORY


def test_new_agent_runs_at_once(run_cli):
    made = run_cli("new", "agent", "my_agent.py")
    assert made.returncode == 0, made.stderr
    command = made.stdout.splitlines()[-1].partition("newt-bench ")[2].split()
    tried = run_cli(*command, "--option", "scale=0.5")
    assert tried.returncode == 0, tried.stderr
    assert "cartpole-balance" in tried.stdout
    again = run_cli("new", "agent", "my_agent.py")
    assert (again.returncode, again.stderr.strip()) == (2, "error: my_agent.py exists; name a new file")


@pytest.mark.parametrize("name", ["agent.txt", "My-Agent.py"])
def test_new_agent_needs_a_module_name(run_cli, name, tmp_path):
    child = run_cli("new", "agent", name)
    assert child.returncode == 2
    assert "named like a Python module" in child.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the catalogue that may be changed."""
    folder = tmp_path / "tasks"
    shutil.copytree(REPOSITORY / "tasks", folder)
    monkeypatch.setattr("newt_bench.scaffold.content_folder", lambda name: tmp_path / name)
    return folder


@pytest.mark.parametrize("like", ["walker-run", "quadruped-run", "ms-pick-apple", "ms-ant-walk", "atari-yars-revenge"])
def test_new_task(checkout, like):
    path = new_task("brand-new", like)
    _, tasks = parse_domain_file(path)
    new, model = tasks[-1], newt_bench.get_task(like)
    assert new.name == "brand-new"
    assert (new.obs_dim, new.simulator_id, new.settings) == (model.obs_dim, model.simulator_id, model.settings)
    assert new.instruction == "Describe brand-new in one sentence."
    assert not set(new.paraphrases) & set(model.paraphrases)
    assert new.lite is None
    assert new.random_return is None
    assert tasks[:-1] == tuple(newt_bench.tasks(domain=model.domain))


@pytest.mark.parametrize(
    ("name", "like", "error"),
    [
        ("walker-walk", "walker-run", InputError),
        ("brand-new", "walker-rum", UnknownTaskError),
        ("Brand_New", "walker-run", ValueError),
    ],
)
def test_new_task_refused_changes_nothing(checkout, name, like, error):
    before = {path.name: path.read_bytes() for path in checkout.iterdir()}
    with pytest.raises(error):
        new_task(name, like)
    assert {path.name: path.read_bytes() for path in checkout.iterdir()} == before
