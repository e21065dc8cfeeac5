"""Submissions to test with: made up, but such that they could be true."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from newt_bench.catalogue import load_domain
from newt_bench.evaluation import evaluation_seed
from newt_bench.extras import extra_requirements
from newt_bench.leaderboard import Submission, parse_submission, task_set
from newt_bench.results.provenance import package_versions
from newt_bench.version import __version__
from tests.demos.conftest import start  # noqa: F401 (a fixture: local Hubs)

EPISODES = 10


def packages_of(tasks) -> dict[str, str]:
    """The versions that are installed."""
    extras = {load_domain(task.domain).extra for task in tasks}
    return package_versions(["numpy", "gymnasium", *(name for extra in extras for name in extra_requirements(extra))])


def results_document(tasks, skill: float, seeds, *, spec="random", options=None, rng=0) -> dict:
    """A results file of an agent whose scores lie around `skill`."""
    random = np.random.default_rng(rng)
    episodes = []
    for seed in seeds:
        for task in tasks:
            for k in range(EPISODES):
                level = float(np.clip(random.normal(skill, 0.05), 0, 1))
                success = int(random.random() < skill) if task.has_success else None
                value = task.score.low + level * (task.score.high - task.score.low)
                episodes.append(
                    {
                        "task": task.id,
                        "seed": seed,
                        "episode": k,
                        "reset_seed": evaluation_seed(seed, k),
                        "success": success,
                        "score": task.score(value, float(success or 0)),
                        "steps": task.max_episode_steps,
                        "return": value,
                    }
                )
    return {
        "schema": "results-1",
        "agent": {"name": "toy", "spec": spec, "options": options or {}},
        "protocol": {
            "tasks": [task.id for task in tasks],
            "seeds": list(seeds),
            "episodes": EPISODES,
            "obs_type": "state",
            "env_options": {},
        },
        "provenance": {
            "newt_bench": __version__,
            "python": "3.11.2",
            "platform": "Linux",
            "packages": packages_of(tasks),
            "git_revision": "a" * 40,
            "hardware": {"cpu": "x", "cores": 2, "memory_gb": 8.0, "accelerator": None},
            "command": "newt-bench evaluate",
            "started": "2026-01-01T00:00:00+00:00",
            "wall_seconds": 1.0,
            "renderers": {},
        },
        "episodes": episodes,
    }


def make_document(name="Toy", skill=0.5, *, track="lite", tasks="lite", budget=100_000, seeds=(0, 1, 2), rng=0, **more):
    """A submission's document, one that is accepted."""
    return {
        "schema": "submission-1",
        "name": name,
        "authors": ["A. Person"],
        "track": track,
        "tasks": tasks,
        "budget": budget,
        "paper": "https://arxiv.org/abs/2511.19584",
        "code": "https://example.org/toy",
        "checkpoints": [],
        "training": {"environment_steps": 100_000, "demonstrations": 0, "actions_per_look": 1, "parameters": None},
        "notes": "",
        "submitted": "2026-01-02",
        "results": [results_document(task_set(tasks), skill, seeds, rng=rng)],
        **more,
    }


@pytest.fixture(scope="session")
def _good() -> dict:
    return make_document()


@pytest.fixture
def good(_good) -> dict:
    """One that is accepted, to spoil."""
    return copy.deepcopy(_good)


@pytest.fixture
def leaderboard(tmp_path):
    """Makes a folder laid out as `leaderboard/`, of submissions' documents."""

    def make(*documents: dict):
        folder = tmp_path / "board"
        (folder / "submissions").mkdir(parents=True, exist_ok=True)
        for document in documents:
            submission = Submission.from_json(document)
            submission.save(folder / "submissions" / f"{submission.id}.json")
        return folder

    return make


def accepted(**more) -> Submission:
    return parse_submission(json.dumps(make_document(**more)))


@pytest.fixture
def hub(start, monkeypatch):  # noqa: F811
    """A local Hub with the leaderboard's repository."""
    made = start()
    made.token = "hf_secret"
    made.add("tester/leaderboard", {"README.md": b"hello"})
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NEWT_BENCH_LEADERBOARD_REPO", "tester/leaderboard")
    return made
