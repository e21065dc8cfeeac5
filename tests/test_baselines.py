"""What `baselines/` holds: measured results, and the anchors of the catalogue that come from them."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

import newt_bench
from newt_bench.content import content_folder
from newt_bench.results import load_results, split_results
from newt_bench.suites import suites

RESULTS = sorted(content_folder("baselines").glob("*/results/*.json"))
# The catalogue's anchors come from these; a suite's results are for its table.
RANDOM = [path for path in RESULTS if path.parent.parent.name == "random" and path.stem not in suites()]
# Their simulated objects are stand-ins wherever the downloads are missing, and then returns mean nothing.
MEASURED = [task for task in newt_bench.tasks() if not task.assets]


@pytest.fixture(scope="module")
def random_episodes() -> dict[str, list]:
    """Records of the random policy by task name."""
    by_task = defaultdict(list)
    for path in RANDOM:
        for record in load_results(path).episodes:
            by_task[newt_bench.get_task(record.task).name].append(record)
    return by_task


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_are_complete_and_say_how_they_were_made(path):
    results = load_results(path)
    assert results.complete
    assert results.protocol.env_options == {}
    for run in split_results(results):
        origin = run.provenance
        assert origin["command"].startswith(("newt-bench evaluate", "newt-bench train", "newt-bench baselines run"))
        assert origin["git_revision"]
        if "training" in origin:
            assert run.protocol.seeds == (origin["training"]["settings"]["seed"],)
    if path in RANDOM:  # the catalogue's anchors come from unchanged code
        assert not results.provenance["git_revision"].endswith("+")


@pytest.mark.parametrize("task", MEASURED, ids=lambda task: task.name)
def test_anchors_are_those_of_the_results(task, random_episodes):
    returns = np.array([record.episode_return for record in random_episodes[task.name]])
    anchor = task.random_return
    assert anchor.episodes == len(returns) >= 20
    assert anchor.mean == pytest.approx(returns.mean(), abs=1e-4)
    assert anchor.sem == pytest.approx(returns.std(ddof=1) / math.sqrt(len(returns)), abs=1e-4)


@pytest.mark.parametrize("task", MEASURED, ids=lambda task: task.name)
def test_random_play_does_not_reach_the_top(task, random_episodes):
    """A task on which random actions score well would measure nothing."""
    assert np.mean([record.score for record in random_episodes[task.name]]) < 0.6
