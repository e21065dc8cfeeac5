"""Runs an agent on tasks and records every episode."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from newt_bench.agents import Agent, AgentFactory, load_agent_factory
from newt_bench.catalogue import Task, get_task, resolve_tasks
from newt_bench.envs.core import ObsType
from newt_bench.envs.domains import check_options
from newt_bench.errors import InputError
from newt_bench.evaluation.playing import Job, Outcome, Player, Unit, qualified_name
from newt_bench.evaluation.processes import play_in_processes
from newt_bench.evaluation.provenance import describe_provenance, distributions
from newt_bench.extras import import_optional
from newt_bench.progress import progress_bar
from newt_bench.results import EpisodeRecord, Protocol, Results, load_results
from newt_bench.results.provenance import package_versions
from newt_bench.version import __version__

__all__ = ["evaluate"]

Backend = Literal["local", "ray"]

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
    backend: Backend = "local",
    address: str | None = None,
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
        backend: `local`, or `ray` to spread tasks and seeds over a Ray cluster (extra `ray`): the same results bit for
            bit, given machines of one type. Tasks whose node is lost are played anew on another.
        address: Address of the cluster, as `ray.init` takes it. None for the one that this program is connected to or
            that `RAY_ADDRESS` names, else for this machine alone.

    Returns:
        The results of all episodes.

    Raises:
        InputError: An argument cannot be used; among others, `out` exists and `resume` is False.
        AgentError: The agent cannot be found or built, or returned something that is no batch of actions.
        MissingExtraError: A task's simulator, or Ray for that backend, is not installed.
        WorkerError: A worker process died, or the agent or an environment raised an error in one.
    """
    chosen = resolve_tasks(tasks, "evaluate")
    seeds = (seed,) if isinstance(seed, int) else tuple(seed)
    _check_numbers(episodes, seeds, workers)
    _check_backend(backend, address, workers)
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
    place = _Place(backend, workers, address)
    versions = {"newt-bench": __version__, **package_versions(distributions(chosen))}
    with (
        progress_bar(progress, len(units) * episodes, "episodes") as advance,
        contextlib.closing(_outcomes(job, units, advance, place, versions)) as outcomes,
    ):
        for outcome in outcomes:
            results = _with_outcome(results, outcome, round(time.monotonic() - started, 3))
            if path is not None:
                results.save(path)
    return results


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where units are played."""

    backend: Backend
    workers: int
    address: str | None


def _outcomes(
    job: Job, units: Sequence[Unit], advance: Callable[[str], None], place: _Place, versions: Mapping[str, str]
) -> Generator[Outcome, None, None]:
    """Plays all units, here or elsewhere."""
    if place.backend == "ray":
        module = "newt_bench.evaluation.cluster"
        cluster: Any = import_optional(module, extra="ray", packages=("ray",), wanted_by="The backend 'ray'")
        yield from cluster.play_on_ray(job, units, place.address, versions, advance)
    elif place.workers > 1:
        yield from play_in_processes(job, units, place.workers, advance)
    else:
        player = Player(job)
        for unit in units:
            yield player.play(unit, advance)


def _with_outcome(results: Results, outcome: Outcome, wall_seconds: float) -> Results:
    provenance = dict(results.provenance, wall_seconds=wall_seconds)
    if outcome.renderer is not None:
        domain = get_task(outcome.unit.task).domain
        provenance["renderers"] = {**provenance["renderers"], domain: outcome.renderer}
    if outcome.agent:
        provenance["agent"] = dict(outcome.agent)
    episodes = _in_order((*results.episodes, *outcome.records), results.protocol)
    return dataclasses.replace(results, provenance=provenance, episodes=episodes)


def _check_numbers(episodes: int, seeds: Sequence[int], workers: int) -> None:
    if not 1 <= episodes <= _MAX_EPISODES:
        raise InputError(f"episodes must lie in 1..{_MAX_EPISODES}, not {episodes}")
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) >= 2**31:
        raise InputError(f"seeds must be distinct integers in [0, 2**31), not {list(seeds)}")
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")


def _check_backend(backend: str, address: str | None, workers: int) -> None:
    if backend not in get_args(Backend):
        raise InputError(f"backend must be one of {', '.join(get_args(Backend))}, not {backend!r}")
    if backend == "local" and address is not None:
        raise InputError("address is that of a Ray cluster; set backend='ray' (--backend ray), too")
    if backend == "ray" and workers != 1:
        raise InputError("workers are processes of the local backend; a Ray cluster uses all the cores that it has")


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
    return Results(agent, protocol, describe_provenance(tasks), ())


def _in_order(records: Iterable[EpisodeRecord], protocol: Protocol) -> tuple[EpisodeRecord, ...]:
    """Records in the protocol's order, so that a resumed run equals an uninterrupted one."""
    tasks = {task: i for i, task in enumerate(protocol.tasks)}
    seeds = {seed: i for i, seed in enumerate(protocol.seeds)}
    return tuple(sorted(records, key=lambda r: (seeds[r.seed], tasks[r.task], r.episode)))
