"""Results: every episode of a run, and the JSON file that holds them."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import write_text
from newt_bench.catalogue import get_task
from newt_bench.errors import ResultsError, UnknownTaskError
from newt_bench.results.provenance import package_versions
from newt_bench.results.statistics import Estimate, aggregate_scores, estimate
from newt_bench.schemas import RESULTS, validate

__all__ = ["EpisodeRecord", "Protocol", "Results", "load_results"]


@dataclasses.dataclass(frozen=True)
class EpisodeRecord:
    """One evaluated episode.

    Attributes:
        task: Gymnasium id.
        seed: Seed of the training run (of the policy, for an agent that does not train).
        episode: Index of the episode, from 0.
        reset_seed: Seed that the environment was reset with.
        episode_return: Undiscounted return.
        success: 0 or 1 at the last step, None where the task defines none.
        score: Score in [0, 1] at the last step.
        steps: Length in agent steps.
    """

    task: str
    seed: int
    episode: int
    reset_seed: int
    episode_return: float
    success: int | None
    score: float
    steps: int

    @property
    def key(self) -> tuple[str, int, int]:
        """Task, seed and episode: what makes a record unique within a run."""
        return self.task, self.seed, self.episode

    def to_json(self) -> dict[str, Any]:
        """The record as `results-1.json` defines it."""
        record = dataclasses.asdict(self)
        record["return"] = record.pop("episode_return")
        return record

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> EpisodeRecord:
        """The inverse of `to_json`."""
        fields = dict(record)
        return EpisodeRecord(episode_return=fields.pop("return"), **fields)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What was asked for.

    Attributes:
        tasks: Gymnasium ids.
        seeds: Seeds of the training runs.
        episodes: Episodes per task and seed.
        obs_type: Observation type of the environments.
        env_options: Further keyword arguments of the environments, such as Atari's `joystick`: options that make a
            variant of the task, whose scores do not compare with those of the task itself.
    """

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    episodes: int
    obs_type: str
    env_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Results:
    """The outcome of an evaluation.

    Attributes:
        agent: Name, spec and options of the agent.
        protocol: What was asked for.
        provenance: Versions, hardware, command and times.
        episodes: All records.
    """

    agent: Mapping[str, Any]
    protocol: Protocol
    provenance: Mapping[str, Any]
    episodes: tuple[EpisodeRecord, ...]

    @property
    def complete(self) -> bool:
        """Whether every episode that the protocol asks for is there."""
        protocol = self.protocol
        return len(self.episodes) == len(protocol.tasks) * len(protocol.seeds) * protocol.episodes

    def scores(self) -> dict[str, NDArray[np.float64]]:
        """Mean score of each seed, shape (seeds,), by task name, in the protocol's order."""
        return self._seed_means("score")

    def returns(self) -> dict[str, NDArray[np.float64]]:
        """Mean return of each seed, shape (seeds,), by task name, in the protocol's order."""
        return self._seed_means("episode_return")

    def _seed_means(self, field: str) -> dict[str, NDArray[np.float64]]:
        collected: dict[str, dict[int, list[float]]] = {
            task: {seed: [] for seed in self.protocol.seeds} for task in self.protocol.tasks
        }
        for record in self.episodes:
            collected[record.task][record.seed].append(getattr(record, field))
        return {
            get_task(task).name: np.array([np.mean(values) for values in by_seed.values() if values])
            for task, by_seed in collected.items()
            if any(by_seed.values())
        }

    def task_estimates(self) -> dict[str, Estimate]:
        """Mean score by task name, each with its interval over seeds."""
        return {
            task: estimate([scores], lambda sample, axis: sample.mean(axis=axis))
            for task, scores in self.scores().items()
        }

    def aggregate(self) -> dict[str, Estimate]:
        """Aggregate scores with 95% intervals: `mean`, `domain_mean`, `iqm`.

        Seeds are resampled within tasks; with one seed there is no interval (`low` and `high` are None).

        Raises:
            ResultsError: The run is incomplete.
        """
        if not self.complete:
            raise ResultsError(
                f"The run is incomplete ({len(self.episodes)} episodes); finish it with --resume before aggregating"
            )
        scores = self.scores()
        return aggregate_scores(scores, {task: get_task(task).domain for task in scores})

    def to_json(self) -> dict[str, Any]:
        """The JSON document, as `newt_bench/schemas/results-1.json` defines it."""
        protocol = dataclasses.asdict(self.protocol)
        return {
            "schema": RESULTS,
            "agent": dict(self.agent),
            "protocol": {k: list(v) if isinstance(v, tuple) else v for k, v in protocol.items()},
            "provenance": dict(self.provenance),
            "episodes": [record.to_json() for record in self.episodes],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Results:
        """The inverse of `to_json`, for a document that the schema admits.

        Raises:
            UnknownTaskError: The catalogue lacks one of its tasks.
            ResultsError: Its episodes are not those of its protocol, or one stands there twice.
        """
        raw = document["protocol"]
        protocol = Protocol(**dict(raw, tasks=tuple(raw["tasks"]), seeds=tuple(raw["seeds"])))
        for task in protocol.tasks:
            get_task(task)
        episodes = tuple(EpisodeRecord.from_json(record) for record in document["episodes"])
        seen: set[tuple[str, int, int]] = set()
        for record in episodes:
            asked = (
                record.task in protocol.tasks and record.seed in protocol.seeds and record.episode < protocol.episodes
            )
            if not asked:
                raise ResultsError(f"episode {record.key} is not part of the protocol")
            if record.key in seen:
                raise ResultsError(f"episode {record.key} stands there twice")
            seen.add(record.key)
        return Results(document["agent"], protocol, document["provenance"], episodes)

    def save(self, path: str | Path) -> None:
        """Writes the results to a JSON file, atomically.

        Args:
            path: The file; missing folders are made.
        """
        document = self.to_json()
        validate(document, RESULTS)
        episodes = document.pop("episodes")
        head = json.dumps(document, indent=2, allow_nan=False)
        rows = ",\n".join("    " + json.dumps(row, allow_nan=False) for row in episodes)
        # One line per episode keeps files short and their differences readable.
        write_text(Path(path), f'{head[:-2]},\n  "episodes": [\n{rows}\n  ]\n}}\n')


def load_results(path: str | Path) -> Results:
    """Reads a results file.

    Args:
        path: A JSON file that `Results.save` wrote.

    Returns:
        The results. Warns when they were made with other simulator versions than those installed here.

    Raises:
        ResultsError: The file cannot be read, breaks the schema, or contradicts itself.
    """
    path = Path(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ResultsError(f"{path}: not JSON: {error}") from error
    try:
        validate(document, RESULTS)
        results = Results.from_json(document)
    except (ResultsError, UnknownTaskError) as error:
        raise ResultsError(f"{path}: {error}") from error
    _warn_of_other_versions(path, results)
    return results


def _warn_of_other_versions(path: Path, results: Results) -> None:
    recorded = results.provenance["packages"]
    here = package_versions(recorded)
    differing = [f"{name} {recorded[name]} (here {here[name]})" for name in here if here[name] != recorded[name]]
    if differing:
        warnings.warn(f"{path} was made with other versions: {', '.join(differing)}", stacklevel=3)
