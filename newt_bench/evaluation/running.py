"""Runs an agent on tasks and records every episode."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from newt_bench.agents import Agent, AgentFactory, load_agent_factory
from newt_bench.catalogue import Task, get_task, load_domain
from newt_bench.envs.core import ObsType
from newt_bench.envs.domains import check_options
from newt_bench.errors import InputError
from newt_bench.evaluation.playing import Job, Outcome, Player, Unit, qualified_name
from newt_bench.evaluation.processes import play_in_processes
from newt_bench.extras import extra_requirements
from newt_bench.progress import progress_bar
from newt_bench.results import EpisodeRecord, Protocol, Results, collect_provenance, load_results

__all__ = ["evaluate"]

_MAX_EPISODES = 1_000_000


def evaluate(
    agent: str | AgentFactory | Agent,
    tasks: str | Task | Iterable[str | Task],
    episodes: int = 10,
    seed: int | Sequence[int] = 0,
    *,
    obs_type: ObsType = "state",
    render_size: int = 224,
    options: Mapping[str, Any] | None = None,
    env_options: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    workers: int = 1,
) -> Results:
    """Evaluates an agent: a fixed number of whole episodes per task and seed.

    Episode k of the agent with seed s is reset with `evaluation_seed(s, k)`, a fixed list that training must
    not use: all agents meet the same starts, and every seed meets others, so that intervals over seeds cover
    the variation of starts too. Before each task the agent is reset with a seed derived from its own seed
    and the task's name: a task's result does not depend on which other tasks are evaluated, or in what order.

    Args:
        agent: An entry point name, an import path, an `Agent` class or function, or a built agent.
        tasks: Task names or records. See `newt_bench.tasks` for splits.
        episodes: Episodes per task and seed.
        seed: Seed of the agent, or several for intervals: an agent is built for each.
        obs_type: What the agent sees: `state`, `rgb` or `state_rgb`.
        render_size: Height and width of images.
        options: Keyword arguments for building the agent.
        env_options: Keyword arguments of all the environments, such as Atari's `joystick`; recorded in the protocol.
        out: Results file, written after every task, so that an interrupted run loses at most one task.
        resume: Continue the run that `out` holds: tasks and seeds that are complete there are kept.
        progress: Whether to show a progress bar, if standard error is a terminal.
        workers: Processes that play tasks and seeds side by side, each with an agent of its own. The results are
            the same bit for bit, however many there are. With more than one, a script must call this below
            `if __name__ == "__main__":`, because worker processes import it.

    Returns:
        The results of all episodes.

    Raises:
        InputError: An argument cannot be used; among others, `out` exists and `resume` is False.
        AgentError: The agent cannot be found or built, or returned something that is no batch of actions.
        MissingExtraError: A task's simulator is not installed.
        WorkerError: A worker process died, or the agent or an environment raised an error in one.
    """
    chosen = _unique_tasks(tasks)
    seeds = (seed,) if isinstance(seed, int) else tuple(seed)
    _check_numbers(episodes, seeds, workers)
    description = _describe(agent, seeds, dict(options or {}))
    variant = dict(env_options or {})
    for task in chosen if variant else ():
        check_options(task, variant)
    protocol = Protocol(tuple(t.id for t in chosen), seeds, episodes, obs_type, variant)
    path = Path(out) if out is not None else None
    results = _start(path, resume, description, protocol, chosen)
    started = time.monotonic() - results.provenance["wall_seconds"]
    done = {(record.task, record.seed) for record in results.episodes}
    units = [Unit(s, t.name) for s in seeds for t in chosen if (t.id, s) not in done]
    names = tuple(task.name for task in chosen)
    job = Job(agent, description["options"], names, episodes, obs_type, render_size, variant)
    with (
        progress_bar(progress, len(units) * episodes, "episodes") as advance,
        contextlib.closing(_outcomes(job, units, workers, advance)) as outcomes,
    ):
        for outcome in outcomes:
            results = _with_outcome(results, outcome, round(time.monotonic() - started, 3))
            if path is not None:
                results.save(path)
    return results


def _outcomes(
    job: Job, units: Sequence[Unit], workers: int, advance: Callable[[str], None]
) -> Generator[Outcome, None, None]:
    """Plays all units, here or elsewhere."""
    if workers > 1:
        yield from play_in_processes(job, units, workers, advance)
        return
    player = Player(job)
    for unit in units:
        yield player.play(unit, advance)


def _with_outcome(results: Results, outcome: Outcome, wall_seconds: float) -> Results:
    provenance = dict(results.provenance, wall_seconds=wall_seconds)
    if outcome.renderer is not None:
        domain = get_task(outcome.unit.task).domain
        provenance["renderers"] = {**provenance["renderers"], domain: outcome.renderer}
    episodes = _in_order((*results.episodes, *outcome.records), results.protocol)
    return dataclasses.replace(results, provenance=provenance, episodes=episodes)


def _unique_tasks(tasks: str | Task | Iterable[str | Task]) -> tuple[Task, ...]:
    items = [tasks] if isinstance(tasks, str | Task) else list(tasks)
    chosen = tuple(dict.fromkeys(get_task(item) if isinstance(item, str) else item for item in items))
    if not chosen:
        raise InputError("There is no task to evaluate; name tasks or a split")
    return chosen


def _check_numbers(episodes: int, seeds: Sequence[int], workers: int) -> None:
    if not 1 <= episodes <= _MAX_EPISODES:
        raise InputError(f"episodes must lie in 1..{_MAX_EPISODES}, not {episodes}")
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) >= 2**31:
        raise InputError(f"seeds must be distinct integers in [0, 2**31), not {list(seeds)}")
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")


def _describe(agent: str | AgentFactory | Agent, seeds: Sequence[int], options: dict[str, Any]) -> dict[str, Any]:
    """The agent, as the results file describes it."""
    if isinstance(agent, Agent):
        if len(seeds) > 1 or options:
            raise InputError("An agent that is built already takes one seed and no options; pass its class instead")
        return {"name": type(agent).__name__, "spec": qualified_name(type(agent)), "options": {}}
    if isinstance(agent, str):
        load_agent_factory(agent)  # whether there is such an agent
        return {"name": agent.rpartition(":")[2], "spec": agent, "options": options}
    spec = qualified_name(agent)
    return {"name": spec.rpartition(":")[2], "spec": spec, "options": options}


def _start(
    path: Path | None, resume: bool, agent: dict[str, Any], protocol: Protocol, tasks: Sequence[Task]
) -> Results:
    """An empty result, or the one to continue."""
    if path is not None and path.exists():
        if not resume:
            raise InputError(f"{path} exists; continue it with resume (--resume) or name another file")
        before = load_results(path)
        if before.agent != agent or before.protocol != protocol:
            raise InputError(f"{path} holds another agent, other tasks or another protocol; name another file")
        return before
    distributions = sorted({d for t in tasks for d in extra_requirements(load_domain(t.domain).extra)})
    return Results(agent, protocol, collect_provenance(distributions), ())


def _in_order(records: Iterable[EpisodeRecord], protocol: Protocol) -> tuple[EpisodeRecord, ...]:
    """Records in the protocol's order, so that a resumed run equals an uninterrupted one."""
    tasks = {task: i for i, task in enumerate(protocol.tasks)}
    seeds = {seed: i for i, seed in enumerate(protocol.seeds)}
    return tuple(sorted(records, key=lambda r: (seeds[r.seed], tasks[r.task], r.episode)))
