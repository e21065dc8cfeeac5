"""From results to a row: building, the pull request on a local Hub, verification by playing again, the commands."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

import newt_bench
from newt_bench.cli.options import parse_options
from newt_bench.errors import AgentError, DownloadError, InputError
from newt_bench.leaderboard import (
    Entry,
    Submission,
    SubmissionError,
    build_submission,
    hub_repository,
    open_pull_request,
    parse_submission,
    reproduction_commands,
    verify,
)
from newt_bench.results import Results, merge_results
from newt_bench.training import TrainingSettings
from tests.leaderboard.conftest import make_document

TRAINING = {"environment_steps": 0, "demonstrations": 0, "actions_per_look": 1, "parameters": 0}
ENTRY = Entry("Random play", "few-shot", "https://example.org/random", TRAINING)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Results of the random agent on the two held-out tasks of a domain, and the submission made from them."""
    path = tmp_path_factory.mktemp("played") / "results.json"
    newt_bench.evaluate(
        "random", ["og-point-var1", "og-point-var2"], episodes=10, seed=(0, 1, 2), out=path, progress=False
    )
    return path, build_submission(ENTRY, [path])


def test_task_set_and_budget_follow_from_the_results(played):
    path, submission = played
    assert (submission.id, submission.tasks, submission.budget) == (
        "few-shot/random-play-0-heldout-ogbench",
        "heldout:ogbench",
        0,
    )
    assert submission.merged.episodes == newt_bench.load_results(path).episodes
    more = dataclasses.replace(ENTRY, training={**TRAINING, "environment_steps": 20_001})
    assert build_submission(more, [path]).budget == 100_000
    with pytest.raises(SubmissionError, match=r"budget: found null; expected for track few-shot"):
        build_submission(dataclasses.replace(ENTRY, training={**TRAINING, "environment_steps": 100_001}), [path])
    with pytest.raises(SubmissionError, match=r"none of .*expected all 20 tasks of lite"):
        build_submission(dataclasses.replace(ENTRY, track="lite"), [path])
    with pytest.raises(InputError, match="no results"):
        build_submission(ENTRY, [])
    with pytest.raises(InputError, match="There is no track 'none'"):
        build_submission(dataclasses.replace(ENTRY, track="none"), [path])


def test_a_pull_request_holds_the_file_and_leaves_the_main_branch_alone(hub, played):
    _, submission = played
    before = hub.branches["tester/leaderboard"]["main"]
    url = open_pull_request(submission)
    assert url == f"{hub.url}/datasets/tester/leaderboard/discussions/1"
    branches = hub.branches["tester/leaderboard"]
    assert branches["main"] == before
    files = hub.repositories["tester/leaderboard"][branches["refs/pr/1"]]
    assert set(files) == {"README.md", f"submissions/{submission.id}.json"}
    assert parse_submission(files[f"submissions/{submission.id}.json"]) == submission


def test_a_pull_request_that_is_refused(hub, played, monkeypatch):
    _, submission = played
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(DownloadError, match=r"does not take the pull request \(.*401.*hf auth login.*--out"):
        open_pull_request(submission)
    monkeypatch.setenv("NEWT_BENCH_LEADERBOARD_REPO", "https://evil.org")
    with pytest.raises(InputError, match="NEWT_BENCH_LEADERBOARD_REPO must be owner/name"):
        hub_repository()


def test_an_honest_claim_holds(played):
    result = verify(played[1], 2, episodes=5, sample_seed=0)
    assert result.exact
    assert result.holds
    assert [check.task for check in result.checks] == ["og-point-var1", "og-point-var2", "all"]
    assert str(result).startswith("2 tasks with seed 0, 5 episodes each: claimed 0.0000, found 0.0000, every return")


def test_an_inflated_claim_does_not_hold(played):
    """It passes every rule that a file can be held to, since success is for the claimant to say."""
    document = played[1].to_json()
    for record in document["results"][0]["episodes"]:
        if record["episode"] != 0:
            record.update(success=1, score=1.0)
    result = verify(parse_submission(json.dumps(document)), ["og-point-var2"])
    assert not result.holds
    assert result.exact  # it left the returns alone
    assert result.checks[0].claimed == pytest.approx(0.9)
    assert result.checks[0].found == 0


