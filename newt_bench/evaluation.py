"""Runs an agent on tasks and records every episode."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.agents import Agent, AgentFactory, Observation, load_agent_factory
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task, get_task, load_domain
from newt_bench.envs.core import ObsType
from newt_bench.envs.domains import check_options
from newt_bench.errors import AgentError, InputError
from newt_bench.extras import extra_requirements
from newt_bench.progress import progress_bar
from newt_bench.results import EpisodeRecord, Protocol, Results, collect_provenance, load_results

__all__ = ["EVALUATION_SEEDS", "evaluate", "evaluation_seed", "roll_out"]

#: Reset seeds of evaluation episodes lie in this range; training must use seeds below it.
EVALUATION_SEEDS = range(2**30, 2**31)

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

    Returns:
        The results of all episodes.

    Raises:
        InputError: An argument cannot be used; among others, `out` exists and `resume` is False.
        AgentError: The agent cannot be found or built, or returned something that is no batch of actions.
        MissingExtraError: A task's simulator is not installed.
    """
    chosen = _unique_tasks(tasks)
    seeds = (seed,) if isinstance(seed, int) else tuple(seed)
    _check_numbers(episodes, seeds)
    factory, description = _resolve(agent, seeds, dict(options or {}))
    variant = dict(env_options or {})
    for task in chosen if variant else ():
        check_options(task, variant)
    protocol = Protocol(tuple(t.id for t in chosen), seeds, episodes, obs_type, variant)
    path = Path(out) if out is not None else None
    results = _start(path, resume, description, protocol, chosen)
    started = time.monotonic() - results.provenance["wall_seconds"]
    done = {(record.task, record.seed) for record in results.episodes}
    units = [(s, t) for s in seeds for t in chosen if (t.id, s) not in done]
    agents: dict[int, Agent] = {}
    with progress_bar(progress, len(units) * episodes, "episodes") as advance:
        for unit_seed, task in units:
            if unit_seed not in agents:
                agents = {unit_seed: _build(factory, chosen, unit_seed, description)}
            env = gymnasium.make(task.id, obs_type=obs_type, render_size=render_size, **variant)
            try:
                records = list(_play(agents[unit_seed], env, task, chosen.index(task), unit_seed, episodes, advance))
                renderer = env.unwrapped.renderer  # type: ignore[attr-defined]
            finally:
                env.close()
            provenance = dict(results.provenance, wall_seconds=round(time.monotonic() - started, 3))
            if renderer is not None:
                provenance["renderers"] = {**provenance["renderers"], task.domain: renderer}
            results = dataclasses.replace(
                results, provenance=provenance, episodes=_in_order((*results.episodes, *records), protocol)
            )
            if path is not None:
                results.save(path)
    return results


def evaluation_seed(seed: int, episode: int) -> int:
    """Reset seed of an evaluation episode: a fixed function, the same for all tasks and agents.

    Args:
        seed: The agent's seed.
        episode: Index of the episode, from 0.

    Returns:
        An integer in `EVALUATION_SEEDS`.
    """
    state = np.random.SeedSequence((seed, episode)).generate_state(1)[0]
    return EVALUATION_SEEDS.start + int(state) % len(EVALUATION_SEEDS)


