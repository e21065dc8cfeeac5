"""A submission: one row of the leaderboard as its file holds it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newt_bench.atomic import write_text
from newt_bench.catalogue import TaskList
from newt_bench.leaderboard.tracks import budget_label, get_track, task_set
from newt_bench.results import Protocol, Results
from newt_bench.schemas import SUBMISSION

__all__ = ["Submission"]


@dataclasses.dataclass(frozen=True)
class Submission:
    """One row: who, what, how it was trained, and every evaluated episode.

    Attributes:
        name: Of the agent, for people.
        track: Name of the track.
        tasks: Name of the task set, see `newt_bench.leaderboard.task_set`.
        budget: One of the track's budgets, or None where it has none.
        code: Link to the code.
        training: What one training run used, by the names of `TRAINING_FIELDS`.
        results: Results files, which together hold every task, seed and episode once.
        submitted: Date, ISO 8601.
        authors: Names.
        paper: Link to the paper, or None.
        checkpoints: Links to trained agents.
        notes: What a reader should know.
    """

    name: str
    track: str
    tasks: str
    budget: int | None
    code: str
    training: Mapping[str, int | None]
    results: tuple[Results, ...]
    submitted: str
    authors: tuple[str, ...] = ()
    paper: str | None = None
    checkpoints: tuple[str, ...] = ()
    notes: str = ""

    @property
    def slug(self) -> str:
        """Name of its file without `.json`: agent, budget, and task set where the track has several."""
        parts = [self.name, budget_label(self.budget)]
        if len(get_track(self.track).tasks) > 1:
            parts.append(self.tasks)
        return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts if part)

    @property
    def id(self) -> str:
        """`<track>/<slug>`: its name in commands, and its place below `leaderboard/submissions/`."""
        return f"{self.track}/{self.slug}"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the training runs, ascending."""
        return tuple(sorted({seed for results in self.results for seed in results.protocol.seeds}))

    @property
    def episodes_per_seed(self) -> int:
        """Episodes per task and seed."""
        return self.results[0].protocol.episodes

    @functools.cached_property
    def merged(self) -> Results:
        """All episodes as one run, in the order of the task set: what scores and aggregates are computed from."""
        first = self.results[0]
        chosen: TaskList = task_set(self.tasks)
        protocol = Protocol(tuple(t.id for t in chosen), self.seeds, self.episodes_per_seed, first.protocol.obs_type)
        order = {task: index for index, task in enumerate(protocol.tasks)}
        records = (record for results in self.results for record in results.episodes)
        episodes = tuple(sorted(records, key=lambda r: (r.seed, order[r.task], r.episode)))
        return Results(first.agent, protocol, first.provenance, episodes)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that it says, whatever its file's white space."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what was played, whatever it is called: equal for equal episodes."""
        rows = [json.dumps(record.to_json(), sort_keys=True) for record in self.merged.episodes]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The JSON document, as `newt_bench/schemas/submission-1.json` defines it."""
        return {
            "schema": SUBMISSION,
            "name": self.name,
            "authors": list(self.authors),
            "track": self.track,
            "tasks": self.tasks,
            "budget": self.budget,
            "paper": self.paper,
            "code": self.code,
            "checkpoints": list(self.checkpoints),
            "training": dict(self.training),
            "notes": self.notes,
            "submitted": self.submitted,
            "results": [results.to_json() for results in self.results],
        }

    def to_text(self) -> str:
        """The file's text, one line per episode."""
        document = self.to_json()
        parts = []
        for results in document.pop("results"):
            episodes = ",\n".join("        " + json.dumps(row, allow_nan=False) for row in results.pop("episodes"))
            head = json.dumps(results, allow_nan=False)
            parts.append(f'    {head[:-1]}, "episodes": [\n{episodes}\n    ]}}')
        head = json.dumps(document, indent=2, allow_nan=False)
        return f'{head[:-2]},\n  "results": [\n' + ",\n".join(parts) + "\n  ]\n}\n"

    def save(self, path: Path) -> None:
        """Writes the file, atomically."""
        write_text(path, self.to_text())

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Submission:
        """The inverse of `to_json`, for a document that the schema admits."""
        fields = {key: value for key, value in document.items() if key != "schema"}
        for key in ("authors", "checkpoints"):
            fields[key] = tuple(fields[key])
        fields["results"] = tuple(Results.from_json(results) for results in fields["results"])
        return Submission(**fields)