def test_one_task_among_many_is_told_apart(played):
    document = played[1].to_json()
    for record in document["results"][0]["episodes"]:
        if record["task"] == "newt/og-point-var1-v0" and record["episode"] != 0:
            record.update(success=1, score=1.0)
    result = verify(parse_submission(json.dumps(document)), 2)
    assert [check.holds for check in result.checks[:2]] == [False, True]
    assert not result.holds


def test_what_cannot_be_verified(played):
    submission = played[1]
    with pytest.raises(InputError, match="no seed 3"):
        verify(submission, 1, seed=3)
    with pytest.raises(InputError, match=r"episodes must lie in 5\.\.10, not 4"):
        verify(submission, 1, episodes=4)
    with pytest.raises(InputError, match="1 to 2 tasks, not 3"):
        verify(submission, 3)
    with pytest.raises(InputError, match="does not cover walker-run"):
        verify(submission, ["walker-run"])


def test_a_strangers_import_path_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("import pathlib\npathlib.Path(__file__ + '.sprung').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    document = make_document(track="few-shot", tasks="heldout:ogbench")
    document["results"][0]["agent"]["spec"] = "trap:Agent"
    with pytest.raises(InputError, match=r'by import path, "trap:Agent"; say which with --agent'):
        verify(parse_submission(json.dumps(document)), 1)
    assert not (tmp_path / "trap.py.sprung").exists()


def test_commands_make_the_results_anew(good):
    good["results"][0]["agent"] = {
        "name": "n",
        "spec": "newt",
        "options": {"checkpoint": "a b", "text": "3", "size": 3},
    }
    (command,) = reproduction_commands(Submission.from_json(good))
    assert command == [
        *("newt-bench", "evaluate", "--agent", "newt"),
        *("--option", "checkpoint=a b", "--option", 'text="3"', "--option", "size=3"),
        *(
            "--split",
            "lite",
            "--episodes",
            "10",
            "--seed",
            "0",
            "--seed",
            "1",
            "--seed",
            "2",
            "--out",
            "toy-100k-0.json",
        ),
    ]
    two = make_document(track="few-shot", tasks="heldout:ogbench")
    (command,) = reproduction_commands(Submission.from_json(two))
    assert command[4:6] == ["--tasks", "og-point-var1,og-point-var2"]


def trained(document: dict, steps: int, **order) -> dict:
    """The document as if `newt_bench.train` had made its results."""
    settings = TrainingSettings(steps=steps, seed=0, demonstrations="hub", num_envs_per_task=2)
    document["training"]["demonstrations"] = 20
    for results in document["results"]:
        results["agent"] = {"name": "newt", "spec": "newt", "options": {"size": "S"}}
        results["provenance"]["training"] = {"settings": settings.to_dict(), **order}
    return document


def test_results_of_training_tell_their_steps(tmp_path):
    (document,) = trained(make_document(track="few-shot", tasks="heldout:ogbench"), 12_000)["results"]
    (tmp_path / "results.json").write_text(json.dumps(document))
    training = {**TRAINING, "environment_steps": None, "demonstrations": 5}
    built = build_submission(dataclasses.replace(ENTRY, training=training), [tmp_path / "results.json"])
    assert (built.training["environment_steps"], built.budget) == (12_000, 20_000)


def test_merged_results_are_submitted_run_by_run(tmp_path):
    (document,) = trained(make_document(track="few-shot", tasks="heldout:ogbench"), 12_000)["results"]
    merged = Results.from_json(document)
    runs = []
    for seed in merged.protocol.seeds:
        training = {"settings": {**document["provenance"]["training"]["settings"], "seed": seed}}
        runs.append(
            dataclasses.replace(
                merged,
                protocol=dataclasses.replace(merged.protocol, seeds=(seed,)),
                provenance={**merged.provenance, "training": training},
                episodes=tuple(record for record in merged.episodes if record.seed == seed),
            )
        )
    merge_results(runs).save(tmp_path / "merged.json")
    training = {**TRAINING, "environment_steps": None, "demonstrations": 5}
    built = build_submission(dataclasses.replace(ENTRY, training=training), [tmp_path / "merged.json"])
    assert [run.to_json() for run in built.results] == [run.to_json() for run in runs]
    commands = reproduction_commands(built)
    assert [f"seed={seed}" in command for seed, command in enumerate(commands)] == [True] * len(runs)
    joined = built.to_json() | {"results": [merge_results(runs).to_json()]}
    with pytest.raises(SubmissionError, match=r"\$\.results\[0\]\.provenance\.parts: found results of several runs"):
        parse_submission(json.dumps(joined))


def test_steps_that_nobody_recorded_must_be_told(played):
    with pytest.raises(InputError, match="how many agent steps"):
        build_submission(dataclasses.replace(ENTRY, training={**TRAINING, "environment_steps": None}), [played[0]])


def test_what_was_trained_is_trained_anew():
    start = {"recipe": None, "adapted_from": "runs/core"}
    document = trained(make_document(track="few-shot", tasks="heldout:ogbench"), 12_000, **start)
    (command,) = reproduction_commands(Submission.from_json(document))
    assert command[:5] == ["newt-bench", "train", "newt", "--tasks", "og-point-var1,og-point-var2"]
    assert command[5:7] == ["--adapt", "runs/core"]
    assert command[-4:] == ["--option", "size=S", "--out", "toy-100k-heldout-ogbench-0"]
    pairs = [word for flag, word in itertools.pairwise(command) if flag == "--setting"]
    settings = TrainingSettings.from_mapping(parse_options(pairs))
    assert settings == TrainingSettings(steps=12_000, demonstrations="hub", num_envs_per_task=2)


def test_what_was_trained_is_verified_from_its_checkpoint(tmp_path):
    document = trained(make_document(track="few-shot", tasks="heldout:ogbench"), 12_000)
    submission = Submission.from_json(document)
    with pytest.raises(InputError, match="say what to evaluate with --checkpoint"):
        verify(submission, 1)
    with pytest.raises(AgentError, match=r"run-0-og-point-var2"):  # that there is none is for the agent to say
        verify(submission, ["og-point-var2"], checkpoint=f"{tmp_path}/run-{{seed}}-{{task}}")


def test_the_whole_way(run_cli, hub, played, tmp_path):
    """What the documentation tells submitters and maintainers to do."""
    results, submission = played
    described = (
        "--track",
        "few-shot",
        "--name",
        "Random play",
        "--code",
        "https://example.org/random",
        "--steps",
        0,
    )
    tried = run_cli("submit", results, *described, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "accepted; not sent" in tried.stdout
    assert not hub.requests
    sent = run_cli("submit", results, *described)
    assert sent.stdout.splitlines()[-1].endswith("/discussions/1"), sent.stderr
    board = tmp_path / "board"
    assert run_cli("submit", results, *described, "--out", board / "submissions").returncode == 0
    again = run_cli("submit", results, *described, "--out", board / "submissions")
    assert again.returncode == 2
    assert "exists" in again.stderr
    path = board / "submissions" / f"{submission.id}.json"
    verified = run_cli(
        *("leaderboard", "verify", path, "--tasks", "og-point-var1", "--episodes", 5),
        *("--record", "re-run", "--folder", board),
    )
    assert verified.returncode == 0, verified.stderr
    assert "1 submissions, all accepted" in run_cli("leaderboard", "validate", board).stdout
    shown = run_cli("leaderboard", "show", "--folder", board).stdout
    assert submission.id in shown
    assert "re-run" in shown
    assert run_cli("leaderboard", "export", tmp_path / "all.csv", "--folder", board).returncode == 0
    assert (tmp_path / "all.csv").read_text().count(submission.id) == 6
    again = run_cli("reproduce", submission.id, "--run", "--folder", board)
    assert again.returncode == 0, again.stderr
    assert newt_bench.load_results(tmp_path / f"{submission.slug}-0.json").episodes == submission.merged.episodes
    path.write_text(path.read_text().replace('"score": 0.0', '"score": 1.0', 1))
    refused = run_cli("leaderboard", "validate", board)
    assert refused.returncode == 1
    assert "$.results[0].episodes[0].score: found 1.0; expected 0.000000" in refused.stderr
    inflated = run_cli("leaderboard", "validate", path)
    assert inflated.returncode == 1