def roll_out(
    agent: Agent, env: gymnasium.Env[Any, Any], task_index: int, reset_seed: int
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Plays one episode with an agent in evaluation mode.

    Args:
        agent: The agent.
        env: A newt-bench environment.
        task_index: Index of the environment's task in `agent.tasks`.
        reset_seed: Seed of the episode.

    Yields:
        Reward and info of every step.

    Raises:
        AgentError: The agent returned something that is no batch of actions.
    """
    obs, _ = env.reset(seed=reset_seed)
    index = np.array([task_index])
    action_dim = env.action_space.shape[0]  # type: ignore[index]
    first, truncated = True, False
    while not truncated:
        actions = agent.act(_batch_of_one(obs), index, np.array([first]), "eval")
        if np.shape(actions) != (1, PADDED_ACTION_DIM):
            raise AgentError(
                f"{type(agent).__name__}.act must return shape (1, {PADDED_ACTION_DIM}), not {np.shape(actions)}"
            )
        obs, reward, _, truncated, info = env.step(actions[0, :action_dim])
        first = False
        yield float(reward), info


def _play(
    agent: Agent,
    env: gymnasium.Env[Any, Any],
    task: Task,
    task_index: int,
    seed: int,
    episodes: int,
    advance: Callable[[str], None],
) -> Iterator[EpisodeRecord]:
    agent.reset(_unit_seed(seed, task))
    for episode in range(episodes):
        start = evaluation_seed(seed, episode)
        steps = list(roll_out(agent, env, task_index, start))
        final = steps[-1][1]
        yield EpisodeRecord(
            task=task.id,
            seed=seed,
            episode=episode,
            reset_seed=start,
            episode_return=float(sum(reward for reward, _ in steps)),
            success=int(final["success"]) if task.has_success else None,
            score=float(final["score"]),
            steps=len(steps),
        )
        advance(task.name)


def _unit_seed(seed: int, task: Task) -> int:
    """Seed of acting on one task: a function of the agent's seed and the task's name alone."""
    sequence = np.random.SeedSequence((seed, zlib.crc32(task.name.encode())))
    return int(sequence.generate_state(1)[0] >> 1)


def _batch_of_one(obs: Any) -> Observation:
    if isinstance(obs, Mapping):
        return {"state": _padded(obs["state"]), "rgb": obs["rgb"][None]}
    if obs.ndim == 1:
        return _padded(obs)
    image: NDArray[np.uint8] = obs[None]
    return image


def _padded(state: NDArray[np.float32]) -> NDArray[np.float32]:
    batch = np.zeros((1, PADDED_OBS_DIM), np.float32)
    batch[0, : len(state)] = state
    return batch


def _unique_tasks(tasks: str | Task | Iterable[str | Task]) -> tuple[Task, ...]:
    items = [tasks] if isinstance(tasks, str | Task) else list(tasks)
    chosen = tuple(dict.fromkeys(get_task(item) if isinstance(item, str) else item for item in items))
    if not chosen:
        raise InputError("There is no task to evaluate; name tasks or a split")
    return chosen


def _check_numbers(episodes: int, seeds: Sequence[int]) -> None:
    if not 1 <= episodes <= _MAX_EPISODES:
        raise InputError(f"episodes must lie in 1..{_MAX_EPISODES}, not {episodes}")
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) >= 2**31:
        raise InputError(f"seeds must be distinct integers in [0, 2**31), not {list(seeds)}")


def _resolve(
    agent: str | AgentFactory | Agent, seeds: Sequence[int], options: dict[str, Any]
) -> tuple[AgentFactory, dict[str, Any]]:
    """What builds the agent, and its description for the results file."""
    if isinstance(agent, Agent):
        if len(seeds) > 1 or options:
            raise InputError("An agent that is built already takes one seed and no options; pass its class instead")
        built = agent
        spec = _qualified_name(type(agent))
        return (lambda *_, **__: built), {"name": type(agent).__name__, "spec": spec, "options": {}}
    if isinstance(agent, str):
        name = agent.rpartition(":")[2]
        return load_agent_factory(agent), {"name": name, "spec": agent, "options": options}
    spec = _qualified_name(agent)
    return agent, {"name": spec.rpartition(":")[2], "spec": spec, "options": options}


def _qualified_name(item: Any) -> str:
    return f"{item.__module__}:{getattr(item, '__qualname__', type(item).__qualname__)}"


def _build(factory: AgentFactory, tasks: Sequence[Task], seed: int, description: Mapping[str, Any]) -> Agent:
    try:
        agent = factory(tasks, seed=seed, **description["options"])
    except TypeError as error:
        raise AgentError(f"Agent '{description['spec']}' cannot be built: {error}") from error
    if not isinstance(agent, Agent):
        raise AgentError(f"Agent '{description['spec']}' built a {type(agent).__name__}, not a newt_bench.Agent")
    if agent.tasks != tuple(tasks):
        raise AgentError(f"Agent '{description['spec']}' was built for other tasks than it is evaluated on")
    return agent


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
