"""Plays evaluation episodes side by side, for agents in training: one batch for many tasks and episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.agents import Agent
from newt_bench.catalogue import PADDED_ACTION_DIM, Task
from newt_bench.envs.core import ObsType
from newt_bench.errors import AgentError
from newt_bench.evaluation.playing import evaluation_seed
from newt_bench.results import EpisodeRecord
from newt_bench.vector import TaskVectorEnv

__all__ = ["evaluate_batched"]

# Environments that live at once. Tasks of one length go together, so that none of a batch waits for longer ones.
_MAX_SLOTS = 256


def evaluate_batched(
    agent: Agent,
    tasks: Sequence[int],
    episodes: int,
    seed: int,
    *,
    obs_type: ObsType = "state",
    env_options: Mapping[str, Any] | None = None,
    num_workers: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[EpisodeRecord] | None:
    """Plays the episodes that `evaluate` plays, many at a time.

    Starts are the same as in `newt_bench.evaluate`. The agent acts on batches, however, and is reset once for each of
    them: networks round differently for other batch sizes, and agents that draw random numbers draw others, so that
    single episodes differ from those of `evaluate`, and means agree within their error.

    Args:
        agent: The agent. Training must be able to go on as if nothing had happened, see `Agent.reset`.
        tasks: Indices into `agent.tasks`.
        episodes: Episodes per task.
        seed: The agent's seed.
        obs_type: What it sees.
        env_options: Keyword arguments of all the environments.
        num_workers: Worker processes; None for as many as there are cores.
        stop: Asked after every step whether to give up.

    Returns:
        One record per episode, task by task; None if given up.
    """
    records: dict[tuple[int, int], EpisodeRecord] = {}
    for part in _parts(agent.tasks, tasks, episodes):
        names = [agent.tasks[index] for index in part]
        envs = TaskVectorEnv(names, episodes, num_workers, obs_type, env_options=env_options)
        try:
            agent.reset(seed)
            for slot, record in _play(agent, envs, np.repeat(part, episodes), episodes, seed, stop):
                records[part[slot // episodes], slot % episodes] = record
        finally:
            envs.close()
        if stop():
            return None
    return [records[task, episode] for task in tasks for episode in range(episodes)]


def _parts(tasks: Sequence[Task], wanted: Sequence[int], episodes: int) -> Iterator[list[int]]:
    """Tasks of one length, as many as may live at once."""
    size = max(1, _MAX_SLOTS // episodes)

    def length(index: int) -> int:
        return tasks[index].max_episode_steps

    for _, group in groupby(sorted(wanted, key=length), key=length):
        members = list(group)
        for first in range(0, len(members), size):
            yield members[first : first + size]


def _play(
    agent: Agent,
    envs: TaskVectorEnv,
    task: NDArray[np.int64],
    episodes: int,
    seed: int,
    stop: Callable[[], bool],
) -> Iterator[tuple[int, EpisodeRecord]]:
    """Plays an episode in every slot, all of one length."""
    starts = [evaluation_seed(seed, episode) for episode in range(episodes)]
    obs, _ = envs.reset(seed=starts * len(envs.tasks))
    returns, first = np.zeros(envs.num_envs), np.ones(envs.num_envs, np.bool_)
    truncated, steps = np.zeros(envs.num_envs, np.bool_), 0
    while not truncated.all():
        if stop():
            return
        actions = agent.act(obs, task, first, "eval")
        if np.shape(actions) != (envs.num_envs, PADDED_ACTION_DIM):
            wanted = (envs.num_envs, PADDED_ACTION_DIM)
            raise AgentError(f"{type(agent).__name__}.act must return shape {wanted}, not {np.shape(actions)}")
        obs, reward, _, truncated, info = envs.step(actions)
        returns, first, steps = returns + reward, np.zeros_like(first), steps + 1
    final = info["final_info"]
    for slot in range(envs.num_envs):
        record = envs.tasks[envs.task[slot]]
        yield (
            slot,
            EpisodeRecord(
                task=record.id,
                seed=seed,
                episode=slot % episodes,
                reset_seed=starts[slot % episodes],
                episode_return=float(returns[slot]),
                success=int(final["success"][slot]) if record.has_success else None,
                score=float(final["score"][slot]),
                steps=steps,
            ),
        )
