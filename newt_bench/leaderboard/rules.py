"""What a submission must fulfil beyond its form: its track's rules, and that its numbers can be true."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packaging.version import InvalidVersion, Version

from newt_bench.catalogue import SPLITS, get_task, load_domain
from newt_bench.errors import InputError, UnknownTaskError
from newt_bench.evaluation import evaluation_seed
from newt_bench.extras import extra_requirements
from newt_bench.leaderboard.problems import Problem, shown
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.tracks import TRAINING_FIELDS, budget_label, get_track, limits, task_set, tracks
from newt_bench.results import EpisodeRecord, Results

__all__ = [
    "SCORE_TOLERANCE",
    "document_problems",
    "recorded_training",
    "required_packages",
    "rule_problems",
]

#: How far a score may be from what the return gives: sums of rewards round.
SCORE_TOLERANCE = 1e-6

_AT_MOST = 100
_SPEC = re.compile(r"[A-Za-z_][\w.-]*(:[A-Za-z_][\w.]*)?")
_WHOLE = ("seed", "episode", "reset_seed", "steps")


def document_problems(document: Mapping[str, Any]) -> list[Problem]:
    """What keeps a document that the schema admits from being read as a `Submission`."""
    return list(itertools.islice(_document_problems(document), _AT_MOST))


def _document_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    if document["track"] not in tracks():
        yield Problem("$.track", shown(document["track"]), f"one of {', '.join(tracks())}")
    try:
        task_set(document["tasks"])
    except InputError:
        yield Problem("$.tasks", shown(document["tasks"]), f"one of {', '.join(SPLITS)}, or such as core:dmcontrol")
    yield from _not_whole("$", {"budget": document["budget"]})
    yield from _not_whole("$.training", document["training"])
    played: set[tuple[Any, ...]] = set()
    for index, results in enumerate(document["results"]):
        yield from _results_problems(f"$.results[{index}]", results, played)


def _results_problems(where: str, results: Mapping[str, Any], played: set[tuple[Any, ...]]) -> Iterator[Problem]:
    protocol = results["protocol"]
    yield from _not_whole(f"{where}.protocol", {"episodes": protocol["episodes"]})
    for index, seed in enumerate(protocol["seeds"]):
        yield from _not_whole(f"{where}.protocol", {f"seeds[{index}]": seed})
    for index, task in enumerate(protocol["tasks"]):
        if not _is_id(task):
            yield Problem(
                f"{where}.protocol.tasks[{index}]", shown(task), "the id of a task, such as newt/walker-run-v0"
            )
    tasks, seeds = set(protocol["tasks"]), set(protocol["seeds"])
    for index, record in enumerate(results["episodes"]):
        at = f"{where}.episodes[{index}]"
        yield from _not_whole(at, {name: record[name] for name in (*_WHOLE, "success")})
        for field, value, known in (("task", record["task"], tasks), ("seed", record["seed"], seeds)):
            if value not in known:
                yield Problem(f"{at}.{field}", shown(value), f"one of those of {where}.protocol")
        if record["episode"] >= protocol["episodes"]:
            yield Problem(f"{at}.episode", shown(record["episode"]), f"less than {protocol['episodes']}")
        key = (record["task"], record["seed"], record["episode"])
        if key in played:
            yield Problem(at, f"{shown(list(key))} twice", "every task, seed and episode once")
        played.add(key)


def _not_whole(where: str, values: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in values.items():
        if value is not None and type(value) is not int:  # 1.0 is an integer to JSON Schema
            yield Problem(f"{where}.{name}", shown(value), "a whole number without decimals")


def _is_id(task: str) -> bool:
    try:
        return get_task(task).id == task
    except UnknownTaskError:
        return False


def rule_problems(submission: Submission) -> list[Problem]:
    """What breaks the rules of the submission's track, or cannot be true."""
    first = [problem for check in (_track, _recorded, _runs, _agent, _coverage) for problem in check(submission)]
    # What follows takes all episodes at once, and needs them to be those of the task set.
    more = itertools.chain(_episodes(submission), _packages(submission), () if first else _copies(submission))
    return list(itertools.islice(itertools.chain(first, more), _AT_MOST))


