"""Results files: what is written can be read, and what is wrong is named."""

from __future__ import annotations

import dataclasses
import json
import math

import jsonschema
import pytest

import newt_bench
from newt_bench.errors import ResultsError
from newt_bench.results import EpisodeRecord, Protocol, Results, collect_provenance, load_results
from newt_bench.schemas import RESULTS, load_schema

TASKS = ("newt/walker-run-v0", "newt/mw-reach-v0")


def make_results(seeds=(0, 1), episodes=2) -> Results:
    records = tuple(
        EpisodeRecord(task, seed, k, 2**30 + k, 100.0 * seed + k, success, score, steps)
        for seed in seeds
        for task, success, score, steps in ((TASKS[0], None, 0.1 * seed, 500), (TASKS[1], 1, 1.0, 100))
        for k in range(episodes)
    )
    agent = {"name": "toy", "spec": "toy:Toy", "options": {"depth": 3}}
    return Results(agent, Protocol(TASKS, tuple(seeds), episodes, "state"), collect_provenance(["mujoco"]), records)


def test_round_trip(tmp_path):
    results = make_results()
    path = tmp_path / "deep" / "results.json"
    results.save(path)
    assert list(path.parent.iterdir()) == [path]  # no temporary file is left
    document = json.loads(path.read_text())
    jsonschema.Draft202012Validator(load_schema(RESULTS)).validate(document)
    assert document["episodes"][0]["success"] is None
    back = load_results(path)
    assert back.to_json() == results.to_json()
    assert back.complete


def test_scores_and_returns_are_means_over_episodes_by_seed():
    results = make_results()
    assert results.scores()["walker-run"].tolist() == pytest.approx([0.0, 0.1])
    assert results.returns()["mw-reach"].tolist() == [0.5, 100.5]
    assert results.task_estimates()["mw-reach"].value == 1.0


def test_many_episodes_of_one_seed_give_no_interval():
    results = make_results(seeds=(0,), episodes=50)
    assert {item.low for item in results.aggregate().values()} == {None}


def test_incomplete_runs_are_not_aggregated():
    results = make_results()
    partial = dataclasses.replace(results, episodes=results.episodes[:-1])
    assert not partial.complete
    with pytest.raises(ResultsError, match="incomplete"):
        partial.aggregate()


def damaged(change):
    document = make_results().to_json()
    change(document)
    return json.dumps(document)


DAMAGE = {
    "no JSON": ("{", "not JSON"),
    "array": ("[]", "not a valid results-1 document"),
    "other schema": (damaged(lambda d: d.update(schema="results-9")), r"\$.schema"),
    "no episodes": (damaged(lambda d: d.pop("episodes")), "'episodes' is a required property"),
    "extra field": (damaged(lambda d: d.update(note="hello")), "note"),
    "score above 1": (damaged(lambda d: d["episodes"][0].update(score=1.5)), r"\$.episodes\[0\].score.*1.5"),
    "success half": (damaged(lambda d: d["episodes"][0].update(success=0.5)), r"episodes\[0\].success"),
    "text as return": (damaged(lambda d: d["episodes"][0].update({"return": "9"})), r"episodes\[0\].return"),
    "training seed": (damaged(lambda d: d["episodes"][0].update(reset_seed=7)), r"episodes\[0\].reset_seed"),
    "other task": (damaged(lambda d: d["episodes"][0].update(task="newt/cup-catch-v0")), "not part of the protocol"),
    "other seed": (damaged(lambda d: d["episodes"][0].update(seed=9)), "not part of the protocol"),
    "twice": (damaged(lambda d: d["episodes"].append(d["episodes"][0])), "stands there twice"),
    "unknown task": (damaged(lambda d: d["protocol"]["tasks"].append("newt/walker-rum-v0")), "Did you mean"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_are_refused(tmp_path, case):
    text, message = DAMAGE[case]
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=message) as caught:
        load_results(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ResultsError, match="cannot be read"):
        newt_bench.load_results(tmp_path / "none.json")


def test_other_simulator_versions_warn(tmp_path):
    results = make_results()
    provenance = {**results.provenance, "packages": {**results.provenance["packages"], "mujoco": "2.0.0"}}
    dataclasses.replace(results, provenance=provenance).save(tmp_path / "old.json")
    with pytest.warns(UserWarning, match=r"mujoco 2\.0\.0 \(here 3\.3\.6\)"):
        load_results(tmp_path / "old.json")


def test_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    make_results().save(path)
    before = path.read_bytes()
    record = dataclasses.replace(make_results().episodes[0], score=math.inf)
    with pytest.raises((ResultsError, ValueError)):
        dataclasses.replace(make_results(), episodes=(record,)).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
