"""Evaluates a sample of a submission's tasks anew, and says whether what it claims holds."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task, get_task
from newt_bench.errors import InputError
from newt_bench.evaluation import evaluate
from newt_bench.leaderboard.problems import shown
from newt_bench.leaderboard.rules import recorded_training
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.tracks import task_set
from newt_bench.results import CONFIDENCE, EpisodeRecord, Results

__all__ = ["MIN_EPISODES", "TOLERANCE", "TaskCheck", "Verification", "verify"]

#: Fewer episodes make intervals that hold too seldom.
MIN_EPISODES = 5

#: Differences of mean scores below this count as none: simulators round differently on other machines.
TOLERANCE = 0.005


@dataclasses.dataclass(frozen=True)
class TaskCheck:
    """One task, claimed and evaluated anew on the same starts.

    Attributes:
        task: Name of the task; `all` for the mean over the sample.
        claimed: Mean score that the submission claims for the seed.
        found: Mean score of the new evaluation.
        low: Lower end of the interval of claimed minus found.
        high: Upper end.
    """

    task: str
    claimed: float
    found: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the claim lies within the interval."""
        return self.low - TOLERANCE <= 0 <= self.high + TOLERANCE


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        checks: One per task of the sample, then that of their mean.
        seed: The training run that was evaluated.
        episodes: Episodes per task.
        exact: Whether every return came out the same bit for bit.
    """

    checks: tuple[TaskCheck, ...]
    seed: int
    episodes: int
    exact: bool

    @property
    def holds(self) -> bool:
        """Whether every claim lies within its interval."""
        return all(check.holds for check in self.checks)

    def __str__(self) -> str:
        mean = self.checks[-1]
        manner = "every return the same" if self.exact else f"difference in [{mean.low:.3f}, {mean.high:.3f}]"
        return (
            f"{len(self.checks) - 1} tasks with seed {self.seed}, {self.episodes} episodes each: claimed "
            f"{mean.claimed:.4f}, found {mean.found:.4f}, {manner}"
        )


def verify(
    submission: Submission,
    tasks: int | Sequence[str] = 5,
    *,
    agent: str | None = None,
    checkpoint: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    episodes: int | None = None,
    sample_seed: int | None = None,
    workers: int = 1,
) -> Verification:
    """Evaluates some of a submission's tasks anew, on the same starts as it claims.

    Differences are taken episode by episode. The interval of a task's mean difference is Student's, at a level that
    makes all of them together hold with 95% probability (Bonferroni); so is that of the mean over the sample.

    Args:
        submission: The submission.
        tasks: How many tasks, drawn at random, or their names.
        agent: Name or import path of the agent. None for what the submission names, if that is the name of an installed
            agent: a stranger's import path is not followed.
        checkpoint: Option `checkpoint` of the agent, in place of what the submission says; `{task}` and `{seed}` in it
            stand for the task and the seed.
        options: Further options that replace those of the submission.
        seed: Which training run.
        episodes: Episodes per task; None for as many as were submitted.
        sample_seed: Seed of the drawing; None for one that nobody can foresee.
        workers: Processes to play in.

    Raises:
        InputError: There is no such seed or task, there are too few episodes, or the agent or its checkpoint must be
            named.
        AgentError: The agent cannot be built.
    """
    chosen = _sample(submission, tasks, sample_seed)
    count = submission.episodes_per_seed if episodes is None else episodes
    if seed not in submission.seeds:
        raise InputError(f"{submission.id} has no seed {seed}; it has {list(submission.seeds)}")
    if not MIN_EPISODES <= count <= submission.episodes_per_seed:
        raise InputError(f"episodes must lie in {MIN_EPISODES}..{submission.episodes_per_seed}, not {count}")
    found: dict[str, list[EpisodeRecord]] = defaultdict(list)
    for (spec, text), group in _groups(submission, chosen, seed, agent, checkpoint, options or {}).items():
        run = evaluate(
            spec,
            group,
            count,
            seed,
            obs_type=submission.results[0].protocol.obs_type,  # type: ignore[arg-type] # checked by the track's rules
            options=json.loads(text),
            workers=workers,
        )
        for record in run.episodes:
            found[record.task].append(record)
    claimed: dict[str, list[EpisodeRecord]] = defaultdict(list)
    for record in submission.merged.episodes:
        if record.seed == seed and record.episode < count:
            claimed[record.task].append(record)
    return _compare(chosen, claimed, found, seed, count)


def _sample(submission: Submission, tasks: int | Sequence[str], sample_seed: int | None) -> list[Task]:
    present = task_set(submission.tasks)
    if not isinstance(tasks, int):
        named = [get_task(name) for name in tasks]
        for task in named:
            if task not in present:
                raise InputError(f"{submission.id} does not cover {task.name}; it covers {submission.tasks}")
        return named
    if not 1 <= tasks <= len(present):
        raise InputError(f"the sample must have 1 to {len(present)} tasks, not {tasks}")
    drawn = np.random.default_rng(sample_seed).choice(len(present), tasks, replace=False)
    return [present[index] for index in sorted(drawn)]


def _groups(
    submission: Submission,
    tasks: Sequence[Task],
    seed: int,
    agent: str | None,
    checkpoint: str | None,
    options: Mapping[str, Any],
) -> dict[tuple[str, str], list[Task]]:
    """Tasks by the agent's spec and options (as JSON) that play them."""
    groups: dict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in tasks:
        results = _results_of(submission, task, seed)
        spec = agent or str(results.agent["spec"])
        if agent is None and ":" in spec:
            raise InputError(f"{submission.id} names the agent by import path, {shown(spec)}; say which with --agent")
        if recorded_training(results) is not None and checkpoint is None:
            raise InputError(f"{submission.id} is of an agent that was trained; say what to evaluate with --checkpoint")
        chosen = {**results.agent["options"], **options}
        if checkpoint is not None:
            chosen["checkpoint"] = checkpoint.replace("{task}", task.name).replace("{seed}", str(seed))
        groups[spec, json.dumps(chosen, sort_keys=True)].append(task)
    return groups