def _track(submission: Submission) -> Iterator[Problem]:
    """Task set, budget, and the numbers on training."""
    track, training = get_track(submission.track), submission.training
    if submission.tasks not in track.tasks:
        yield Problem("$.tasks", shown(submission.tasks), f"for track {track.name}: {', '.join(track.tasks)}")
    if track.budget is None:
        if submission.budget is not None:
            yield Problem("$.budget", shown(submission.budget), f"null: track {track.name} has no budgets")
    elif submission.budget not in track.budgets:
        labels = ", ".join(f"{budget} ({budget_label(budget)})" for budget in track.budgets)
        yield Problem("$.budget", shown(submission.budget), f"for track {track.name}, {track.budget_unit}: {labels}")
    else:
        low = submission.budget if track.exact else 0
        yield from _bounded(f"$.training.{track.budget}", training[track.budget], low, submission.budget)
    for field, (low, high) in track.bounds.items():
        yield from _bounded(f"$.training.{field}", training[field], low, high)
    if "actions_per_look" not in (track.budget, *track.bounds):
        yield from _bounded("$.training.actions_per_look", training["actions_per_look"], 1, 1)


def _bounded(field: str, value: int | None, low: int, high: int | None) -> Iterator[Problem]:
    if value is None or value < low or (high is not None and value > high):
        what = TRAINING_FIELDS[field.rpartition(".")[2]]
        expected = f"at least {low}" if high is None else f"{low} to {high}" if low < high else str(low)
        yield Problem(field, shown(value), f"{expected} ({what})")


def recorded_training(results: Results) -> Mapping[str, Any] | None:
    """Settings of the training run that made the results, as `newt_bench.train` records them; None if it did not."""
    training = results.provenance.get("training")
    settings = training.get("settings") if isinstance(training, dict) else None
    return settings if isinstance(settings, dict) else None


def _recorded(submission: Submission) -> Iterator[Problem]:
    """What is said of training must not be less than what `newt_bench.train` recorded of it."""
    for index, results in enumerate(submission.results):
        if "parts" in results.provenance:  # only the first of them would be looked at
            found, wanted = "results of several runs", "one run per file, as newt-bench submit writes them"
            yield Problem(f"$.results[{index}].provenance.parts", found, wanted)
        settings = recorded_training(results) or {}
        where = f"as $.results[{index}].provenance.training tells"
        said, steps = submission.training["environment_steps"], settings.get("steps", 0)
        if isinstance(steps, int) and steps > (said or 0):
            yield Problem("$.training.environment_steps", shown(said), f"at least {steps}, {where}")
        if settings.get("demonstrations") is not None and not submission.training["demonstrations"]:
            yield Problem("$.training.demonstrations", shown(0), f"at least 1, {where}")


def _runs(submission: Submission) -> Iterator[Problem]:
    """Seeds and episodes."""
    few, many = limits().seeds
    seeds = submission.seeds
    if not few <= len(seeds) <= many:
        yield Problem("$.results[*].protocol.seeds", f"{len(seeds)} seeds", f"{few} to {many} (training runs per task)")
    if seeds != tuple(range(len(seeds))):
        yield Problem(
            "$.results[*].protocol.seeds",
            shown(list(seeds)),
            f"0 to {len(seeds) - 1}: the first seeds, not chosen ones",
        )
    few, many = limits().episodes
    for index, results in enumerate(submission.results):
        episodes, wanted = results.protocol.episodes, submission.episodes_per_seed
        where = f"$.results[{index}].protocol.episodes"
        if not few <= episodes <= many:
            yield Problem(where, shown(episodes), f"{few} to {many} per task and seed")
        elif episodes != wanted:
            yield Problem(where, shown(episodes), f"{wanted}, as in $.results[0]: the same for every task and seed")


def _agent(submission: Submission) -> Iterator[Problem]:
    """One agent, on the tasks themselves, seeing what the track allows; and a training run of its own per seed."""
    first, allowed = submission.results[0], get_track(submission.track).obs_types
    if not _SPEC.fullmatch(first.agent["spec"]):
        wanted = "the name of an installed agent, or an import path such as package.module:Class"
        yield Problem("$.results[0].agent.spec", shown(first.agent["spec"]), wanted)
    by_checkpoint: dict[str, set[int]] = defaultdict(set)
    for index, results in enumerate(submission.results):
        where = f"$.results[{index}]"
        for field in ("name", "spec"):
            if results.agent[field] != first.agent[field]:
                yield Problem(
                    f"{where}.agent.{field}",
                    shown(results.agent[field]),
                    f"{shown(first.agent[field])}, as in $.results[0]",
                )
        obs_type = results.protocol.obs_type
        if obs_type not in allowed:
            yield Problem(f"{where}.protocol.obs_type", shown(obs_type), " or ".join(allowed))
        elif obs_type != first.protocol.obs_type:
            yield Problem(
                f"{where}.protocol.obs_type", shown(obs_type), f"{first.protocol.obs_type}, as in $.results[0]"
            )
        if results.protocol.env_options:
            yield Problem(
                f"{where}.protocol.env_options", shown(dict(results.protocol.env_options)), "{}: the tasks, no variants"
            )
        checkpoint = results.agent["options"].get("checkpoint")
        # What was trained began with that checkpoint; what was only evaluated is it.
        if isinstance(checkpoint, str) and recorded_training(results) is None:
            by_checkpoint[checkpoint].update(results.protocol.seeds)
            if len(by_checkpoint[checkpoint]) > 1:
                yield Problem(
                    f"{where}.agent.options.checkpoint",
                    f"{shown(checkpoint)} for seeds {sorted(by_checkpoint[checkpoint])}",
                    "a training run of its own for every seed: evaluate each with its --seed, and submit all files",
                )


