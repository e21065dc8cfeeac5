"""Submissions: a good one is accepted; every bad one is refused with field, found and expected."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newt_bench.catalogue import get_task
from newt_bench.leaderboard import Submission, SubmissionError, limits, parse_submission, read_submission
from newt_bench.schemas import SUBMISSION, validate
from tests.leaderboard.conftest import make_document, results_document


def test_a_good_one_is_accepted(good, tmp_path):
    submission = parse_submission(json.dumps(good))
    assert submission.id == "lite/toy-100k"
    assert submission.seeds == (0, 1, 2)
    assert submission.merged.complete
    assert submission.to_json() == good
    submission.save(tmp_path / "x.json")
    assert read_submission(tmp_path / "x.json") == submission
    validate(json.loads((tmp_path / "x.json").read_text()), SUBMISSION)


def test_results_may_come_in_several_files(good):
    """One per training run, as when each has a checkpoint of its own; the numbers are those of one file."""
    whole = good["results"][0]
    parts = []
    for seed in (2, 0, 1):
        part = copy.deepcopy(whole)
        part["protocol"]["seeds"] = [seed]
        part["agent"]["options"] = {"checkpoint": f"runs/{seed}"}
        part["episodes"] = [record for record in whole["episodes"] if record["seed"] == seed]
        parts.append(part)
    split = parse_submission(json.dumps({**good, "results": parts}))
    assert split.merged.episodes == parse_submission(json.dumps(good)).merged.episodes
    assert split.fingerprint == parse_submission(json.dumps(good)).fingerprint


def first(document: dict, task: str = "walker-run") -> dict:
    return next(r for r in document["results"][0]["episodes"] if r["task"] == get_task(task).id)


def repeat_seed(document: dict) -> None:
    """Seed 1 gets the returns of seed 0."""
    episodes = document["results"][0]["episodes"]
    values = {(r["task"], r["episode"]): r for r in episodes if r["seed"] == 0}
    for record in episodes:
        if record["seed"] == 1:
            source = values[record["task"], record["episode"]]
            record.update({key: source[key] for key in ("return", "score", "success")})


def one_checkpoint(document: dict) -> None:
    document["results"][0]["agent"]["options"]["checkpoint"] = "runs/best"


def drop_task(document: dict) -> None:
    results = document["results"][0]
    results["episodes"] = [r for r in results["episodes"] if r["task"] != "newt/mw-reach-v0"]


def other_seeds(document: dict) -> None:
    results = document["results"][0]
    results["protocol"]["seeds"] = [0, 1, 7]
    for record in results["episodes"]:
        record["seed"] = {2: 7}.get(record["seed"], record["seed"])


def few_seeds(document: dict) -> None:
    results = document["results"][0]
    results["protocol"]["seeds"] = [0, 1]
    results["episodes"] = [r for r in results["episodes"] if r["seed"] < 2]


def few_episodes(document: dict) -> None:
    results = document["results"][0]
    results["protocol"]["episodes"] = 2
    results["episodes"] = [r for r in results["episodes"] if r["episode"] < 2]


def twice(document: dict) -> None:
    document["results"][0]["episodes"].append(dict(document["results"][0]["episodes"][0]))


def set_in(*path):
    *way, last, value = path

    def change(document):
        for key in way:
            document = document[key]
        document[last] = value

    return change


RESULTS, EPISODE = ("results", 0), ("results", 0, "episodes", 0)

# What is changed, the field that is named, what is said to be found, and to be expected.
BAD = {
    "script as name": (set_in("name", "<script>alert(1)</script>"), "$.name", "<script>", "pattern"),
    "formula as name": (set_in("name", "=HYPERLINK(1)"), "$.name", "=HYPERLINK", "pattern"),
    "script as link": (set_in("code", "javascript:alert(1)"), "$.code", "javascript", "pattern"),
    "quote in a link": (set_in("paper", 'https://a.org/"onclick'), "$.paper", "onclick", "https link"),
    "unencrypted link": (set_in("checkpoints", ["http://a.org/x"]), "$.checkpoints[0]", "http://a.org", "pattern"),
    "terminal escape": (set_in("notes", "\x1b[2J"), "$.notes", "U+001B", "without control"),
    "reversed text": (set_in("authors", ["A\u202egpj.exe"]), "$.authors[0]", "U+202E", "without control"),
    "hidden in the command": (
        set_in(*RESULTS, "provenance", "command", "newt\x00bench"),
        "$.results[0].provenance.command",
        "U+0000",
        "without control",
    ),
    "trust of its own": (set_in("trust", "maintainers"), "$", '["trust"]', "fields of the schema only"),
    "no code": (lambda d: d.pop("code"), "$", "no code", "required"),
    "unknown track": (set_in("track", "easy"), "$.track", '"easy"', "multitask, single-task"),
    "unknown tasks": (set_in("tasks", "core:doom"), "$.tasks", '"core:doom"', "core, heldout, lite"),
    "tasks of another track": (set_in("tasks", "heldout"), "$.tasks", '"heldout"', "for track lite: lite"),
    "budget between budgets": (set_in("budget", 500_000), "$.budget", "500000", "100000 (100k), 1000000 (1M)"),
    "more steps than the budget": (
        set_in("training", "environment_steps", 100_001),
        "$.training.environment_steps",
        "100001",
        "0 to 100000",
    ),
    "open loop": (set_in("training", "actions_per_look", 4), "$.training.actions_per_look", "4", "1 (actions played"),
    "half a step": (set_in(*EPISODE, "steps", 500.0), "$.results[0].episodes[0].steps", "500.0", "whole number"),
    "true as success": (set_in(*EPISODE, "success", True), "$.results[0].episodes[0].success", "true", "enum"),
    "other observations": (
        set_in(*RESULTS, "protocol", "obs_type", "rgb"),
        "$.results[0].protocol.obs_type",
        '"rgb"',
        "state",
    ),
    "a variant": (
        set_in(*RESULTS, "protocol", "env_options", {"joystick": "deadzone"}),
        "$.results[0].protocol.env_options",
        "joystick",
        "no variants",
    ),
    "a task left out": (drop_task, "$.results[*].episodes", "none of newt/mw-reach-v0", "all 20 tasks"),
    "an episode left out": (
        lambda d: d["results"][0]["episodes"].pop(0),
        "$.results[*].episodes",
        "9 episodes of newt/walker-run-v0 with seed 0",
        "10",
    ),
    "an episode twice": (twice, "$.results[0].episodes[600]", "twice", "once"),
    "another task beside": (
        lambda d: d["results"].append(results_document([get_task("cup-catch")], 0.5, (0, 1, 2))),
        "$.results[*].protocol.tasks",
        "newt/cup-catch-v0",
        "the tasks of lite only",
    ),
    "unknown task": (
        lambda d: d["results"][0]["protocol"]["tasks"].append("newt/walker-run-v1"),
        "$.results[0].protocol.tasks[20]",
        "walker-run-v1",
        "id of a task",
    ),
    "two seeds": (few_seeds, "$.results[*].protocol.seeds", "2 seeds", "3 to 50"),
    "chosen seeds": (other_seeds, "$.results[*].protocol.seeds", "[0, 1, 7]", "not chosen ones"),
    "two episodes": (few_episodes, "$.results[0].protocol.episodes", "2", "10 to 100"),
    "start of one's own": (
        lambda d: first(d).update(reset_seed=2**30 + 1),
        "$.results[0].episodes[0].reset_seed",
        str(2**30 + 1),
        "the start of seed 0, episode 0",
    ),
    "short episode": (
        lambda d: first(d).update(steps=499),
        "$.results[0].episodes[0].steps",
        "499",
        "500: the horizon",
    ),
    "score above its return": (
        lambda d: first(d).update(score=0.99),
        "$.results[0].episodes[0].score",
        "0.99",
        "which the return",
    ),
    "score above 1": (lambda d: first(d).update(score=1.01), "$.results[0].episodes[0].score", "1.01", "maximum 1"),
    "return that is none": (
        lambda d: first(d).update({"return": 1e6}),
        "$.results[0].episodes[0].score",
        "0.",
        "1000.000000, which the return",
    ),
    "score without success": (
        lambda d: first(d, "mw-reach").update(success=0, score=1.0),
        "$.results[0].episodes[50].score",
        "1.0",
        "0.000000, which the success",
    ),
    "success where there is none": (
        lambda d: first(d).update(success=1),
        "$.results[0].episodes[0].success",
        "1",
        "null for newt/walker-run-v0",
    ),
    "one seed for two": (repeat_seed, "$.results[*].episodes", "seed 0 again for seed 1", "training run of its own"),
    "one checkpoint for three": (
        one_checkpoint,
        "$.results[0].agent.options.checkpoint",
        '"runs/best" for seeds [0, 1, 2]',
        "training run of its own",
    ),
    "option in place of an agent": (
        set_in(*RESULTS, "agent", "spec", "--resume"),
        "$.results[0].agent.spec",
        '"--resume"',
        "name of an installed agent",
    ),
    "trained for longer than told": (
        set_in(*RESULTS, "provenance", "training", {"settings": {"steps": 100_001}}),
        "$.training.environment_steps",
        "100000",
        "at least 100001, as $.results[0].provenance.training tells",
    ),
    "demonstrations not told": (
        set_in(*RESULTS, "provenance", "training", {"settings": {"steps": 5, "demonstrations": "hub"}}),
        "$.training.demonstrations",
        "0",
        "at least 1, as",
    ),
    "versions not told": (
        lambda d: d["results"][0]["provenance"]["packages"].pop("mujoco"),
        "$.results[0].provenance.packages",
        "no mujoco",
        "versions of all simulators",
    ),
    "version that is none": (
        set_in(*RESULTS, "provenance", "packages", "mujoco", "latest"),
        '$.results[0].provenance, version of "mujoco"',
        '"latest"',
        "a version such as",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_ones_are_refused(good, case):
    change, field, found, expected = BAD[case]
    change(good)
    with pytest.raises(SubmissionError) as caught:
        parse_submission(json.dumps(good), "x.json")
    assert str(caught.value).startswith("x.json is refused:\n")
    matching = [problem for problem in caught.value.problems if problem.field == field]
    assert matching, caught.value
    assert any(found in problem.found and expected in problem.expected for problem in matching), caught.value
    assert str(caught.value).replace("\n", "").isprintable()


BAD_TEXT = {
    "no JSON": ('{"name": ', "a JSON document"),
    "not UTF-8": (b'{"name": "\xff"}', "a JSON document in UTF-8"),
    "a name twice": ('{"score": 0, "score": 1}', "each name once"),
    "NaN": ('{"return": NaN}', "finite numbers"),
    "infinity": ('{"return": 1e999}', "finite numbers"),
    "endless number": ('{"seed": ' + "9" * 5000 + "}", "at most 18"),
    "lone surrogate": (r'{"name": "\ud800"}', "without control"),
    "list without end": ('{"seeds": [' + "0, " * 1000 + "null]}", "at most 1000"),
    "deep": ("[" * 100_000, "levels|JSON"),
    "deep, but not too deep to parse": ("[" * 50 + "]" * 50, "at most 20 levels"),
    "an array": ("[]", 'type "object"'),
    "nothing": ("", "a JSON document"),
    "too long": (" " * (limits().file_bytes + 1), f"at most {limits().file_bytes}"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_is_refused(case):
    text, expected = BAD_TEXT[case]
    with pytest.raises(SubmissionError, match=expected):
        parse_submission(text)


def test_all_problems_are_told_at_once(good):
    for record in good["results"][0]["episodes"]:
        record["steps"] += 1
    with pytest.raises(SubmissionError, match=r"and 80 more") as caught:
        parse_submission(json.dumps(good))
    assert len(caught.value.problems) == 100


def test_open_loop_budgets_are_exact():
    more = {"track": "open-loop", "tasks": "lite"}
    training = {"environment_steps": 5, "demonstrations": 0, "actions_per_look": 16, "parameters": None}
    assert parse_submission(json.dumps(make_document(**more, budget=16, training=training))).slug == "toy-16-lite"
    with pytest.raises(SubmissionError, match=r"training\.actions_per_look: found 16; expected 48"):
        parse_submission(json.dumps(make_document(**more, budget=48, training=training)))


def test_missing_file(tmp_path):
    with pytest.raises(SubmissionError, match="No such file"):
        read_submission(tmp_path / "none.json")


SMALL = make_document(track="few-shot", tasks="heldout:ogbench", budget=100_000)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """Paths of everything in a document; of long arrays only the first and the last items."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from places(value[index], (*path, index))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(list(places(SMALL))[1:]), JSON_VALUES), min_size=1, max_size=2))
def test_fuzzed_documents(changes):
    """Whatever is put wherever: it is refused with reasons, or what is accepted says exactly that and can be true."""
    document = copy.deepcopy(SMALL)
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # where an earlier change took the place away
            set_in(*path, value)(document)
    check_fuzzed(json.dumps(document))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200) | JSON_VALUES.map(json.dumps))
def test_fuzzed_text(text):
    check_fuzzed(text)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(json.dumps(SMALL)) - 1), st.integers(0, 30), st.text(max_size=5))
def test_fuzzed_splices(start, length, inserted):
    text = json.dumps(SMALL)
    check_fuzzed(text[:start] + inserted + text[start + length :])


def check_fuzzed(text: str | bytes) -> None:
    problems = ()
    try:
        submission = parse_submission(text)
    except SubmissionError as error:
        problems = error.problems or [None]
    for problem in problems:
        assert problem.field.startswith("$")
        assert problem.found
        assert problem.expected
        assert str(problem).isprintable()
    if problems:
        return
    assert submission.to_json() == json.loads(text)
    assert Submission.from_json(submission.to_json()) == submission
    assert parse_submission(submission.to_text()) == submission
    for value in (item.value for item in submission.merged.aggregate().values()):
        assert 0 <= value <= 1
