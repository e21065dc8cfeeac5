"""Leaderboards to build a site of: small ones, with a row of every kind."""

from __future__ import annotations

from pathlib import Path

from newt_bench.leaderboard import Submission, Trust, add_trust
from tests.leaderboard.conftest import make_document

BOARD = {"track": "single-task", "tasks": "core:mujoco"}
EVIDENCE = "3 tasks with seed 0, 10 episodes each: claimed 0.8000, found 0.8000, every return the same"


def made_board(folder: Path) -> Path:
    """One board of four rows, two of them tied, and one board of one row."""
    documents = [
        make_document("Alpha", 0.8, rng=1, authors=["Ada Lovelace", "Grace Hopper"], notes="best of all", **BOARD),
        make_document("Beta", 0.5, rng=2, checkpoints=["https://example.org/beta"], **BOARD),
        make_document("Gamma", 0.5, rng=3, paper=None, **BOARD),
        make_document("Delta", 0.2, rng=4, **BOARD),
        make_document("Lonely", 0.5, rng=5, track="few-shot", tasks="heldout:ogbench"),
    ]
    documents[3]["results"][0]["provenance"]["packages"]["mujoco"] = "3.2.7"
    submissions = [Submission.from_json(document) for document in documents]
    for submission in submissions:
        submission.save(folder / "submissions" / f"{submission.id}.json")
    for submission, level in zip(submissions, ("maintainers", "re-run"), strict=False):
        add_trust(folder / "trust.toml", submission.id, Trust(level, submission.digest, "2026-01-31", EVIDENCE))
    return folder
