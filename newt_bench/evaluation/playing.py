"""Plays the units of an evaluation: one agent's seed on one task.

A unit begins with `Agent.reset` and is played with batches of one slot, so that its outcome depends on nothing but
itself: neither on other units nor on the process or machine that plays it.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.agents import Agent, AgentFactory, Observation, load_agent_factory
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task, get_task
from newt_bench.envs.core import ObsType
from newt_bench.errors import AgentError
from newt_bench.evaluation.threads import torch_threads
from newt_bench.results import EpisodeRecord

__all__ = ["EVALUATION_SEEDS", "Job", "Outcome", "Player", "Unit", "evaluation_seed", "qualified_name", "roll_out"]

#: Reset seeds of evaluation episodes lie in this range; training must use seeds below it.
EVALUATION_SEEDS = range(2**30, 2**31)


@dataclasses.dataclass(frozen=True)
class Job:
    """All that it takes to play any unit of an evaluation, in a form that can be sent elsewhere.

    Attributes:
        agent: What builds the agent, its name or import path, or a built agent.
        options: Keyword arguments for building the agent.
        tasks: Names of all tasks.
        episodes: Episodes per unit.
        obs_type: Observation type.
        render_size: Height and width of images.
        env_options: Keyword arguments of the environments.
    """

    agent: str | AgentFactory | Agent
    options: Mapping[str, Any]
    tasks: tuple[str, ...]
    episodes: int
    obs_type: ObsType
    render_size: int
    env_options: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Unit:
    """One agent on one task.

    Attributes:
        seed: The agent's seed.
        task: Name of the task.
    """

    seed: int
    task: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What playing a unit gave.

    Attributes:
        unit: The unit.
        records: Its episodes.
        renderer: What drew the frames, if there were any.
        agent: What the agent tells of itself.
    """

    unit: Unit
    records: tuple[EpisodeRecord, ...]
    renderer: str | None
    agent: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Player:
    """Plays units, one after the other. The agent is built once for each seed in a row.

    Args:
        job: What is played.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._tasks = tuple(get_task(name) for name in job.tasks)
        self._agent: tuple[int, Agent] | None = None

    def play(self, unit: Unit, advance: Callable[[str], None]) -> Outcome:
        """Plays all episodes of a unit.

        Args:
            unit: The unit.
            advance: Called with the task's name after every episode.

        Raises:
            AgentError: The agent cannot be built, or returned something that is no batch of actions.
            MissingExtraError: The task's simulator is not installed.
        """
        job, task = self._job, get_task(unit.task)
        if self._agent is None or self._agent[0] != unit.seed:
            self._agent = (unit.seed, _build(job, self._tasks, unit.seed))
        env = gymnasium.make(task.id, obs_type=job.obs_type, render_size=job.render_size, **job.env_options)
        try:
            with torch_threads(1):
                records = tuple(_play(self._agent[1], env, task, job.tasks.index(task.name), unit, job, advance))
            facts = self._agent[1].provenance()
            return Outcome(unit, records, env.unwrapped.renderer, facts)  # type: ignore[attr-defined]
        finally:
            env.close()


def _build(job: Job, tasks: Sequence[Task], seed: int) -> Agent:
    if isinstance(job.agent, Agent):
        agent: Any = job.agent
        spec = qualified_name(type(agent))
    else:
        factory = load_agent_factory(job.agent) if isinstance(job.agent, str) else job.agent
        spec = job.agent if isinstance(job.agent, str) else qualified_name(job.agent)
        try:
            agent = factory(tasks, seed=seed, **job.options)
        except TypeError as error:
            raise AgentError(f"Agent '{spec}' cannot be built: {error}") from error
    if not isinstance(agent, Agent):
        raise AgentError(f"Agent '{spec}' built a {type(agent).__name__}, not a newt_bench.Agent")
    if agent.tasks != tuple(tasks):
        raise AgentError(f"Agent '{spec}' was built for other tasks than it is evaluated on")
    return agent


def qualified_name(item: Any) -> str:
    """Import path of a class or function."""
    return f"{item.__module__}:{getattr(item, '__qualname__', type(item).__qualname__)}"


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
    unit: Unit,
    job: Job,
    advance: Callable[[str], None],
) -> Iterator[EpisodeRecord]:
    agent.reset(_unit_seed(unit.seed, task))
    for episode in range(job.episodes):
        start = evaluation_seed(unit.seed, episode)
        steps = list(roll_out(agent, env, task_index, start))
        final = steps[-1][1]
        yield EpisodeRecord(
            task=task.id,
            seed=unit.seed,
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