def _results_of(submission: Submission, task: Task, seed: int) -> Results:
    return next(r for r in submission.results if task.id in r.protocol.tasks and seed in r.protocol.seeds)


def _compare(
    tasks: Sequence[Task],
    claimed: Mapping[str, Sequence[EpisodeRecord]],
    found: Mapping[str, Sequence[EpisodeRecord]],
    seed: int,
    episodes: int,
) -> Verification:
    pairs = {task.name: (claimed[task.id], found[task.id]) for task in tasks}
    exact = all(
        [record.episode_return for record in ours] == [record.episode_return for record in theirs]
        for ours, theirs in pairs.values()
    )
    scores = {
        name: (np.array([r.score for r in ours]), np.array([r.score for r in theirs]))
        for name, (ours, theirs) in pairs.items()
    }
    level = 1 - (1 - CONFIDENCE) / (len(scores) + 1)
    checks = [_check(name, [ours], [theirs], level) for name, (ours, theirs) in scores.items()]
    checks.append(
        _check("all", [ours for ours, _ in scores.values()], [theirs for _, theirs in scores.values()], level)
    )
    return Verification(tuple(checks), seed, episodes, exact)


def _check(
    name: str, claimed: Sequence[NDArray[np.float64]], found: Sequence[NDArray[np.float64]], level: float
) -> TaskCheck:
    """Student's interval of the mean difference; episodes are drawn within tasks, so that variances add up."""
    from scipy import stats

    differences = [ours - theirs for ours, theirs in zip(claimed, found, strict=True)]
    mean = float(np.mean(differences))
    variance = sum(float(d.var(ddof=1)) / len(d) for d in differences) / len(differences) ** 2
    freedom = len(differences[0]) - 1  # of one task: cautious for the mean over several
    half = math.sqrt(variance) * float(stats.t.ppf((1 + level) / 2, freedom))
    return TaskCheck(name, float(np.mean(claimed)), float(np.mean(found)), mean - half, mean + half)