def _coverage(submission: Submission) -> Iterator[Problem]:
    """Every episode of every task of the set for every seed, and no other task."""
    wanted = {task.id for task in task_set(submission.tasks)}
    counts = Counter((r.task, r.seed) for results in submission.results for r in results.episodes)
    found = {task for task, _ in counts}
    if missing := sorted(wanted - found):
        yield Problem(
            "$.results[*].episodes", f"none of {_listed(missing)}", f"all {len(wanted)} tasks of {submission.tasks}"
        )
    asked = found | {task for results in submission.results for task in results.protocol.tasks}
    if extra := sorted(asked - wanted):
        yield Problem("$.results[*].protocol.tasks", _listed(extra), f"the tasks of {submission.tasks} only")
    for task, seed in itertools.product(sorted(wanted & found), submission.seeds):
        if counts[task, seed] != submission.episodes_per_seed:
            yield Problem(
                "$.results[*].episodes",
                f"{counts[task, seed]} episodes of {task} with seed {seed}",
                f"{submission.episodes_per_seed}",
            )


def _listed(names: Sequence[str], at_most: int = 5) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _episodes(submission: Submission) -> Iterator[Problem]:
    for index, results in enumerate(submission.results):
        for number, record in enumerate(results.episodes):
            yield from _episode(f"$.results[{index}].episodes[{number}]", record)


def _episode(where: str, record: EpisodeRecord) -> Iterator[Problem]:
    """The fixed start, the fixed length, and a score that the return or the success flag gives."""
    task = get_task(record.task)
    start = evaluation_seed(record.seed, record.episode)
    if record.reset_seed != start:
        yield Problem(
            f"{where}.reset_seed",
            shown(record.reset_seed),
            f"{start}, the start of seed {record.seed}, episode {record.episode}",
        )
    if record.steps != task.max_episode_steps:
        yield Problem(
            f"{where}.steps", shown(record.steps), f"{task.max_episode_steps}: the horizon of {task.id} is fixed"
        )
    if (record.success is not None) != task.has_success:
        yield Problem(
            f"{where}.success", shown(record.success), f"{'0 or 1' if task.has_success else 'null'} for {task.id}"
        )
        return
    score = task.score(record.episode_return, float(record.success or 0))
    if abs(score - record.score) > SCORE_TOLERANCE:
        source = "success" if task.has_success else f"return {record.episode_return:.6g}"
        yield Problem(f"{where}.score", shown(record.score), f"{score:.6f}, which the {source} gives on {task.id}")


def required_packages(results: Results) -> dict[str, str]:
    """What the simulators of a run's tasks need: version specifiers by distribution."""
    extras = {load_domain(get_task(task).domain).extra for task in results.protocol.tasks}
    return {name: spec for extra in sorted(extras) for name, spec in extra_requirements(extra).items()}


def _packages(submission: Submission) -> Iterator[Problem]:
    """Versions must be told; other ones than this release's are flagged on the row, not refused."""
    for index, results in enumerate(submission.results):
        where = f"$.results[{index}].provenance"
        told = {"newt_bench": results.provenance["newt_bench"], **results.provenance["packages"]}
        for name in ("numpy", "gymnasium", *required_packages(results)):
            if name not in told:
                yield Problem(f"{where}.packages", f"no {name}", "the versions of all simulators that were used")
        for name, version in told.items():
            if not _is_version(version):
                yield Problem(f"{where}, version of {shown(name, 60)}", shown(version), "a version such as 1.0.2")


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _copies(submission: Submission) -> Iterator[Problem]:
    """Seeds meet different starts, so that one seed's returns cannot repeat another's."""
    returns: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in submission.merged.episodes:
        if not get_task(record.task).fixed_start:
            returns[record.seed][record.task].append(record.episode_return)
    originals: dict[str, int] = {}
    for seed, by_task in returns.items():
        # Returns that hardly vary, such as those of an agent that never finds the goal, may repeat honestly.
        varied = {task: values for task, values in by_task.items() if len(set(values)) >= 5}
        if not varied:
            continue
        first = originals.setdefault(repr(sorted(varied.items())), seed)
        if first != seed:
            yield Problem(
                "$.results[*].episodes",
                f"the returns of seed {first} again for seed {seed}",
                "a training run of its own",
            )
