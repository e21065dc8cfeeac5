"""Results of several training runs as one."""

from __future__ import annotations

import dataclasses

import pytest

from newt_bench.errors import ResultsError
from newt_bench.results import load_results, merge_results, split_results
from tests.results.test_records import make_results


def with_seed(seed: int):
    """A run with one seed of its own, and weights of its own."""
    whole = make_results()
    records = tuple(dataclasses.replace(r, seed=seed) for r in whole.episodes if r.seed == whole.protocol.seeds[0])
    protocol = dataclasses.replace(whole.protocol, seeds=(seed,))
    agent = {**whole.agent, "options": {"size": "S", "checkpoint": f"run-{seed}"}}
    return dataclasses.replace(whole, agent=agent, protocol=protocol, episodes=records)


def test_seeds_become_one_result_with_intervals(tmp_path):
    parts = [with_seed(seed) for seed in (4, 1, 3)]
    merged = merge_results(parts)
    assert merged.complete
    assert merged.protocol.seeds == (4, 1, 3)
    assert merged.agent["options"] == {"size": "S"}
    assert len(merged.episodes) == sum(len(part.episodes) for part in parts)
    assert merged.aggregate()["mean"].low is not None
    assert merged.provenance["wall_seconds"] == sum(part.provenance["wall_seconds"] for part in parts)
    merged.save(tmp_path / "merged.json")
    assert load_results(tmp_path / "merged.json").episodes == merged.episodes
    assert merge_results(parts[:1]) is parts[0]


def test_tasks_of_the_same_seed_become_one_result():
    whole = make_results()
    first, *others = whole.protocol.tasks
    assert others

    def only(tasks):
        return dataclasses.replace(
            whole,
            protocol=dataclasses.replace(whole.protocol, tasks=tasks),
            episodes=tuple(r for r in whole.episodes if r.task in tasks),
        )

    merged = merge_results([only((first,)), only(tuple(others))])
    assert merged.episodes == whole.episodes
    assert merged.scores().keys() == whole.scores().keys()


def test_what_does_not_belong_together_is_refused():
    one, two = with_seed(1), with_seed(2)
    with pytest.raises(ResultsError, match="Two parts hold episode 0 of"):
        merge_results([one, one])
    changes = {
        "options": {"agent": {**two.agent, "options": {"size": "L"}}},
        "agents": {"agent": {**two.agent, "spec": "other"}},
        "numbers of episodes": {"protocol": dataclasses.replace(two.protocol, episodes=99)},
        "observation types": {"protocol": dataclasses.replace(two.protocol, obs_type="rgb")},
    }
    for what, change in changes.items():
        with pytest.raises(ResultsError, match=f"of different {what}"):
            merge_results([one, dataclasses.replace(two, **change)])
    fewer = dataclasses.replace(two.protocol, tasks=two.protocol.tasks[:1])
    with pytest.raises(ResultsError, match="differ in tasks and in seeds"):
        merge_results([one, dataclasses.replace(two, protocol=fewer)])
    with pytest.raises(ResultsError, match="no results"):
        merge_results([])


def test_merged_results_are_taken_apart_into_the_same_runs(tmp_path):
    runs = [with_seed(seed) for seed in (4, 1, 3)]
    merge_results([merge_results(runs[:2]), runs[2]]).save(tmp_path / "merged.json")
    again = split_results(load_results(tmp_path / "merged.json"))
    assert [run.to_json() for run in again] == [run.to_json() for run in runs]
    assert split_results(runs[0]) == runs[:1]


def test_parts_that_say_something_else_are_refused():
    merged = merge_results([with_seed(1), with_seed(2)])
    first, second = merged.provenance["parts"]
    silent = {name: value for name, value in second.items() if name != "covers"}
    garbled = {**second, "covers": {**second["covers"], "options": "size"}}
    for parts, message in (
        ([first], "every episode once"),
        ([first, first], "once"),
        ([first, silent], "what each"),
        ([first, garbled], "what each"),
        (3, "what each"),
    ):
        with pytest.raises(ResultsError, match=message):
            split_results(dataclasses.replace(merged, provenance={**merged.provenance, "parts": parts}))
