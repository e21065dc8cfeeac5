"""Suites: runs that are shared out and go on, and the table that ships."""

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
from newt_bench.agents import load_agent_factory
from newt_bench.cli import app
from newt_bench.content import content_folder
from newt_bench.errors import InputError
from newt_bench.results import load_results
from newt_bench.suites import (
    README,
    Suite,
    collected,
    publish,
    published,
    readme_text,
    run_suite,
    suite_table,
    suites,
)
from newt_bench.training import load_recipe, train

TASKS = ("pygame-cowboy", "pygame-reacher-easy")
RECIPE = """
agent = "ppo"
[training]
steps = 2_000
num_workers = 1
torch_threads = 1
eval_every = 2_000
eval_episodes = 1
[options]
hidden = [8]
rollout_steps = 100
epochs = 1
minibatches = 2
conditioning = "one-hot"
"""


@pytest.fixture
def suite(tmp_path) -> Suite:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    return Suite("tiny", "Two games.", newt_bench.tasks(TASKS), (0, 1), 2, {"random": "", "ppo": str(recipe)})


@pytest.fixture
def finished(suite, tmp_path) -> Path:
    """A folder in which everything has been run."""
    run_suite(suite, tmp_path / "runs", progress=False)
    return tmp_path / "runs"


def test_a_suite_is_run_in_parts_and_only_once(suite, tmp_path):
    out = tmp_path / "runs"
    assert list(run_suite(suite, out, agents=["random"], progress=False)) == ["random"]
    assert list(run_suite(suite, out, seeds=[1], progress=False)) == ["random"]
    begun: list[str] = []
    results = run_suite(suite, out, progress=False, begin=begun.append)
    assert begun == ["ppo, seed 0"]
    assert list(results) == ["random", "ppo"]
    for agent, found in results.items():
        assert found.complete
        assert found.agent["name"].lower().startswith(agent)
        assert found.protocol.seeds == (0, 1)
        assert found.protocol.episodes == 2
        assert list(found.scores()) == list(TASKS)
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    run_suite(suite, out, progress=False)
    assert written == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def test_an_interrupted_suite_goes_on(suite, tmp_path):
    out = tmp_path / "runs"
    program = tmp_path / "program.py"
    program.write_text(
        "import newt_bench\nfrom newt_bench.suites import Suite, run_suite\n"
        f"suite = Suite('tiny', '', newt_bench.tasks({TASKS}), (0, 1), 2, {dict(suite.agents)})\n"
        f"if __name__ == '__main__':\n    run_suite(suite, {str(out)!r}, agents=['ppo'], progress=False)\n"
    )
    child = subprocess.Popen([sys.executable, str(program)], env={**os.environ, "HF_HUB_OFFLINE": "1"})
    log = out / "ppo" / "seed-0" / "log.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and '"training"' in log.read_text()):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    assert child.wait(120) != 0
    assert collected(suite, out) == {}
    results = run_suite(suite, out, agents=["ppo"], progress=False)["ppo"]
    assert results.complete
    # As if it had never been interrupted.
    whole = train("ppo", TASKS, out=tmp_path / "whole", recipe=suite.agents["ppo"], final_episodes=2, progress=False)
    returns = [record.episode_return for record in results.episodes if record.seed == 0]
    np.testing.assert_array_equal(returns, [record.episode_return for record in whole.results.episodes])


def test_a_folder_that_holds_another_run_is_refused(suite, tmp_path):
    out = tmp_path / "runs"
    train("ppo", TASKS[0], out=out / "ppo" / "seed-0", recipe=suite.agents["ppo"], final_episodes=1, progress=False)
    for unfinished in (False, True):
        if unfinished:
            (out / "ppo" / "seed-0" / "results.json").unlink()
        with pytest.raises(InputError, match=r"seed-0 holds another run than ppo with seed 0.*--out"):
            run_suite(suite, out, agents=["ppo"], progress=False)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [({"agents": ["nobody"]}, "no agent nobody; it has: random, ppo"), ({"seeds": [7]}, "no seed 7; it has: 0, 1")],
)
def test_what_a_suite_does_not_have_is_refused(suite, tmp_path, chosen, message):
    with pytest.raises(InputError, match=message):
        run_suite(suite, tmp_path, **chosen)
    assert not (tmp_path / "random").exists()


def test_the_table_tells_every_number_with_its_interval(suite, finished):
    results = collected(suite, finished)
    lines = suite_table(suite, results).splitlines()
    for agent, found in results.items():
        mean = found.aggregate()["mean"]
        row = next(line for line in lines if line.startswith(f"| {agent} |"))
        assert f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]" in row
        for task, score in found.task_estimates().items():
            row = next(line for line in lines if line.startswith(f"| {task} |"))
            assert f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]" in row
    assert "Not run yet: ppo." in suite_table(suite, {"random": results["random"]})


def test_results_are_published_with_their_table(suite, finished, tmp_path):
    home = tmp_path / "baselines"
    home.mkdir()
    page = home / README
    page.write_text("before\n<!-- tiny: begin -->\nold\n<!-- tiny: end -->\nafter\n")
    publish(suite, finished, home)
    text = page.read_text()
    assert suite_table(suite, collected(suite, finished)) in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert load_results(home / "ppo" / "results" / "tiny.json").complete
    publish(suite, finished, home)
    assert page.read_text() == text
    page.write_text("no place")
    (home / "ppo" / "results" / "tiny.json").unlink()
    with pytest.raises(InputError, match=r"<!-- tiny: begin -->"):
        publish(suite, finished, home)
    assert not (home / "ppo" / "results" / "tiny.json").exists()  # all or nothing
    with pytest.raises(InputError, match="No agent of the suite tiny has finished"):
        publish(suite, tmp_path / "nothing", home)


@pytest.mark.parametrize("shipped", suites().values(), ids=lambda shipped: shipped.name)
def test_suites_that_ship_can_be_run_and_their_tables_are_those_of_the_results(shipped):
    assert len(shipped.seeds) >= 3
    for agent, recipe in shipped.agents.items():
        load_agent_factory(agent)
        assert not recipe or load_recipe(agent, recipe).agent == agent
    found = published(shipped)
    for results in found.values():
        assert results.protocol.seeds == shipped.seeds
        assert results.protocol.episodes == shipped.episodes
        assert list(results.scores()) == list(shipped.tasks.names)
    text = (content_folder("baselines") / README).read_text(encoding="utf-8")
    assert readme_text(shipped, text, found) == text


def test_commands(tmp_path):
    from typer.testing import CliRunner

    runner = CliRunner()
    listed = runner.invoke(app, ["baselines", "list"])
    assert "lite-cpu" in listed.output
    shown = runner.invoke(app, ["baselines", "table", "--suite", "lite-cpu", "--out", str(tmp_path)])
    assert "Not run yet: random" in shown.output
    for command in (["table", "--suite", "nothing"], ["run", "--suite", "lite-cpu", "--seeds", "one"]):
        refused = runner.invoke(app, ["baselines", *command])
        assert isinstance(refused.exception, InputError)
