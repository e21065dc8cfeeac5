"""What `baselines/` holds: measured results, and the anchors of the catalogue that come from them."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

import newt_bench
from newt_bench.agents.scripted import scripted_tasks
from newt_bench.anchors import anchor_of
from newt_bench.content import content_folder
from newt_bench.results import load_results, split_results
from newt_bench.suites import suites

RESULTS = sorted(content_folder("baselines").glob("*/results/*.json"))
# The catalogue's anchors come from these; a suite's results are for its table.
POLICIES = ("random", "scripted")
ANCHORS = {
    policy: [path for path in RESULTS if path.parent.parent.name == policy and path.stem not in suites()]
    for policy in POLICIES
}
# Their simulated objects are stand-ins wherever the downloads are missing, and then returns mean nothing.
MEASURED = [task for task in newt_bench.tasks() if not task.assets]
ANCHORED = [(task, "random") for task in MEASURED] + [(task, "scripted") for task in scripted_tasks()]


@pytest.fixture(scope="module")
def episodes() -> dict[str, dict[str, list]]:
    """Records by policy and task name."""
    found = {policy: defaultdict(list) for policy in POLICIES}
    for policy, paths in ANCHORS.items():
        for path in paths:
            for record in load_results(path).episodes:
                found[policy][newt_bench.get_task(record.task).name].append(record)
    return found


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
    if any(path in paths for paths in ANCHORS.values()):  # the catalogue's anchors come from unchanged code
        assert not results.provenance["git_revision"].endswith("+")


@pytest.mark.parametrize(("task", "policy"), ANCHORED, ids=[f"{task.name}-{policy}" for task, policy in ANCHORED])
def test_anchors_are_those_of_the_results(task, policy, episodes):
    returns = np.array([record.episode_return for record in episodes[policy][task.name]])
    anchor = anchor_of(task, policy)
    assert anchor.episodes == len(returns) >= 20
    assert anchor.mean == pytest.approx(returns.mean(), abs=1e-4)
    assert anchor.sem == pytest.approx(returns.std(ddof=1) / math.sqrt(len(returns)), abs=1e-4)


@pytest.mark.parametrize("task", MEASURED, ids=lambda task: task.name)
def test_random_play_does_not_reach_the_top(task, episodes):
    """A task on which random actions score well would measure nothing."""
    assert mean_score(episodes["random"][task.name]) < 0.6


@pytest.mark.parametrize("task", scripted_tasks(), ids=lambda task: task.name)
def test_experts_succeed_and_beat_random_play(task, episodes):
    """Demonstrations that never succeed would show nothing."""
    scores = [record.score for record in episodes["scripted"][task.name]]
    assert max(scores) > 0.5
    assert np.mean(scores) > mean_score(episodes["random"][task.name])


def mean_score(records) -> float:
    return float(np.mean([record.score for record in records]))
